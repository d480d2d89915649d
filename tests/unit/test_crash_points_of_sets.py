"""As `test_crash_points`, of sets of files and corrections: workers die, repeat and meet."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any

import pytest

from mesh import expectations
from mesh.model.events import PRODUCT_LATE, PRODUCT_RECOVERED, PRODUCT_UPDATED
from tests.chaos.broker import Waiting
from tests.chaos.effects import Fate
from tests.chaos.turns import Turns, separate_processes
from tests.chaos.world import World
from tests.unit.conftest import contract, declaration
from tests.unit.test_crash_points import COUNTRIES, PLACE, WEBHOOK, History, Script, essence

DAY = f"{PLACE}/rundate=2026-11-22"
DEADLINE = timedelta(hours=6)


def rule_of(**rule: Any) -> dict[str, Any]:
    return {"customProperties": [{"property": "fileSet", "value": rule}]}


SET = rule_of(members=["north.csv", "south.csv"], deadline={"value": 6, "unit": "h"})
LISTED = rule_of(manifest="files.txt", pattern="*.csv")
NORTH = b"code,name,area\nSE,Sweden,450295\n"
SOUTH = b"code,name,area\nNA,Namibia,825615\n"
BAD = b"code,name,area\nNA,Namibia,825615\nxx,Lesotho,30355\n"
MENDED = b"code,name,area\nLS,Lesotho,30355\n"
LIST = b"north.csv\nsouth.csv\n"


@lru_cache
def prepared(*, listed: bool = False) -> World:
    """A product whose files come in sets of two, and a subscriber."""
    world = World()
    with world.running():
        made = contract(more=LISTED if listed else SET)
        world.onboard(declaration(COUNTRIES, made), COUNTRIES)
        world.settle()
        world.subscribe(COUNTRIES, WEBHOOK)
    return world


@lru_cache
def begun() -> World:
    """A set whose files are listed, with one of them."""
    world = World()
    with world.running():
        world.become(prepared(listed=True))
        world.drop(f"{DAY}/north.csv", NORTH)
        world.settle()
    return world


def mends(world: World, file: str) -> str:
    """Where the correction of a rejected file is dropped."""
    [entry] = world.inner.registry.entries(COUNTRIES, file=file, limit=1)
    return f"{DAY}/mends={entry.drop}/{file}"


def a_set(world: World, fate: Fate) -> None:
    """Its second file is mended after the deadline: missing, told to be late, and recovered."""
    world.become(prepared())
    world.drop(f"{DAY}/north.csv", NORTH)
    world.drop(f"{DAY}/south.csv", BAD)
    world.settle(lambda _: fate)
    world.at += DEADLINE + timedelta(minutes=1)
    world.call(lambda backbone: expectations.check(backbone, COUNTRIES), fate)
    world.settle(lambda _: fate)
    world.drop(mends(world, "south.csv"), MENDED)
    world.settle(lambda _: fate)


def a_listed_set(world: World, fate: Fate) -> None:
    """Its list names a file that never comes, and is put right before the last one lands."""
    world.become(begun())
    world.drop(f"{DAY}/files.txt", b"north.csv\nwest.csv\n")
    world.settle(lambda _: fate)
    world.drop(f"{DAY}/files.txt", LIST)
    world.drop(f"{DAY}/south.csv", SOUTH)
    world.settle(lambda _: fate)


def outcome(world: World) -> dict[str, Any]:
    """What must come out the same: also the set, and what its manifest and snapshot say."""
    registry, blobs = world.inner.registry, world.inner.storage.blobs
    [state] = registry.file_sets(COUNTRIES)
    [snapshot] = registry.snapshots(COUNTRIES)
    manifest = json.loads(blobs[snapshot.location].data)
    assert all(member["parquet"] in blobs for member in manifest["members"])
    assert set(snapshot.parts) <= blobs.keys()
    log = [event["type"] for event in registry.events(COUNTRIES, after=0, limit=100)]
    return {
        **essence(world),
        "set": (state.folder, state.missing, state.is_complete, state.sequence),
        "rows": [(member["file"], member["rows"]) for member in manifest["members"]],
        "log": log,
    }


def lived(history: History, fate: Fate) -> dict[str, Any]:
    world = World()
    with world.running():
        history(world, fate)
        world.rest()
    return outcome(world)


@lru_cache
def calm(history: History) -> tuple[Script, dict[str, Any]]:
    script = Script()
    return script, lived(history, script)


def test_a_set_is_late_and_mended_and_told_once() -> None:
    _, expected = calm(a_set)

    log = expected["log"]
    assert expected["rows"] == [("north.csv", 1), ("south.csv", 2)]
    assert expected["set"][1:3] == ((), True)
    assert [log.count(one) for one in (PRODUCT_LATE, PRODUCT_RECOVERED, PRODUCT_UPDATED)] == [1] * 3
    assert len(expected["taken"]) == len(log) - len([one for one in log if "onboarded" in one]) - 1


def test_a_set_is_told_of_when_the_files_of_its_list_are_there() -> None:
    _, expected = calm(a_listed_set)

    assert expected["rows"] == [("north.csv", 1), ("south.csv", 1)]
    assert expected["set"][1:3] == ((), True)
    assert expected["log"].count(PRODUCT_UPDATED) == 1
    assert sorted(expected["verdicts"].values()) == ["accepted"] * 4


@pytest.mark.parametrize("history", [a_set, a_listed_set], ids=lambda made: made.__name__)
@pytest.mark.parametrize("what", ["kill", "fail", "twice"])
def test_something_happens_at_every_effect_in_turn(what: str, history: History) -> None:
    script, expected = calm(history)

    for at in script.chances(what):
        told = f"{what} {script.passed[at - 1]} (effect {at} of {len(script.passed)})"
        assert lived(history, Script(at=at, what=what)) == expected, told


def both_files(world: World) -> None:
    world.drop(f"{DAY}/north.csv", NORTH)
    world.drop(f"{DAY}/south.csv", SOUTH)


def the_last_file_twice(world: World) -> None:
    world.drop(f"{DAY}/north.csv", NORTH)
    world.settle()
    event = world.drop(f"{DAY}/south.csv", SOUTH)
    world.tell(event, "again")


def two_corrections(world: World) -> None:
    world.drop(f"{DAY}/north.csv", NORTH)
    world.drop(f"{DAY}/south.csv", BAD)
    world.settle()
    place = mends(world, "south.csv")
    world.drop(place, MENDED)
    world.drop(place.replace("/south.csv", "/again.csv"), MENDED.replace(b"LS", b"SZ"))


def a_correction_and_the_whole_file(world: World) -> None:
    world.drop(f"{DAY}/north.csv", NORTH)
    world.drop(f"{DAY}/south.csv", BAD)
    world.settle()
    world.drop(mends(world, "south.csv"), MENDED)
    world.drop(f"{DAY}/south.csv", SOUTH)


def the_list_and_the_last_file(world: World) -> None:
    world.become(begun())
    world.drop(f"{DAY}/files.txt", LIST)
    world.drop(f"{DAY}/south.csv", SOUTH)


Files = Callable[[World], None]


@pytest.mark.parametrize(
    "files",
    [
        both_files,
        the_last_file_twice,
        two_corrections,
        a_correction_and_the_whole_file,
        the_list_and_the_last_file,
    ],
    ids=lambda files: files.__name__,
)
def test_two_workers_meet(files: Files) -> None:
    """One goes some effects far, the other some; then one ends, then the other."""
    for turns, world in interleaved(files):
        told = outcome(world)
        assert told["set"][1:3] == ((), True), turns
        updates = told["log"].count(PRODUCT_UPDATED)
        assert 1 <= updates <= (2 if files is a_correction_and_the_whole_file else 1), turns
        sequences = [int(event["sequence"]) for event in world.broker.published]
        assert sorted(set(sequences)) == list(range(1, len(told["log"]) + 1)), turns
        verdicts = sorted(told["verdicts"].values())
        if files is two_corrections:
            assert verdicts == ["accepted", "accepted", "rejected", "rejected"], turns


def interleaved(files: Files) -> Iterator[tuple[tuple[int, int], World]]:
    steps = 0
    for first, second in itertools.product(range(1, 60, 6), repeat=2):
        if steps and max(first, second) > steps:
            continue
        world = World()
        with world.running(), separate_processes(keep_plans=True):
            world.become(prepared())
            files(world)
            ready: Sequence[Waiting] = world.broker.ready()
            jobs = [partial(world.run, message) for message in ready]
            order = iter([0] * first + [1] * second)

            def choose(waiting: Sequence[int], order: Iterator[int] = order) -> int:
                turn = next(order, 0)
                return turn if turn in waiting else waiting[0]

            done = [job_of(job) for job in jobs]
            Turns(choose).run([job for job, _ in done])
            steps = steps or max(count[0] for _, count in done)
            world.rest()
        yield (first, second), world


def job_of(job: Callable[[Fate], object]) -> tuple[Callable[[Fate], object], list[int]]:
    """A worker, and how many effects it came past."""
    count = [0]

    def counted(fate: Fate) -> object:
        def passing(number: int, name: str) -> str:
            count[0] += 1
            return fate(number, name)

        return job(passing)

    return counted, count
