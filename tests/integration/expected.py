"""What queries of the workbook have to answer, from the record and the host's own log.

Nothing of it comes from the telemetry that the queries ask. Where one clock measures from outside
what another measures from inside, the answer is a range that holds however slow the machine is.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.integration.demo_run import Run, filled, of_product, template

CLOCKS_S = 0.002
"""The host's log tells times in milliseconds."""

_STORED = {
    "AppRequests": "spans WHERE kind IN (2, 5)",
    "AppDependencies": "spans WHERE kind NOT IN (2, 5)",
    "AppTraces": "logs WHERE exception IS NULL",
    "AppMetrics": "points",
}


@dataclass(frozen=True, kw_only=True)
class Between:
    """A range of numbers; both ends are in it."""

    low: float
    high: float

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high


def age(run: Run, product: str) -> Between:
    """Seconds between a product's newest good file and the last reading of the gauges."""
    landed = max(
        datetime.fromisoformat(run.journeys[drop["drop"]]["landed_at"])
        for drop in run.drops[product]
        if drop["verdict"] == "accepted"
    )
    readings = [line for line in run.said_by_the_host() if line.get("function") == "read_gauges"]
    began, ended = (
        max(line["time"] for line in readings if line["message"].startswith(word))
        for word in ("Executing", "Executed")
    )
    return Between(
        low=(datetime.fromisoformat(began) - landed).total_seconds() - CLOCKS_S,
        high=(datetime.fromisoformat(ended) - landed).total_seconds() + CLOCKS_S,
    )


def seconds_of_hops(run: Run, product: str) -> dict[str, Between]:
    """The means of the hops whose inside the record has timed, and the host their outside."""
    journeys = [run.journeys[drop["drop"]] for drop in run.drops[product]]
    judged = [_seconds(one["received_at"], one["decided_at"]) for one in journeys]
    told = [
        (subscriber["channel"], attempt["duration_s"])
        for one in journeys
        for event in one["events"]
        for subscriber in event["subscribers"]
        for attempt in subscriber["attempts"]
    ]
    pushed = [seconds for channel, seconds in told if channel == "push"]
    landings, notifications = (_invocations(run, product, step) for step in ("land", "notify"))
    return {
        "land": Between(low=_mean(judged, landings), high=_mean(landings, landings)),
        "notify": Between(
            low=_mean((seconds for _, seconds in told), notifications),
            high=_mean(notifications, notifications),
        ),
        "deliver": Between(low=_mean(pushed, notifications), high=_mean(notifications, pushed)),
    }


def exceptions(run: Run) -> Counter[tuple[str, str]]:
    """The exceptions that ended invocations, by class and by what the host said of it."""
    return Counter(
        (line["exception"].splitlines()[-1].partition(":")[0].rpartition(".")[2], line["message"])
        for line in run.said_by_the_host()
        if "exception" in line
    )


def logs(run: Run, drop: str) -> Counter[tuple[str, str]]:
    """What was logged of a drop, by step."""
    return Counter(
        (line["mesh.step"], line["message"])
        for line in run.said_by_the_host()
        if line.get("mesh.drop") == drop
    )


def gigabytes(run: Run) -> dict[str, float]:
    """What the receiver has stored in each table."""
    path = run.state / "telemetry" / "telemetry.sqlite"
    with closing(sqlite3.connect(path)) as stored:
        return {
            table: stored.execute(f"SELECT sum(billed) FROM {rows}").fetchone()[0] / 1e9
            for table, rows in _STORED.items()
        }


def wrong_ages(run: Run, query: str) -> set[str]:
    """The products whose files say another age."""
    found = {p: max(row["Age"] for row in run.rows(of_product(query, p))) for p in run.drops}
    return {product for product in found if found[product] not in age(run, product)}


def wrong_hops(run: Run, query: str) -> set[tuple[str, str]]:
    """Products and steps that took another time."""
    wrong = set()
    for product in run.drops:
        took = {row["Step"]: row["Mean"] for row in run.rows(of_product(query, product))}
        timed = seconds_of_hops(run, product)
        wrong |= {(product, step) for step in timed if took[step] not in timed[step]}
    return wrong


def logged(run: Run, drop: dict[str, Any]) -> Counter[tuple[str, str]]:
    rows = run.rows(filled(template("delivery-logs"), Drop=drop["drop"]))
    return Counter((row["Step"], row["Message"]) for row in rows)


def wrong_gigabytes(run: Run, query: str) -> set[str]:
    """The tables that another amount was stored in, before or after; more may come meanwhile."""
    before = gigabytes(run)
    found = {row["DataType"]: row["Gigabytes"] for row in run.rows(filled(query))}
    after = gigabytes(run)
    rounding = 0.5e-6
    return {
        table
        for table in before
        if not before[table] - rounding <= found.get(table, 0.0) <= after[table] + rounding
    }


def told_exceptions(run: Run, query: str) -> Counter[tuple[str, str]]:
    found = Counter[tuple[str, str]]()
    for row in run.rows(filled(query)):
        found[row["ExceptionType"], row["OuterMessage"]] += row["Count"]
    return found


def _invocations(run: Run, product: str, step: str) -> list[float]:
    """The seconds of each invocation in which something of a product and a step was logged."""
    lines = run.said_by_the_host()
    domain, _, name = product.partition("/")
    place = {"mesh.domain": domain, "mesh.product": name, "mesh.step": step}
    wanted = {line["invocation"] for line in lines if place.items() <= line.items()}
    return [
        line["duration_ms"] / 1000
        for line in lines
        if "duration_ms" in line and line["invocation"] in wanted
    ]


def _mean(seconds: Iterable[float], every: list[Any]) -> float:
    return sum(seconds) / len(every)


def _seconds(began: str, ended: str) -> float:
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
