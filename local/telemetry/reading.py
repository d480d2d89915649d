"""What the page shows, read from the store."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from sqlite3 import Row
from typing import Any

from local.telemetry.store import Store

MOST_SPANS = 5_000
"""Spans of one trace that are shown."""

MOST_POINTS = 20_000
"""Points that the charts are made of, the newest."""

KINDS = ("", "internal", "server", "client", "producer", "consumer")


def traces(store: Store, *, words: str, limit: int) -> list[dict[str, Any]]:
    """The newest traces, newest first, in which each of the words is found somewhere."""
    found = [_IN_TRACE for _ in words.split()]
    where = f"WHERE {' AND '.join(found)}" if found else ""
    rows = store.query(
        "SELECT trace, min(start) AS start, max(end) AS end, count(*) AS spans, "
        f"sum(failed) AS failed FROM spans {where} GROUP BY trace ORDER BY start DESC LIMIT ?",
        (*_patterns(words, 3), limit),
    )
    first = _first_spans(store, [row["trace"] for row in rows])
    return [
        {
            "trace": row["trace"],
            "start": row["start"] // 1000,
            "duration_ms": (row["end"] - row["start"]) / 1e6,
            "spans": row["spans"],
            "failed": row["failed"],
            "name": first[row["trace"]]["name"],
            "service": first[row["trace"]]["service"],
            "attributes": json.loads(first[row["trace"]]["attributes"]),
        }
        for row in rows
    ]


def trace(store: Store, identity: str) -> dict[str, Any]:
    """One trace: its spans in order, each below its parent, and which other spans link to them."""
    rows = store.query(
        "SELECT * FROM spans WHERE trace = ? ORDER BY start, id LIMIT ?", (identity, MOST_SPANS)
    )
    linking = store.query(
        "SELECT trace, span, name, links FROM spans WHERE links LIKE ? AND trace != ?",
        (f"%{identity}%", identity),
    )
    names = {(row["trace"], row["span"]): row["name"] for row in _linked(store, rows)}
    linked_from: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in linking:
        for link in json.loads(row["links"]):
            if link["trace"] == identity:
                told = {"trace": row["trace"], "span": row["span"], "name": row["name"]}
                linked_from[link["span"]].append(told)
    return {
        "trace": identity,
        "spans": [
            {
                **_span(row, depth),
                "links": [
                    {**link, "name": names.get((link["trace"], link["span"]), "")}
                    for link in json.loads(row["links"])
                ],
                "linked_from": linked_from[row["span"]],
            }
            for row, depth in _as_tree(rows)
        ],
    }


def metrics(store: Store, *, words: str) -> list[dict[str, Any]]:
    """Every metric with its series: their dimensions and points, oldest first."""
    rows = store.query(
        "SELECT * FROM (SELECT * FROM points ORDER BY id DESC LIMIT ?) ORDER BY name, time",
        (MOST_POINTS,),
    )
    wanted = words.lower().split()
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        text = f"{row['name']} {row['properties']}".lower()
        if not all(word in text for word in wanted):
            continue
        about = {"name": row["name"], "kind": row["kind"], "unit": row["unit"], "series": {}}
        series = found.setdefault(row["name"], about)["series"]
        point = [row["time"] // 1000, row["value"], row["count"], row["low"], row["high"]]
        series.setdefault(row["properties"], []).append(point)
    return [
        {
            **metric,
            "series": [
                {"dimensions": json.loads(properties), "points": points}
                for properties, points in metric["series"].items()
            ],
        }
        for metric in found.values()
    ]


def logs(store: Store, *, words: str, least: int, limit: int) -> list[dict[str, Any]]:
    """The newest log records, newest first, in which each of the words is found.

    Args:
        least: severity from which on they are shown; 0 shows all.
    """
    found = ["severity >= ?"] + [f"({_LOG_HOLDS})" for _ in words.split()]
    rows = store.query(
        f"SELECT * FROM logs WHERE {' AND '.join(found)} ORDER BY time DESC, id DESC LIMIT ?",
        (least, *_patterns(words, 4), limit),
    )
    return [
        {
            "time": row["time"] // 1000,
            "severity": row["severity"],
            "logger": row["logger"],
            "body": row["body"],
            "trace": row["trace"] if row["trace"].strip("0") else "",
            "attributes": json.loads(row["attributes"]),
        }
        for row in rows
    ]


def counts(store: Store) -> dict[str, int]:
    """How many rows there are of each kind."""
    [row] = store.query(
        "SELECT (SELECT count(*) FROM spans) AS spans, (SELECT count(*) FROM points) AS points, "
        "(SELECT count(*) FROM logs) AS logs"
    )
    return dict(row)


_SPAN_HOLDS = " OR ".join(f"{c} LIKE ? ESCAPE '!'" for c in ("trace", "name", "attributes"))
_IN_TRACE = f"trace IN (SELECT trace FROM spans WHERE {_SPAN_HOLDS})"
_LOG_HOLDS = " OR ".join(
    f"{c} LIKE ? ESCAPE '!'" for c in ("trace", "body", "logger", "attributes")
)


def _patterns(words: str, times: int) -> list[str]:
    """Each word as a LIKE pattern, as often as its condition has columns."""
    escaped = words.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return [f"%{word}%" for word in escaped.split() for _ in range(times)]


def _first_spans(store: Store, identities: list[str]) -> dict[str, Row]:
    places = ", ".join("?" * len(identities))
    rows = store.query(
        f"SELECT trace, name, service, attributes FROM spans WHERE trace IN ({places}) "
        "ORDER BY start DESC, id DESC",
        identities,
    )
    return {row["trace"]: row for row in rows}


def _linked(store: Store, rows: Iterable[Row]) -> list[Row]:
    spans = sorted({link["span"] for row in rows for link in json.loads(row["links"])})[:500]
    places = ", ".join("?" * len(spans))
    return store.query(
        f"SELECT trace, span, name FROM spans WHERE span IN ({places})",
        spans,
    )


def _as_tree(rows: list[Row]) -> list[tuple[Row, int]]:
    """Each row below its parent, with its depth; a parent that is not there makes a root."""
    known = {row["span"] for row in rows}
    below: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        below[row["parent"] if row["parent"] in known else ""].append(row)
    shown: list[tuple[Row, int]] = []
    waiting = [(row, 0) for row in reversed(below.pop("", []))]
    while waiting:
        row, depth = waiting.pop()
        shown.append((row, depth))
        # Taken out, so that neither a span that came twice nor a circle is shown for ever.
        waiting += [(child, depth + 1) for child in reversed(below.pop(row["span"], []))]
    shown += [(row, 0) for left in below.values() for row in left]
    return shown


def _span(row: Row, depth: int) -> Mapping[str, Any]:
    return {
        "span": row["span"],
        "parent": row["parent"],
        "depth": depth,
        "name": row["name"],
        "service": row["service"],
        "kind": KINDS[row["kind"]] if row["kind"] < len(KINDS) else "",
        "start": row["start"] / 1000,
        "duration_ms": (row["end"] - row["start"]) / 1e6,
        "failed": bool(row["failed"]),
        "message": row["message"],
        "attributes": json.loads(row["attributes"]),
        "events": json.loads(row["events"]),
    }
