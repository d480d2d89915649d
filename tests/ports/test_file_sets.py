"""Sets of files, as the record keeps them."""

from __future__ import annotations

from dataclasses import replace

from mesh.backbone import Backbone
from mesh.model.file_set import FileSet, Member
from mesh.model.names import ProductId
from mesh.model.record import Commit, Head
from tests.ports.nouns import AT

MEMBERS = tuple(
    Member(
        slot=name,
        file=name,
        drop="a" * 20 + "-" + "1" * 12,
        rows=3,
        rejected=0,
        receipt="receipts/x.json",
        location=f"published/{name}",
    )
    for name in ("a.csv", "b.csv")
)


def made(folder: str, members: tuple[Member, ...]) -> FileSet:
    return FileSet(
        port="runways",
        major=1,
        object_name="runways",
        folder=folder,
        period=None,
        opened_at=AT,
        due_at=AT,
        expected=("a.csv", "b.csv"),
        members=members,
    )


def test_sets_are_found_by_folder_and_those_that_wait(ports: Backbone, product: ProductId) -> None:
    """A folder may have any name that a blob may have."""
    folders = ("rundate=2026-11-22", "a/b c/é#%", "x" * 900)
    sets = tuple(made(folder, MEMBERS[:1]) for folder in folders)
    complete = made("whole", MEMBERS)
    ports.registry.commit(Commit(head=Head.new(product), sets=(*sets, complete)))

    for state in (*sets, complete):
        assert ports.registry.file_set(product, 1, "runways", state.folder) == state
    assert ports.registry.file_set(product, 2, "runways", folders[0]) is None
    assert {one.folder for one in ports.registry.file_sets(product)} == {*folders, "whole"}
    waiting = ports.registry.file_sets(product, open_only=True)
    assert {one.folder for one in waiting} == set(folders)

    filled = replace(sets[0], members=MEMBERS, sequence=7)
    ports.registry.commit(Commit(head=ports.registry.head(product), sets=(filled,)))

    assert ports.registry.file_set(product, 1, "runways", folders[0]) == filled
    waiting = ports.registry.file_sets(product, open_only=True)
    assert {one.folder for one in waiting} == set(folders[1:])
