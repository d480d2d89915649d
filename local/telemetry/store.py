"""What was received, in one SQLite file that does not grow beyond a bound."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from local.telemetry import azure
from local.telemetry.otlp import Log, Point, Span

SCHEMA = 3
"""Raised when the tables change; an older file is emptied, for telemetry is no record."""

PRUNE_EVERY = 500
"""Rows between two looks at the bound."""

_TABLES = """
CREATE TABLE spans (id INTEGER PRIMARY KEY, trace TEXT, span TEXT, parent TEXT, name TEXT,
  service TEXT, kind INT, start INT, end INT, failed INT, message TEXT, attributes TEXT, links TEXT,
  events TEXT, properties TEXT, result TEXT, dependency TEXT, billed INT);
CREATE INDEX spans_trace ON spans (trace);
CREATE TABLE points (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, unit TEXT, service TEXT,
  properties TEXT, time INT, value REAL, count INT, low REAL, high REAL, billed INT);
CREATE INDEX points_name ON points (name, time);
CREATE TABLE logs (id INTEGER PRIMARY KEY, time INT, trace TEXT, span TEXT, severity INT, level INT,
  logger TEXT, service TEXT, body TEXT, exception TEXT, attributes TEXT, properties TEXT,
  billed INT);
CREATE INDEX logs_trace ON logs (trace);
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How many rows of a kind are kept, the newest; about 1 kB each."""

    spans: int = 50_000
    points: int = 50_000
    logs: int = 50_000


class Store:
    """The rows. All methods may be called from any thread.

    Args:
        path: of the file; None keeps everything in memory.
    """

    def __init__(self, path: Path | None = None, *, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self._lock = threading.Lock()
        self._since_pruning = 0
        self._counted: dict[tuple[Any, ...], Point] = {}
        self._connection = sqlite3.connect(
            path or ":memory:", check_same_thread=False, isolation_level=None
        )
        self._connection.row_factory = sqlite3.Row
        self._prepare()

    def add_spans(self, spans: Iterable[Span]) -> None:
        rows = []
        for span in spans:
            properties = azure.span_properties(span.attributes, span.links)
            result = azure.result_code(span.kind, span.attributes)
            dependency = azure.dependency_name(span.kind, span.name, span.attributes)
            billed = len(properties) + len(span.name) + 200
            attributes, links, events = map(_text, (span.attributes, span.links, span.events))
            rows.append(
                (
                    *(span.trace, span.span, span.parent, span.name, span.service, span.kind),
                    *(span.start, span.end, span.failed, span.status_message),
                    *(attributes, links, events, properties, result, dependency, billed),
                )
            )
        self._insert("spans", rows)

    def add_points(self, points: Iterable[Point]) -> None:
        """Add points; of a series that counts from its start, what was added since the last."""
        rows = []
        for point in points:
            added = self._added(point) if point.cumulative else point
            properties = azure.point_properties(added.attributes)
            billed = len(properties) + len(added.name) + 100
            rows.append(
                (
                    *(added.name, added.kind, added.unit, added.service, properties, added.time),
                    *(added.value, added.count, added.low, added.high, billed),
                )
            )
        self._insert("points", rows)

    def add_logs(self, logs: Iterable[Log]) -> None:
        rows = []
        for log in logs:
            properties = azure.log_properties(log.attributes, log.logger)
            exception = log.attributes.get("exception.type")
            billed = len(properties) + len(log.body) + 150
            level = azure.severity_level(log.severity)
            rows.append(
                (
                    *(log.time, log.trace, log.span, log.severity, level, log.logger, log.service),
                    *(log.body, exception, _text(log.attributes), properties, billed),
                )
            )
        self._insert("logs", rows)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows that a SELECT finds.

        Raises:
            sqlite3.Error: it is no SELECT that can be run.
        """
        with self._lock:
            self._connection.execute("PRAGMA query_only = ON")
            try:
                return self._connection.execute(sql, values).fetchall()
            finally:
                self._connection.execute("PRAGMA query_only = OFF")

    def create_function(self, name: str, arguments: int, function: Any) -> None:
        """Offer a function to queries."""
        self._connection.create_function(name, arguments, function, deterministic=True)

    def create_aggregate(self, name: str, arguments: int, aggregate: Any) -> None:
        """Offer an aggregate to queries."""
        self._connection.create_aggregate(name, arguments, aggregate)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for table in ("spans", "points", "logs"):
                self._connection.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = OFF")  # what a power cut takes is telemetry, not the record
        run("PRAGMA cache_size = -4000")
        if run("PRAGMA user_version").fetchone()[0] == SCHEMA:
            return
        kinds = run("SELECT type, name FROM sqlite_master WHERE type IN ('view', 'table')")
        for kind, name in kinds.fetchall():
            run(f"DROP {kind} {name}")
        self._connection.executescript(_TABLES + azure.VIEWS)
        run(f"PRAGMA user_version = {SCHEMA}")

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        places = ", ".join("?" * len(rows[0]))
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                self._connection.executemany(
                    f"INSERT INTO {table} VALUES (NULL, {places})",
                    rows,
                )
            finally:
                self._connection.execute("COMMIT")
            self._since_pruning += len(rows)
            if self._since_pruning >= PRUNE_EVERY:
                self._since_pruning = 0
                self._prune()

    def _prune(self) -> None:
        for table in ("spans", "points", "logs"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?",
                (getattr(self.bounds, table),),
            )

    def _added(self, point: Point) -> Point:
        series = (point.service, point.name, _text(point.attributes))
        before = self._counted.get(series)
        self._counted[series] = point
        if before is None or before.start != point.start:
            return point
        return replace(point, value=point.value - before.value, count=point.count - before.count)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
