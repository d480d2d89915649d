"""File sets: consumers hear once, of all files, when all of them have been accepted."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mesh import expectations, landing
from mesh.model.contract_check import check_contract
from mesh.model.record import Verdict
from mesh.schemas import load
from tests.thorough import examples
from tests.unit.conftest import COUNTRIES, World, contract, declaration

DAY = "geography/countries/v1/countries/rundate=2026-11-22"
MEMBERS = {"members": ["north.csv", "south.csv"], "deadline": {"value": 6, "unit": "h"}}
NORTH = b"code,name\nSE,Sweden\nNO,Norway\n"
SOUTH = b"code,name\nNA,Namibia\n"
BAD = b"code,name\nna,Namibia\n"


def with_sets(value, **more):
    return {"customProperties": [{"property": "fileSet", "value": value}], **more}


def mesh_with(value, **more):
    world = World()
    saga = world.onboard(declaration(COUNTRIES, contract(more=with_sets(value, **more))))
    assert saga.status == "registered", saga.findings
    return world


@pytest.fixture
def sets():
    return mesh_with(MEMBERS)


def told(world, noun="product.updated"):
    events = [event for event in world.events() if event["type"] == f"mesh.{noun}.v1"]
    for event in events:
        Draft202012Validator(load(f"events/{event['type']}")).validate(event)
    return events


def state(world, folder="rundate=2026-11-22"):
    return world.backbone.registry.file_set(COUNTRIES, 1, "countries", folder)


def check(world):
    return expectations.check(world.backbone, COUNTRIES)


def test_one_event_names_all_files_once_all_are_accepted(sets):
    north = sets.land(f"{DAY}/north.csv", NORTH)
    assert (north.verdict, north.sequence, told(sets)) == (Verdict.ACCEPTED, 0, [])
    assert state(sets).missing == ("south.csv",)
    assert sets.backbone.registry.snapshots(COUNTRIES) == []

    south = sets.land(f"{DAY}/south.csv", SOUTH)

    [event] = told(sets)
    assert event["data"]["set"] == {
        "folder": "rundate=2026-11-22",
        "members": [
            {"file": "north.csv", "drop": north.drop, "rows": 2},
            {"file": "south.csv", "drop": south.drop, "rows": 1},
        ],
    }
    location = event["data"]["snapshot"]["location"]
    assert event["dataref"] == sets.storage.url(location)
    manifest = json.loads(sets.storage.blobs[location].data)
    Draft202012Validator(load("manifests/set-v1")).validate(manifest)
    assert [member["rows"] for member in manifest["members"]] == [2, 1]
    assert all(member["parquet"] in sets.storage.blobs for member in manifest["members"])
    [snapshot] = sets.backbone.registry.snapshots(COUNTRIES)
    assert (snapshot.rows, snapshot.location, snapshot.period) == (3, location, "2026-11-22")
    assert snapshot.parts == tuple(member["parquet"] for member in manifest["members"])
    assert state(sets).sequence == snapshot.sequence == int(event["sequence"])


def test_a_rejected_file_leaves_the_set_open_and_it_says_what_is_missing(sets):
    sets.land(f"{DAY}/north.csv", NORTH)
    bad = sets.land(f"{DAY}/south.csv", BAD)

    [event] = told(sets, "file.quarantined")
    assert event["data"]["set"] == {
        "folder": "rundate=2026-11-22",
        "missing": ["south.csv"],
        "rejected": [{"file": "south.csv", "drop": bad.drop}],
    }
    assert told(sets) == []

    sets.land(f"{DAY}/south.csv", SOUTH)
    assert len(told(sets)) == 1
    assert state(sets).rejected == ()


def test_a_correction_completes_the_set(sets):
    sets.land(f"{DAY}/north.csv", NORTH)
    bad = sets.land(f"{DAY}/south.csv", BAD)

    sets.land(f"{DAY.rpartition('/')[0]}/mends={bad.drop}/mended.csv", SOUTH)

    [event] = told(sets)
    assert [one["file"] for one in event["data"]["set"]["members"]] == ["north.csv", "south.csv"]
    assert event["data"]["period"] == "2026-11-22"


def test_a_member_that_comes_again_later_has_the_whole_set_told_again(sets):
    for name, data in (("north", NORTH), ("south", SOUTH), ("south", b"code,name\nCL,Chile\n")):
        sets.clock.advance(timedelta(minutes=1))
        newest = sets.land(f"{DAY}/{name}.csv", data)

    first, second = told(sets)
    assert first["id"] != second["id"]
    assert second["data"]["set"]["members"][1]["drop"] == newest.drop
    assert first["data"]["snapshot"]["location"] != second["data"]["snapshot"]["location"]


def test_sets_of_several_days_do_not_mix(sets):
    other = DAY.replace("22", "23")
    for place in (f"{DAY}/north.csv", f"{other}/south.csv", f"{other}/north.csv"):
        sets.land(place, SOUTH if "south" in place else NORTH)

    [event] = told(sets)
    assert event["data"]["set"]["folder"] == "rundate=2026-11-23"
    assert state(sets).missing == ("south.csv",)


def test_a_late_set_is_told_of_once_with_what_is_missing_and_recovers_once(sets):
    sets.land(f"{DAY}/north.csv", NORTH)
    sets.clock.advance(timedelta(hours=6))
    assert check(sets) == 0
    bad = sets.land(f"{DAY}/south.csv", BAD)
    sets.clock.advance(timedelta(seconds=1))

    assert check(sets) == 1
    sets.clock.advance(timedelta(days=3))
    assert check(sets) == 0
    [late] = told(sets, "product.late")
    assert late["data"]["set"] == {
        "folder": "rundate=2026-11-22",
        "missing": ["south.csv"],
        "rejected": [{"file": "south.csv", "drop": bad.drop}],
    }
    assert late["data"]["expected_at"] == "2026-11-22T18:00:00Z"

    sets.land(f"{DAY}/south.csv", SOUTH)
    sets.land(f"{DAY}/south.csv", SOUTH)
    [recovered] = told(sets, "product.recovered")
    assert recovered["data"]["set"]["missing"] == []
    assert check(sets) == 0


def test_a_set_without_a_deadline_stays_open():
    world = mesh_with({"count": 2})
    world.land(f"{DAY}/a.csv", NORTH)
    world.clock.advance(timedelta(days=99))

    assert check(world) == 0


def test_a_number_of_files_makes_a_set():
    world = mesh_with({"count": 2, "pattern": "part-*.csv"})
    world.land(f"{DAY}/part-1.csv", NORTH)
    assert state(world).missing == ("1 more of part-*.csv",)
    world.land(f"{DAY}/part-1.csv", NORTH)
    assert told(world) == []
    world.land(f"{DAY}/part-2.csv", SOUTH)
    assert len(told(world)) == 1

    third = world.land(f"{DAY}/part-3.csv", SOUTH)
    assert third.verdict is Verdict.REJECTED
    assert "The set rundate=2026-11-22 has its 2 files" in third.summary


def test_names_may_be_patterns():
    world = mesh_with({"members": ["north-*.csv", "south-*.csv"]})
    world.land(f"{DAY}/north-0815.csv", NORTH)
    world.land(f"{DAY}/north-4711.csv", NORTH)
    assert state(world).missing == ("south-*.csv",)
    world.land(f"{DAY}/south-1.csv", SOUTH)

    [event] = told(world)
    assert [one["file"] for one in event["data"]["set"]["members"]] == [
        "north-4711.csv",
        "south-1.csv",
    ]


LISTS = [b'["a.csv", "b.csv"]', b"\xef\xbb\xbfa.csv\r\n\r\nb.csv\n"]


@pytest.mark.parametrize("listed", LISTS)
@pytest.mark.parametrize("order", list(itertools.permutations(["a.csv", "b.csv", "files.txt"])))
def test_a_file_can_list_the_others(listed, order):
    world = mesh_with({"manifest": "files.txt", "pattern": "*.csv"})
    contents = {"a.csv": NORTH, "b.csv": SOUTH, "files.txt": listed}

    entries = {}
    for name in order:
        assert told(world) == []
        entries[name] = world.land(f"{DAY}/{name}", contents[name])

    [event] = told(world)
    assert [one["file"] for one in event["data"]["set"]["members"]] == ["a.csv", "b.csv"]
    assert entries["files.txt"].summary == "It lists the 2 files of its set."
    assert entries["files.txt"].verdict is Verdict.ACCEPTED


def test_what_a_list_does_not_name_is_refused_or_not_told_of():
    world = mesh_with({"manifest": "files.json", "pattern": "*.csv"})
    world.land(f"{DAY}/early.csv", SOUTH)
    world.land(f"{DAY}/files.json", b'["a.csv"]')
    late = world.land(f"{DAY}/late.csv", SOUTH)
    assert "files.json of the set rundate=2026-11-22 does not list late.csv" in late.summary

    world.land(f"{DAY}/a.csv", NORTH)
    [event] = told(world)
    assert [one["file"] for one in event["data"]["set"]["members"]] == ["a.csv"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'["a.csv", 7]', "its entries are not names that differ"),
        (b'["a.csv", "a.csv"]', "its entries are not names that differ"),
        (b"[", "it is neither a JSON array nor text in UTF-8"),
        (b"\xff", "it is neither a JSON array nor text in UTF-8"),
        (b"[]", "it lists 0 files"),
        (b"a.txt\n", "'a.txt' cannot be a member"),
        (b"[" * 100_000, "it is neither a JSON array nor text in UTF-8"),
        (b"../north.csv\n", "'../north.csv' cannot be a member"),
        (b'["..\\\\north.csv"]', "cannot be a member"),
        (b"\n" * (1 << 21), "it is longer than 1,048,576 bytes"),
    ],
)
def test_a_list_that_is_none_is_refused_with_the_reason(data, said):
    world = mesh_with({"manifest": "files.json", "pattern": "*.csv"})

    entry = world.land(f"{DAY}/files.json", data)

    assert entry.verdict is Verdict.REJECTED
    assert said in entry.summary
    assert state(world).missing == ("files.json",)
    world.land(f"{DAY}/files.json", b'["a.csv"]')
    assert state(world).missing == ("a.csv",)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../north.csv", "north.csv lies in no set's folder"),
        ("west.csv", "west.csv is no member of the set; its files are named north.csv, south.csv"),
    ],
)
def test_a_file_that_can_be_of_no_set_is_refused(sets, name, said):
    place = DAY.rpartition("/")[0] if name.startswith("..") else DAY

    entry = sets.land(f"{place}/{name.removeprefix('../')}", NORTH)

    assert entry.verdict is Verdict.REJECTED
    assert said in entry.summary
    assert state(sets) is None


def test_two_workers_complete_a_set_at_the_same_time(sets):
    drops = [
        sets.drop(f"{DAY}/north.csv", NORTH),
        sets.drop(f"{DAY}/south.csv", SOUTH),
    ]
    registry = sets.backbone.registry
    commit, others = registry.commit, []

    def overtaken(change):
        if not others:
            others.append(None)
            landing.receive(sets.backbone, drops[1])
        commit(change)

    registry.commit = overtaken
    landing.receive(sets.backbone, drops[0])

    [event] = told(sets)
    assert len(event["data"]["set"]["members"]) == 2


def test_two_workers_fill_the_last_place_and_one_is_refused():
    world = mesh_with({"count": 1})
    drops = [world.drop(f"{DAY}/{name}.csv", NORTH) for name in "ab"]
    registry = world.backbone.registry
    commit, others = registry.commit, []

    def overtaken(change):
        if not others:
            others.append(None)
            others[0] = landing.receive(world.backbone, drops[1])
        commit(change)

    registry.commit = overtaken
    ours = landing.receive(world.backbone, drops[0])

    assert (others[0].verdict, ours.verdict) == (Verdict.ACCEPTED, Verdict.REJECTED)
    assert len(told(world)) == 1


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.too_slow])
@given(order=st.permutations(["north.csv", "south.csv", "north.csv", "south.csv", "bad"]))
def test_in_any_order_and_twice_the_same_world(order):
    """The same messages, some twice, end in one event about the same files."""
    world = mesh_with(MEMBERS)
    drops = {
        "bad": world.drop(f"{DAY}/north.csv", BAD, sequencer="1"),
        "north.csv": world.drop(f"{DAY}/north.csv", NORTH, sequencer="2"),
        "south.csv": world.drop(f"{DAY}/south.csv", SOUTH, sequencer="1"),
    }
    for name in order:
        landing.receive(world.backbone, drops[name])

    [event] = told(world)
    members = event["data"]["set"]["members"]
    assert {one["drop"] for one in members} == {drops["north.csv"].id, drops["south.csv"].id}
    assert state(world).is_complete


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ({}, "", "this one has none"),
        ({"count": 2, "members": ["a.csv"]}, "", "this one has members and count"),
        ({"members": []}, "/members", "[] should be non-empty"),
        ({"members": ["a.csv"], "pattern": "*.csv"}, "/pattern", "a pattern says nothing"),
        ({"count": 101}, "/count", "101 is greater than the maximum of 100"),
        ({"manifest": "a/b.txt"}, "/manifest", "does not match"),
        ({"count": 1, "deadline": {"value": 1, "unit": "y"}}, "/deadline/unit", "'y' is not one"),
    ],
)
def test_onboarding_refuses_a_set_that_cannot_be_meant(value, path, said):
    findings = check_contract(contract(more=with_sets(value)), file="c.odcs.json")

    assert [(one.rule, one.path) for one in findings] == [
        ("profile.fileSet", f"/customProperties/0/value{path}")
    ]
    assert said in findings[0].message
