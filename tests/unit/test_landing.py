"""A dropped file ends in one verdict, whatever it holds and however often it is told of."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import timedelta

import pytest

from mesh import landing, outbox
from mesh.model.dropped_file import UNPLACED
from mesh.model.names import ProductId
from mesh.model.record import Verdict

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,\n"
BAD = b"code,name,area\nCH,Switzerland,41285\nxx,Nowhere,-1\nFR,,1\n"


def types(world, product=COUNTRIES):
    return [event["type"].split(".", 1)[1] for event in world.events(product)]


def test_a_good_file_is_published_and_announced(countries):
    entry = countries.land(f"{PLACE}/all.csv", GOOD)

    assert entry.verdict is Verdict.ACCEPTED
    assert (entry.rows, entry.accepted, entry.rejected) == (2, 2, 0)
    event = countries.events()[-1]
    assert event["type"] == "mesh.product.updated.v1"
    assert event["subject"] == "v1/countries"
    assert event["data"]["drop"] == entry.drop
    published = countries.storage.blobs[event["data"]["snapshot"]["location"]]
    assert published.data == GOOD
    assert event["dataref"] == countries.storage.url(event["data"]["snapshot"]["location"])
    assert countries.receipt(entry)["verdict"] == "accepted"


def test_one_bad_row_rejects_the_file_and_the_last_good_version_stays(countries):
    good = countries.land(f"{PLACE}/all.csv", GOOD)
    bad = countries.land(f"{PLACE}/all.csv", BAD)

    assert bad.verdict is Verdict.REJECTED
    assert (bad.rows, bad.accepted, bad.rejected) == (3, 1, 2)
    assert types(countries)[-2:] == ["product.updated.v1", "file.quarantined.v1"]
    [snapshot] = countries.backbone.registry.snapshots(COUNTRIES)
    assert snapshot.drop == good.drop
    assert [
        name for name in countries.storage.blobs if bad.drop in name and "published" in name
    ] == []


def test_the_receipt_and_the_reject_file_say_which_rows_and_why(countries):
    entry = countries.land(f"{PLACE}/all.csv", BAD)

    told = countries.receipt(entry)
    assert {(v["row"], v["field"], v["rule"]) for v in told["violations"]} == {
        (2, "code", "pattern"),
        (2, "area", "minimum"),
        (3, "name", "required"),
    }
    rejects = countries.storage.blobs[told["locations"]["rejects"]].data
    assert rejects == b"code,name,area\nxx,Nowhere,-1\nFR,,1\n"
    lines = countries.storage.blobs[told["locations"]["violations"]].data.splitlines()
    assert len(lines) == 3
    assert countries.events()[-1]["data"]["rules"] == {"minimum": 1, "pattern": 1, "required": 1}


def test_violations_beyond_the_limit_are_counted_and_no_longer_listed(countries):
    few = replace(countries.backbone.policy, violations_listed=3)
    countries.backbone = replace(countries.backbone, policy=few)
    rows = b"".join(b"x%d,Nowhere,-1\n" % number for number in range(5))

    told = countries.receipt(countries.land(f"{PLACE}/all.csv", b"code,name,area\n" + rows))

    listed = countries.storage.blobs[told["locations"]["violations"]].data.splitlines()
    assert len(listed) == 4  # of whole records
    [warning] = told["warnings"]
    assert warning["rule"] == "violationsListed"
    assert "Of 10 violations the first 4 are listed" in warning["message"]
    assert told["counts"]["violations"] == 10
    assert countries.storage.blobs[told["locations"]["rejects"]].data.count(b"\n") == 1 + 5


def test_a_contract_may_choose_to_split(world, declare, contract_of):
    split = {
        "customProperties": [
            {"property": "fileAcceptance", "value": {"mode": "split", "maxRejectedShare": 0.7}}
        ]
    }
    saga = world.onboard(declare(COUNTRIES, contract_of(more=split)))
    assert saga.status == "registered", saga.findings

    entry = world.land(f"{PLACE}/all.csv", BAD)

    assert entry.verdict is Verdict.ACCEPTED
    assert types(world)[-2:] == ["product.updated.v1", "file.quarantined.v1"]
    location = world.events()[-2]["data"]["snapshot"]["location"]
    assert world.storage.blobs[location].data == b"code,name,area\nCH,Switzerland,41285\n"


def test_the_same_version_is_decided_once(countries):
    dropped = countries.drop(f"{PLACE}/all.csv", GOOD)

    first = landing.receive(countries.backbone, dropped)
    before = countries.events()
    second = landing.receive(countries.backbone, dropped)

    assert second == replace(first, duplicates=1)
    assert countries.backbone.registry.entry(COUNTRIES, first.drop) == second
    assert countries.events() == before


def test_two_workers_with_one_file_commit_one_decision(countries):
    """The other worker commits between our reading and our commit."""
    dropped = countries.drop(f"{PLACE}/all.csv", GOOD)
    registry = countries.backbone.registry
    commit = registry.commit
    others = []

    def overtaken(change):
        if not others:
            others.append(None)
            others[0] = landing.receive(countries.backbone, dropped)
        commit(change)

    registry.commit = overtaken
    ours = landing.receive(countries.backbone, dropped)

    assert ours == others[0]
    assert types(countries).count("product.updated.v1") == 1


@pytest.mark.parametrize(("delivery", "counted"), [(1, 1), (2, 0)])
def test_a_duplicate_that_is_judged_at_the_same_time_is_counted(countries, delivery, counted):
    """Not so the same message, delivered again."""
    dropped = countries.drop(f"{PLACE}/all.csv", GOOD)
    registry = countries.backbone.registry
    commit, others = registry.commit, []

    def overtaken(change):
        if not others:
            others.append(None)
            countries.clock.advance(timedelta(milliseconds=1))
            others[0] = landing.receive(countries.backbone, dropped)
        commit(change)

    registry.commit = overtaken
    ours = landing.receive(countries.backbone, dropped, delivery=delivery)

    assert ours == replace(others[0], duplicates=counted)
    assert registry.entry(COUNTRIES, dropped.id) == ours
    assert types(countries).count("product.updated.v1") == 1


def test_files_of_one_product_contend_and_all_get_through(countries):
    registry = countries.backbone.registry
    commit = registry.commit
    waiting = [countries.drop(f"{PLACE}/{n}.csv", GOOD) for n in range(5)]
    entries = []

    def overtaken(change):
        if waiting:
            entries.append(landing.receive(countries.backbone, waiting.pop()))
        commit(change)

    registry.commit = overtaken
    entries.append(landing.receive(countries.backbone, waiting.pop()))

    assert len({entry.drop for entry in entries}) == 5
    sequences = [int(event["sequence"]) for event in countries.events()]
    assert sequences == list(range(1, 8))


def test_an_older_version_after_a_newer_one_is_superseded(countries):
    old = countries.drop(f"{PLACE}/all.csv", BAD, sequencer="0001")
    new = countries.land(f"{PLACE}/all.csv", GOOD, sequencer="0002")

    late = landing.receive(countries.backbone, replace(old, etag="another"))

    assert new.verdict is Verdict.ACCEPTED
    assert late.verdict is Verdict.SUPERSEDED
    assert countries.receipt(late)["verdict"] == "superseded"
    assert types(countries)[-1] == "product.updated.v1"


def test_a_version_that_is_not_there_any_more_is_superseded(countries):
    old = countries.drop(f"{PLACE}/all.csv", BAD)
    countries.drop(f"{PLACE}/all.csv", GOOD)

    entry = landing.receive(countries.backbone, old)

    assert entry.verdict is Verdict.SUPERSEDED
    assert "overwritten or deleted" in entry.summary
    assert [name for name in countries.storage.blobs if name.startswith("quarantine/")] == []


def test_what_a_crash_left_in_the_outbox_leaves_when_the_file_comes_again(countries):
    dropped = countries.drop(f"{PLACE}/all.csv", GOOD)
    published = list(countries.topic.published)
    countries.topic.failure = ConnectionError("killed before publishing")
    with pytest.raises(ConnectionError):
        landing.receive(countries.backbone, dropped)
    countries.topic.failure = None

    landing.receive(countries.backbone, dropped)

    assert [event["type"] for event in countries.topic.published[len(published) :]] == [
        "mesh.product.updated.v1"
    ]


def test_the_timer_publishes_what_nobody_came_back_for(countries):
    countries.topic.failure = ConnectionError("killed before publishing")
    with pytest.raises(ConnectionError):
        countries.land(f"{PLACE}/all.csv", GOOD)
    countries.topic.failure = None

    assert outbox.relay_all(countries.backbone) == 0  # too young: its writer may be about to
    countries.clock.advance(outbox.LEFT_BEHIND)
    assert outbox.relay_all(countries.backbone) == 1
    assert outbox.relay_all(countries.backbone) == 0


def test_trouble_with_one_outbox_is_told_after_the_others_had_their_turn(countries):
    countries.topic.failure = ConnectionError("down")
    with pytest.raises(ConnectionError):
        countries.land(f"{PLACE}/all.csv", GOOD)
    countries.clock.advance(outbox.LEFT_BEHIND)

    with pytest.raises(ExceptionGroup, match="some products' outboxes"):
        outbox.relay_all(countries.backbone)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("geography/countries/v1/all.csv", "has 4 of the five parts"),
        ("geography/countries/1/countries/all.csv", "'1' is not a major version"),
        ("geography/countries/v01/countries/all.csv", "'v01' is not a major version"),
        ("geography/rivers/v1/rivers/all.csv", "There is no product geography/rivers"),
        ("geography/../v1/countries/all.csv", "has an empty part, '.', '..'"),
        ("geography/countries/v1/countries//all.csv", "has an empty part, '.', '..'"),
        ("geography/countries/v1/countries/a\x07b.csv", "has an empty part, '.', '..'"),
        ("Geography/Countries/v1/countries/all.csv", "cannot be the address of a product"),
        ("geography/countries/v1/-/all.csv", "cannot be the name of an object"),
    ],
)
def test_a_misplaced_file_gets_a_verdict_too(countries, name, reason):
    entry = countries.land(name, GOOD)

    assert entry.verdict is Verdict.REJECTED
    assert reason in entry.summary
    assert countries.backbone.registry.entry(UNPLACED, entry.drop) == entry
    assert countries.receipt(entry)["problems"][0]["rule"] == "unplaced"
    assert types(countries, UNPLACED) == ["file.quarantined.v1"]


def test_a_file_in_another_domains_account_is_misplaced(countries):
    dropped = countries.drop(f"{PLACE}/all.csv", GOOD)
    elsewhere = dropped.url.replace("storage.invalid", "shipping.invalid")

    entry = landing.receive(countries.backbone, replace(dropped, url=elsewhere))

    assert entry.verdict is Verdict.REJECTED
    assert "lies in another domain's storage account" in entry.summary
    assert countries.backbone.registry.entry(UNPLACED, entry.drop) == entry


@pytest.mark.parametrize("place", ["v2/countries", "v1/rivers"])
def test_an_unknown_object_is_rejected_by_its_product(countries, place):
    entry = countries.land(f"geography/countries/{place}/all.csv", GOOD)

    assert entry.verdict is Verdict.REJECTED
    assert f"has no object {place}" in entry.summary
    assert "v1/countries" in entry.summary
    assert countries.backbone.registry.entry(COUNTRIES, entry.drop) == entry


@pytest.mark.parametrize(
    ("name", "data", "rule"),
    [
        ("all.csv", b"", "empty"),
        ("all.csv", b"code;name;area\nCH;Switzerland;1\n", "separator"),
        ("all.csv", b"CH,Switzerland,41285\n", "header"),
        ("all.csv", b"code,name\nCH,Switzerland\nDE,Germany,1,2\n", "cells"),
        ("all.csv", b'code,name,area\nCH,"Switzerland,1\nDE,Germany,2\n', "openQuote"),
        ("all.csv", "code,name,area\nCI,Côte d'Ivoire,1\n".encode("latin-1"), "encoding"),
        ("all.jsonl", b'["CH","Switzerland"]\n', "type"),
        ("all.jsonl", b"{not json}\n", "json"),
        ("all.docx", b"PK", "format"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_rejected_by_name(countries, name, data, rule):
    entry = countries.land(f"{PLACE}/{name}", data)

    assert entry.verdict is Verdict.REJECTED
    told = countries.receipt(entry)
    assert rule in {problem["rule"] for problem in told["problems"]} | set(told["counts"]["byRule"])


def test_a_line_of_100_mb_is_rejected_in_flat_memory(countries):
    dropped = countries.drop(f"{PLACE}/all.csv", b"")
    stored = countries.storage.open
    countries.storage.open = lambda location, **options: (
        _header_and_one_line(megabytes=100)
        if location.startswith("landing/")
        else stored(location, **options)
    )

    tracemalloc.start()
    entry = landing.receive(countries.backbone, dropped)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert entry.verdict is Verdict.REJECTED
    assert countries.receipt(entry)["problems"][0]["rule"] == "recordSize"
    assert peak < 40 << 20


def _header_and_one_line(*, megabytes):
    yield b"code,name,area\n"
    for _ in range(megabytes):
        yield b"x" * (1 << 20)


def test_the_trace_of_a_drop_is_the_same_however_often_it_is_judged(countries):
    entry = countries.land(f"{PLACE}/all.csv", GOOD)
    version, trace, span, flags = countries.events()[-1]["traceparent"].split("-")

    assert (version, flags) == ("00", "01")
    assert len(trace) == 32
    assert len(span) == 16
    assert entry.drop
