"""Audit logs, in memory and in tables: only ever added to, one after the other."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from mesh.backbone import Backbone
from mesh.model.audit import START, Deed, Intent, is_whole
from tests.ports.nouns import AT


def deed(log: str, reason: str = "Because.") -> Deed:
    return Deed(
        log=log,
        at=AT,
        operation="suspend",
        by="an-object",
        name="Ada",
        about={"domain": "geography"},
        outcome="done",
        reason=reason,
    )


def new_log() -> str:
    return f"log-{uuid.uuid4().hex[:12]}"


def test_entries_follow_each_other_newest_first(ports: Backbone) -> None:
    log = new_log()
    made = [ports.audit.append(deed(log, f"{number} 🛬")) for number in range(12)]

    found = list(ports.audit.entries(log, limit=100))

    assert found == made[::-1]
    assert [entry.number for entry in made] == list(range(1, 13))
    assert made[0].previous == START
    assert is_whole(found)
    assert list(ports.audit.entries(log, limit=2)) == made[:-3:-1]
    assert list(ports.audit.entries(new_log(), limit=2)) == []


def test_those_who_write_at_once_leave_no_gap(ports: Backbone) -> None:
    log = new_log()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: ports.audit.append(deed(log, str(number))), range(12)))

    found = list(ports.audit.entries(log, limit=100))

    assert [entry.number for entry in found] == list(range(12, 0, -1))
    assert is_whole(found)


def test_what_is_changed_left_out_or_put_in_shows(ports: Backbone) -> None:
    log = new_log()
    made = [ports.audit.append(deed(log, str(number))) for number in range(3)][::-1]
    forged = replace(made[1], deed=deed(log, "Another."))

    assert not is_whole([made[0], forged, made[2]])
    assert not is_whole([made[0], made[2]])
    assert not is_whole([made[0], made[1], made[1], made[2]])


def intent(log: str, key: str = "one") -> Intent:
    return Intent(key=key, id=uuid.uuid4().hex, deed=deed(log))


def test_an_intent_becomes_one_entry(ports: Backbone) -> None:
    log = new_log()
    first, second = intent(log), intent(log)
    assert ports.audit.begin(first) == first
    assert ports.audit.begin(second) == first
    assert list(ports.audit.intents(log)) == [first]
    assert list(ports.audit.entries(log, limit=9)) == []

    assert ports.audit.conclude(second, deed(log)) is None
    entry = ports.audit.conclude(first, deed(log, "Done."))
    assert ports.audit.conclude(first, deed(log, "Done.")) is None

    assert list(ports.audit.entries(log, limit=9)) == [entry]
    assert list(ports.audit.intents(log)) == []
    assert ports.audit.begin(second) == second


def test_those_who_conclude_at_once_make_one_entry(ports: Backbone) -> None:
    log = new_log()
    one = ports.audit.begin(intent(log))
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: ports.audit.conclude(one, deed(log)), range(3)))

    assert len([entry for entry in made if entry is not None]) == 1
    assert len(ports.audit.entries(log, limit=9)) == 1


def test_what_is_put_down_can_be_counted_and_withdrawn(ports: Backbone) -> None:
    log = new_log()
    one = intent(log, "refused:an-object:2026-11-22T09")
    ports.audit.count(one)
    ports.audit.begin(one)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(ports.audit.count, [one] * 6))

    assert [found.count for found in ports.audit.intents(log)] == [6]
    for _ in range(2):
        ports.audit.withdraw(one)
    assert list(ports.audit.intents(log)) == []
