"""The store is bounded, forgets the oldest, and counts what was added."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.telemetry import reading
from local.telemetry.store import PRUNE_EVERY, Bounds, Store
from tests.local.telemetry.conftest import START, new_log, new_point, new_span


def test_the_newest_rows_are_kept_up_to_the_bound():
    store = Store(bounds=Bounds(spans=1000, points=1000, logs=1000))
    for number in range(3000):
        store.add_spans([new_span(span=f"{number:016x}")])
    store.add_logs([new_log() for _ in range(5000)])

    counts = reading.counts(store)
    assert 1000 <= counts["spans"] <= 1000 + PRUNE_EVERY
    assert counts["logs"] == 1000
    [newest] = store.query("SELECT span FROM spans ORDER BY id DESC LIMIT 1")
    assert newest["span"] == f"{2999:016x}"


def test_the_file_does_not_grow_beyond_its_bound(tmp_path):
    path = tmp_path / "telemetry.sqlite"
    store = Store(path, bounds=Bounds(spans=2000))
    sizes = []
    for _ in range(6):
        store.add_spans([new_span(attributes={"text": "x" * 500}) for _ in range(2000)])
        store.query("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes.append(path.stat().st_size)
    store.close()

    assert sizes[-1] < sizes[1] * 1.6


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(0, 30))
def test_a_series_that_counts_from_its_start_gives_what_was_added(added, restart_at):
    store = Store()
    total, start = 0, START
    for place, amount in enumerate(added):
        if place == restart_at:
            total, start = 0, START + place + 1
        total += amount
        store.add_points([new_point(cumulative=True, value=total, start=start, time=START + place)])

    [row] = store.query("SELECT sum(value) AS total FROM points")
    assert row["total"] == sum(added)
    store.close()


def test_a_file_of_another_form_is_started_anew(tmp_path):
    path = tmp_path / "telemetry.sqlite"
    old = sqlite3.connect(path)
    old.executescript("CREATE TABLE spans (what INT); PRAGMA user_version = 99;")
    old.close()

    store = Store(path)
    store.add_spans([new_span()])
    assert reading.counts(store)["spans"] == 1
    store.close()


def test_a_query_cannot_change_anything(store):
    with pytest.raises(sqlite3.OperationalError):
        store.query("DELETE FROM spans")
    store.add_spans([new_span()])
    assert reading.counts(store)["spans"] == 1


def test_a_circle_of_parents_is_shown_once(store):
    store.add_spans([new_span(span="a", parent="b"), new_span(span="b", parent="a")])
    store.add_spans([new_span(span="c", parent="gone"), new_span(span="c", parent="gone")])

    shown = reading.trace(store, new_span().trace)["spans"]
    assert sorted(span["span"] for span in shown) == ["a", "b", "c", "c"]
