"""File sets: files that are announced together, once all of them have been accepted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from mesh import contracts
from mesh.backbone import Backbone
from mesh.model.contract_profile import custom_value
from mesh.model.dropped_file import DroppedFile, Misplaced, Place, place_of
from mesh.model.events import PRODUCT_UPDATED, Announcement
from mesh.model.expectation_events import set_announcement
from mesh.model.file_set import FILE_SET, MOST_MEMBERS, FileSet, Member, SetRule, Turned
from mesh.model.judgement import Judgement
from mesh.model.names import ProductId
from mesh.model.product import DataProduct, OutputPort
from mesh.model.record import LedgerEntry, Snapshot, Verdict
from mesh.ports import Gone, Storage
from mesh.set_telling import announced, whole_snapshot, write_manifest

LONGEST_LIST = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Advance:
    """What a judgement changes of a set, and what is told instead of the file by itself."""

    state: FileSet
    told: tuple[Announcement, ...]
    snapshot: Snapshot | None

    def at(self, sequence: int) -> FileSet:
        """The set, announced by the event of this sequence if it is complete."""
        return replace(self.state, sequence=sequence) if self.snapshot else self.state


def rule_of(backbone: Backbone, place: Place, port: OutputPort | None) -> SetRule | None:
    """The rule for files at this place; None where each file stands for itself."""
    if port is None:
        return None
    return contracts.plan(backbone, place.product, port, place.object_name).file_set


def folder_of(dropped: DroppedFile, pieces: Sequence[LedgerEntry] = ()) -> str:
    """The folder, below the object's, of a file or of the one that it mends."""
    blob = pieces[0].blob if pieces else dropped.blob
    return "/".join(part for part in blob.split("/")[4:-1] if not part.startswith("mends="))


def set_of(
    backbone: Backbone,
    dropped: DroppedFile,
    place: Place | None,
    port: OutputPort | None,
    pieces: Sequence[LedgerEntry],
) -> str:
    """The folder of the set that a file is of; empty when it stands for itself."""
    rule = None if place is None else rule_of(backbone, place, port)
    return "" if rule is None else folder_of(dropped, pieces)


def refusal(
    backbone: Backbone,
    rule: SetRule | None,
    dropped: DroppedFile,
    place: Place,
    pieces: Sequence[LedgerEntry] = (),
) -> Misplaced | None:
    """Why a file cannot be part of a set; None when it can, or there are no sets."""
    if rule is None:
        return None
    folder, file = folder_of(dropped, pieces), _file(dropped, pieces)
    if not folder:
        return Misplaced(
            reason=f"{place.object_name} is delivered in sets, and {file} lies in no set's folder.",
            remedy=f"Drop all files of a set in one folder, such as {place.folder}/rundate=DATE/.",
        )
    slot = rule.slot(file)
    if slot is None:
        wanted = ", ".join(rule.names) or rule.pattern
        why = f"{file} is no member of the set; its files are named {wanted}."
        return Misplaced(reason=why, remedy="Drop it under the name that the contract says.")
    state = backbone.registry.file_set(place.product, place.major, place.object_name, folder)
    if state is None or slot in {member.slot for member in state.members}:
        return None
    if rule.count and not state.missing:
        return Misplaced(
            reason=f"The set {folder} has its {rule.count} files, and {file} is none of them.",
            remedy="Drop it in the folder of its own set, or under the name of one of them.",
        )
    if rule.manifest not in {"", slot} and state.expected and slot not in state.expected:
        return Misplaced(
            reason=f"{rule.manifest} of the set {folder} does not list {file}.",
            remedy=f"Correct {rule.manifest} and drop it again before this file.",
        )
    return None


def advance(
    backbone: Backbone,
    dropped: DroppedFile,
    judgement: Judgement,
    told: tuple[Announcement, ...],
    snapshot: Snapshot | None,
    *,
    at: datetime,
) -> Advance | None:
    """What a judged file does to its set; None when it is of none.

    Until a set is complete nothing is told of its accepted files; then one event tells of all. A
    member that comes again, later, has the whole set told of again.
    """
    place, port = judgement.place, judgement.port
    if place is None or port is None or judgement.verdict is Verdict.SUPERSEDED:
        return None
    rule = rule_of(backbone, place, port)
    if rule is None or not judgement.set or rule.slot(_file(dropped, judgement.pieces)) is None:
        return None
    folder, file = folder_of(dropped, judgement.pieces), _file(dropped, judgement.pieces)
    slot = rule.slot(file)
    assert slot is not None  # it was refused else
    before = backbone.registry.file_set(place.product, place.major, place.object_name, folder)
    state = _opened(before, rule, dropped, judgement, folder)
    if judgement.verdict is Verdict.REJECTED:
        state = state.with_rejected(Turned(slot=slot, file=file, drop=dropped.id))
        said = tuple(replace(one, data={**one.data, "set": state.told()}) for one in told)
        return Advance(state=state, told=said, snapshot=None)
    state = _with(state, judgement, slot, file, dropped)
    others = tuple(one for one in told if one.type != PRODUCT_UPDATED)
    if not state.is_complete:
        if before is not None and before.is_complete and rule.deadline is not None:
            state = replace(state, due_at=dropped.landed_at + rule.deadline)
        return Advance(state=state, told=others, snapshot=None)
    [updated] = (one for one in told if one.type == PRODUCT_UPDATED)
    location = write_manifest(backbone, place, port, state)
    everything = [announced(backbone, updated, state, location), *others]
    if state.told_late:
        everything.append(set_announcement("recovered", place.product, state, at=at))
        state = replace(state, told_late=False)
    whole = whole_snapshot(judgement, dropped, state, location, snapshot)
    return Advance(state=state, told=tuple(everything), snapshot=whole)


def listed(
    backbone: Backbone, location: str, dropped: DroppedFile, rule: SetRule
) -> tuple[str, ...] | Misplaced | None:
    """The names in a list of members; why it cannot be read; None when it is gone.

    It is a JSON array of names, or text with a name on each line.
    """
    data = b""
    try:
        for chunk in backbone.storage.open(location, etag=dropped.etag):
            data += chunk
            if len(data) > LONGEST_LIST:
                return _no_list(dropped, f"it is longer than {LONGEST_LIST:,} bytes")
    except Gone:
        return None
    try:
        text = data.decode("utf-8-sig")
        is_json = text.lstrip().startswith("[")
        names = json.loads(text) if is_json else [line.strip() for line in text.splitlines()]
    except (ValueError, RecursionError):
        return _no_list(dropped, "it is neither a JSON array nor text in UTF-8")
    names = [name for name in names if name != ""]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        return _no_list(dropped, "its entries are not names that differ from each other")
    wrong = [name for name in names if not _may_be_listed(name, rule)]
    if wrong or not 0 < len(names) <= MOST_MEMBERS:
        what = f"{wrong[0]!r} cannot be a member" if wrong else f"it lists {len(names)} files"
        return _no_list(dropped, what)
    return tuple(names)


def _may_be_listed(name: str, rule: SetRule) -> bool:
    """Whether a file of the list's own folder can have the name, and be a member."""
    is_file = "/" not in name and isinstance(place_of(f"domain/product/v1/object/{name}"), Place)
    return is_file and rule.slot(name) is not None and name != rule.manifest


def overdue(
    backbone: Backbone, identity: ProductId, product: DataProduct, *, most: int
) -> tuple[tuple[FileSet, ...], tuple[Announcement, ...]]:
    """The open sets that are late and were not told of, as they will stand, and what to tell."""
    if not has_sets(backbone, product):
        return (), ()
    now = backbone.now()
    late = [
        state
        for state in backbone.registry.file_sets(identity, open_only=True)
        if state.due_at is not None and state.due_at < now and not state.told_late
    ][:most]
    told = tuple(set_announcement("late", identity, state, at=now) for state in late)
    return tuple(replace(state, told_late=True) for state in late), told


def has_sets(backbone: Backbone, product: DataProduct) -> bool:
    """Whether a contract of the product declares sets."""
    return any(
        _declares(backbone.storage, contracts.location(product.id, port))
        for port in product.output_ports
    )


@lru_cache(maxsize=contracts.PLANS_KEPT)
def _declares(storage: Storage, location: str) -> bool:
    document = json.loads(contracts.read(storage, location))
    elements = [document, *(document.get("schema") or ())]
    return any(custom_value(element, FILE_SET) for element in elements)


def _opened(
    before: FileSet | None,
    rule: SetRule,
    dropped: DroppedFile,
    judgement: Judgement,
    folder: str,
) -> FileSet:
    """The set by the rule as it is now; a new one when this is its first file."""
    place, port = judgement.place, judgement.port
    assert place is not None  # the caller has seen both
    assert port is not None
    opened = dropped.landed_at if before is None else min(before.opened_at, dropped.landed_at)
    state = before or FileSet(
        port=port.name,
        major=place.major,
        object_name=place.object_name,
        folder=folder,
        period=place.period,
        opened_at=opened,
        due_at=None if rule.deadline is None else opened + rule.deadline,
    )
    return replace(
        state,
        expected=state.expected if rule.manifest else rule.names,
        count=rule.count,
        pattern=rule.pattern,
        manifest=rule.manifest,
    )


def _with(
    state: FileSet, judgement: Judgement, slot: str, file: str, dropped: DroppedFile
) -> FileSet:
    member = Member(
        slot=slot,
        file=file,
        drop=dropped.id,
        rows=judgement.kept + judgement.accepted,
        rejected=judgement.rejected,
        receipt=judgement.receipt,
        location=judgement.published or "",
        parquet=judgement.parquet or "",
    )
    state = state.with_member(member)
    return replace(state, expected=judgement.listed) if judgement.listed else state


def _file(dropped: DroppedFile, pieces: Sequence[LedgerEntry]) -> str:
    return pieces[0].file if pieces else dropped.file


def _no_list(dropped: DroppedFile, what: str) -> Misplaced:
    return Misplaced(
        reason=f"{dropped.file} is no list of the files of a set: {what}.",
        remedy=f"Write a JSON array of 1 to {MOST_MEMBERS} file names, or one name on each line.",
    )
