from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as rules
from hypothesis import strategies as st

from mesh.backbone import Backbone
from mesh.errors import Conflict
from mesh.model.agreement import Standing
from mesh.model.names import ProductId
from mesh.model.notice import ToldOf
from mesh.model.record import Commit, Head
from tests.ports import nouns
from tests.thorough import examples

ODD_NAMES = ["it's.csv", "@file", "a b.csv", "日本 🛬.csv", "50%.csv", "a'or'1'eq'1", "\u2028x"]
ODD_KEYS = ["", "../x", "a/b?c#d\\e", "\x00\x7f\x9f", "%2F", "x" * 5000, "é🛬"]
SHARED = rules(
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def test_a_product_without_record_has_a_new_head(ports: Backbone, product: ProductId) -> None:
    assert ports.registry.head(product) == Head.new(product)


def test_a_commit_moves_the_head_and_announces_its_events(
    ports: Backbone, product: ProductId
) -> None:
    commit = nouns.change(Head.new(product), nouns.announcement("a"), nouns.announcement("b"))

    ports.registry.commit(commit)

    head = ports.registry.head(product)
    assert head.etag is not None
    assert replace(head, etag=None) == commit.head
    expected = [event.to_cloudevent() for event in commit.events]
    assert ports.registry.events(product, after=0, limit=10) == expected
    assert ports.registry.outbox(product, limit=10) == expected


def test_of_two_first_commits_the_second_is_in_conflict(
    ports: Backbone, product: ProductId
) -> None:
    ports.registry.commit(nouns.change(Head.new(product), nouns.announcement("first")))

    with pytest.raises(Conflict, match=r"was changed by another writer since it was read"):
        ports.registry.commit(nouns.change(Head.new(product), nouns.announcement("second")))

    assert [told["sequence"][-1] for told in ports.registry.events(product, after=0, limit=9)] == [
        "1"
    ]


def test_a_commit_from_a_head_that_was_replaced_changes_nothing(
    ports: Backbone, product: ProductId
) -> None:
    ports.registry.commit(nouns.change(Head.new(product)))
    stale = ports.registry.head(product)
    ports.registry.commit(nouns.change(stale, nouns.announcement("first")))

    late = nouns.change(stale, entry=nouns.entry(), snapshot=nouns.snapshot())
    with pytest.raises(Conflict):
        ports.registry.commit(late)

    assert ports.registry.head(product).sequence == 1
    assert ports.registry.entry(product, nouns.entry().drop) is None
    assert ports.registry.snapshots(product) == []


def test_a_file_is_decided_about_once(ports: Backbone, product: ProductId) -> None:
    ports.registry.commit(nouns.change(Head.new(product), entry=nouns.entry(rows=1)))

    again = nouns.change(
        ports.registry.head(product), nouns.announcement("again"), entry=nouns.entry(rows=2)
    )
    with pytest.raises(Conflict):
        ports.registry.commit(again)

    found = ports.registry.entry(product, nouns.entry().drop)
    assert found is not None
    assert found.rows == 1
    assert ports.registry.events(product, after=0, limit=9) == []
    assert len(ports.registry.entries(product, limit=9)) == 1


def test_a_head_that_vanished_is_a_conflict(ports: Backbone, product: ProductId) -> None:
    head = replace(Head.new(product), etag="W/\"datetime'2026-11-22T00%3A00%3A00.0000000Z'\"")

    with pytest.raises(Conflict):
        ports.registry.commit(nouns.change(head))


def test_the_versions_of_a_blob_are_those_of_no_other(ports: Backbone, product: ProductId) -> None:
    blob, other = "a" * 20, "a" * 19 + "b"
    drops = [f"{blob}-{'2' * 12}", f"{other}-{'3' * 12}", f"{blob}-{'1' * 12}"]
    for drop in drops:
        ports.registry.commit(nouns.change(ports.registry.head(product), entry=nouns.entry(drop)))

    assert [entry.drop for entry in ports.registry.versions(product, blob)] == [drops[2], drops[0]]
    assert ports.registry.versions(product, "c" * 20) == []


@pytest.mark.parametrize(
    "drop", ["", "../x", "a/b?c#d\\e", "\x00\x7f\x9f", "%2F", "x" * 5000, "é🛬"]
)
def test_whatever_is_asked_for_as_a_drop_is_not_there(
    ports: Backbone, product: ProductId, drop: str
) -> None:
    assert ports.registry.entry(product, drop) is None
    assert ports.registry.contract(product, drop) is None


def test_decisions_come_newest_first(ports: Backbone, product: ProductId) -> None:
    order = [3, 1, 5, 2, 4]
    for day in order:
        decided = nouns.AT + timedelta(days=day)
        told = nouns.entry(f"{day}" * 20 + "-0", decided_at=decided)
        ports.registry.commit(nouns.change(ports.registry.head(product), entry=told))

    found = ports.registry.entries(product, limit=3)

    assert [entry.drop[0] for entry in found] == ["5", "4", "3"]


@pytest.mark.parametrize("file", ODD_NAMES)
def test_decisions_are_found_by_the_name_of_the_file(
    ports: Backbone, product: ProductId, file: str
) -> None:
    for number, name in enumerate([file, "other.csv", file, file]):
        told = nouns.entry(
            f"{number}" * 20 + "-0", file=name, decided_at=nouns.AT + timedelta(seconds=number)
        )
        ports.registry.commit(nouns.change(ports.registry.head(product), entry=told))

    found = ports.registry.entries(product, file=file, limit=2)

    assert [(entry.drop[0], entry.file) for entry in found] == [("3", file), ("2", file)]


def test_contracts_are_kept_by_port_and_version(ports: Backbone, product: ProductId) -> None:
    first, second = nouns.contract("1.0.0"), nouns.contract("1.1.0")
    ports.registry.commit(nouns.change(Head.new(product), contracts=(first,)))
    ports.registry.commit(nouns.change(ports.registry.head(product), contracts=(first, second)))

    assert ports.registry.contract(product, "runways:1.0.0") == first
    assert ports.registry.contract(product, "runways:1.1.0") == second
    assert ports.registry.contract(product, "runways:2.0.0") is None
    assert ports.registry.contract(product, "runways") is None
    assert list(ports.registry.contracts(product)) == [first, second]


def test_a_snapshot_replaces_the_one_before(ports: Backbone, product: ProductId) -> None:
    old, new = nouns.snapshot(sequence=1), nouns.snapshot(sequence=2)
    other, next_major = nouns.snapshot(object_name="airports"), nouns.snapshot(major=2)
    for told in (old, other, next_major, new):
        ports.registry.commit(nouns.change(ports.registry.head(product), snapshot=told))

    found = sorted(ports.registry.snapshots(product), key=lambda one: (one.major, one.object_name))

    assert found == [other, new, next_major]


def test_inputs_are_kept_by_period(ports: Backbone, product: ProductId) -> None:
    periods = ["", "2026", "2026:1", "a/b", "2026-11", "~", "x" * 900]
    told = tuple(nouns.input_state(period=period) for period in periods)
    ports.registry.commit(nouns.change(Head.new(product), inputs=told))
    fresh = nouns.input_state(period="2026", sequence=9)
    ports.registry.commit(nouns.change(ports.registry.head(product), inputs=(fresh,)))

    assert ports.registry.inputs(product, "2026") == [fresh]
    for state in told:
        if state.period != "2026":
            assert ports.registry.inputs(product, state.period) == [state]
    assert ports.registry.inputs(product, "2025") == []


def test_agreements_are_kept_by_consumer(ports: Backbone, product: ProductId) -> None:
    made = [nouns.agreement(product, consumer) for consumer in ("rivers", "fleet")]
    ports.registry.commit(nouns.change(ports.registry.head(product), agreements=tuple(made)))
    ended = nouns.agreement(product, "fleet", standing=Standing.REVOKED, expires_at=None)
    ports.registry.commit(nouns.change(ports.registry.head(product), agreements=(ended,)))

    assert ports.registry.agreements(product) == [ended, made[0]]
    assert ports.registry.agreement(product, "rivers") == made[0]
    assert ports.registry.agreement(product, "nobody") is None


def test_notices_are_kept_by_port_and_major(ports: Backbone, product: ProductId) -> None:
    made = [nouns.notice(product, *key) for key in (("runways", 10), ("runways", 2), ("aids", 3))]
    told = ToldOf(product=product, port="runways", major=2, number=1, reminders=2)
    change = nouns.change(ports.registry.head(product), notices=tuple(made), told_of=(told,))
    ports.registry.commit(change)
    over = made[1].retired(nouns.AT)
    ports.registry.commit(nouns.change(ports.registry.head(product), notices=(over,)))

    assert ports.registry.notices(product) == [made[2], over, made[0]]
    assert ports.registry.notice(product, "runways", 2) == over
    assert ports.registry.notice(product, "runways", 1) is None
    assert ports.registry.told_of(product, told.key) == told
    assert ports.registry.told_of(product, "nothing") is None


def test_events_are_read_on_from_a_sequence(ports: Backbone, product: ProductId) -> None:
    told = [nouns.announcement(f"{number}") for number in range(12)]
    ports.registry.commit(nouns.change(Head.new(product), *told))

    found = ports.registry.events(product, after=8, limit=3)

    assert [int(event["sequence"]) for event in found] == [9, 10, 11]
    assert ports.registry.events(product, after=12, limit=3) == []


def test_relayed_events_leave_the_outbox_and_stay_in_the_log(
    ports: Backbone, product: ProductId
) -> None:
    told = [nouns.announcement(f"{number}") for number in range(6)]
    ports.registry.commit(nouns.change(Head.new(product), *told))

    ports.registry.relayed(product, [1])
    ports.registry.relayed(product, [2, 3])
    ports.registry.relayed(product, [])
    ports.registry.relayed(product, [3, 4, 99])

    assert [int(event["sequence"]) for event in ports.registry.outbox(product, limit=9)] == [5, 6]
    assert [int(event["sequence"]) for event in ports.registry.outbox(product, limit=1)] == [5]
    assert len(ports.registry.events(product, after=0, limit=9)) == 6


def test_more_events_than_one_transaction_takes_leave_the_outbox(
    ports: Backbone, product: ProductId
) -> None:
    for _ in range(3):
        told = [nouns.announcement(f"{number}") for number in range(45)]
        ports.registry.commit(nouns.change(ports.registry.head(product), *told))

    ports.registry.relayed(product, range(1, 136))

    assert ports.registry.outbox(product, limit=200) == []
    assert len(ports.registry.events(product, after=0, limit=200)) == 135


def test_products_do_not_see_each_other(ports: Backbone, product: ProductId) -> None:
    ports.registry.commit(
        nouns.change(Head.new(product), nouns.announcement(), entry=nouns.entry())
    )
    longer = ProductId(domain=product.domain, product=f"{product.product}a")

    assert ports.registry.head(longer) == Head.new(longer)
    assert ports.registry.entries(longer, limit=9) == []
    assert ports.registry.outbox(longer, limit=9) == []


def test_threads_that_commit_to_one_product_leave_no_gap(
    ports: Backbone, product: ProductId
) -> None:
    def work(worker: int) -> None:
        for turn in range(5):
            while True:
                head = ports.registry.head(product)
                told = nouns.announcement(f"{worker}-{turn}")
                try:
                    ports.registry.commit(nouns.change(head, told))
                except Conflict:
                    continue
                break

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    events = ports.registry.events(product, after=0, limit=100)
    assert [int(event["sequence"]) for event in events] == list(range(1, 41))
    assert len({event["id"] for event in events}) == 40
    assert ports.registry.head(product).sequence == 40


@SHARED
@given(
    product=st.builds(nouns.new_product),
    described=st.none() | nouns.data_products,
    entry=nouns.entries,
    snapshot=nouns.snapshots,
    contracts=st.lists(nouns.contracts, max_size=3, unique_by=lambda one: one.key),
    inputs=st.lists(nouns.inputs, max_size=3, unique_by=lambda one: (one.period, one.port)),
    told=st.lists(nouns.announcements, max_size=3),
)
def test_whatever_is_committed_is_read_again(
    ports: Backbone, product: ProductId, described, entry, snapshot, contracts, inputs, told
) -> None:
    head = replace(Head.new(product), product=described, onboarded_at=nouns.AT)
    commit: Commit = nouns.change(
        head,
        *told,
        entry=entry,
        snapshot=snapshot,
        contracts=tuple(contracts),
        inputs=tuple(inputs),
    )

    ports.registry.commit(commit)

    registry = ports.registry
    assert replace(registry.head(product), etag=None) == commit.head
    assert registry.entry(product, entry.drop) == entry
    assert list(registry.versions(product, "b" * 20)) == [entry]
    assert list(registry.entries(product, file=entry.file, limit=5)) == [entry]
    assert list(registry.snapshots(product)) == [snapshot]
    assert {one.key: one for one in registry.contracts(product)} == {
        one.key: one for one in contracts
    }
    for state in inputs:
        assert state in registry.inputs(product, state.period)
    expected = [event.to_cloudevent() for event in commit.events]
    assert list(registry.events(product, after=0, limit=5)) == expected
