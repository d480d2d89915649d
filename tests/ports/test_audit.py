"""Audit logs, in memory and in tables: only ever added to, one after the other."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from mesh.backbone import Backbone
from mesh.model.audit import START, Deed, is_whole
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
