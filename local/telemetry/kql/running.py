"""A query's answer from the store."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.telemetry.azure import TABLES
from local.telemetry.kql import functions
from local.telemetry.kql.lexer import KqlError
from local.telemetry.kql.statements import parse
from local.telemetry.kql.tabular import translate
from local.telemetry.store import Store

MOST_ROWS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of an answer."""

    name: str
    type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a query gives; moments and timespans as texts, the way KQL writes them."""

    columns: tuple[Column, ...]
    rows: list[list[Any]]

    def records(self) -> list[dict[str, Any]]:
        """The rows, each with its columns' names."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


def run(store: Store, text: str, *, now: int | None = None) -> Answer:
    """Run a query.

    Args:
        now: what `now()` is, in microseconds since 1970; the present when not given.

    Raises:
        KqlError: it is not in the subset, or SQLite cannot run it.
    """
    at = time.time_ns() // 1000 if now is None else now
    table = translate(parse(text), text, tables=TABLES, now=at)
    offer_functions(store)
    try:
        rows = store.query(f"SELECT * FROM ({table.sql}) LIMIT {MOST_ROWS}")
    except sqlite3.Error as refused:
        raise KqlError(f"SQLite could not run it: {refused}.") from None
    columns = tuple(Column(name=name, type=kind) for name, kind in table.columns.items())
    shown = [[_shown(value, c.type) for value, c in zip(row, columns, strict=True)] for row in rows]
    return Answer(columns=columns, rows=shown)


def offer_functions(store: Store) -> None:
    """Let SQLite know what it lacks."""
    made: Mapping[str, tuple[int, Any]] = {
        "kql_bool": (1, functions.as_bool),
        "kql_datetime_diff": (3, functions.datetime_diff),
        "kql_floor": (1, lambda value: None if value is None else math.floor(value)),
        "kql_has": (2, functions.has_term),
        "kql_long": (1, functions.as_long),
        "kql_real": (1, functions.as_real),
        "kql_split": (-1, functions.part_of),
        "kql_text": (2, functions.as_text),
    }
    for name, (arguments, function) in made.items():
        store.create_function(name, arguments, function)
    store.create_aggregate("kql_percentile", 2, functions.Percentile)
    store.create_aggregate("kql_weighted_percentile", 3, functions.WeightedPercentile)


def _shown(value: Any, kind: str) -> Any:
    if value is not None and kind in {"datetime", "timespan"}:
        return functions.as_text(int(value), kind)
    if value is not None and kind == "bool":
        return bool(value)
    return value
