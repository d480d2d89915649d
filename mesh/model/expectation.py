"""When a product's data is expected, as its contract's service level says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

DEFAULT_GRACE = timedelta(hours=1)
"""How long after the expected time an arrival is not yet late, where no `latency` says it."""

SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=3660)
"""Of a `frequency`; a `latency` may be shorter."""

_UNITS = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "minute": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "hour": timedelta(hours=1),
    "d": timedelta(days=1),
    "day": timedelta(days=1),
    "w": timedelta(weeks=1),
    "week": timedelta(weeks=1),
}

_NAMES = {"frequency": "frequency", "f": "frequency", "latency": "latency", "ly": "latency"}
"""Of the service levels that are read here, with their short forms."""

CALENDAR = "arrivalCalendar"
"""The custom property with time zone and holidays (`docs/contract-profile.md`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """How often one object is expected to arrive.

    Attributes:
        every: pause between two arrivals (ODCS `frequency`).
        schedule: cron expression of the expected times; it goes before `every`.
        grace: after the expected time (ODCS `latency`); what comes later is late.
        zone: IANA name of the time zone that `schedule` and `holidays` are in.
        holidays: days on which a scheduled arrival is not expected.
    """

    port: str
    major: int
    object_name: str
    every: timedelta | None
    schedule: str | None
    grace: timedelta
    zone: str
    holidays: frozenset[date]


@dataclass(frozen=True, kw_only=True, slots=True)
class Awaited:
    """The next arrival of an object, as it stands in the product's record.

    Attributes:
        expected_at: when it is expected.
        told_late: whether it was announced as late.
        missed: how many expected arrivals before it never came, in a row.
        arrived_at: when the last arrival landed that was counted; None before the first.
    """

    port: str
    major: int
    object_name: str
    expected_at: datetime
    told_late: bool = False
    missed: int = 0
    arrived_at: datetime | None = None

    @property
    def is_overdue(self) -> bool:
        """Whether an arrival now would be a recovery."""
        return self.told_late or self.missed > 0


def expectations_of(
    document: Mapping[str, Any], *, port: str, major: int, objects: Iterable[str]
) -> tuple[Expectation, ...]:
    """What the service level of an ODCS contract says about arrivals, one for each object.

    An entry whose `element` names an object is about that object (`runways`, or `runways.id`); one
    without is about all. An object without `frequency` and `schedule` is not expected at all.
    """
    entries = [entry for entry in document.get("slaProperties") or () if isinstance(entry, Mapping)]
    zone, holidays = _calendar(document)
    found = []
    for name in objects:
        about = [entry for entry in entries if _is_about(entry, name)]
        every = _period(about, "frequency")
        schedule = next(
            (
                str(entry["schedule"])
                for entry in about
                if entry.get("property") == "frequency" and entry.get("schedule")
            ),
            None,
        )
        if every is None and schedule is None:
            continue
        grace = _period(about, "latency")
        found.append(
            Expectation(
                port=port,
                major=major,
                object_name=name,
                every=every,
                schedule=schedule,
                grace=DEFAULT_GRACE if grace is None else grace,
                zone=zone,
                holidays=holidays,
            )
        )
    return tuple(found)


def _is_about(entry: Mapping[str, Any], name: str) -> bool:
    elements = str(entry.get("element") or "").replace(" ", "").split(",")
    return elements == [""] or name in {element.partition(".")[0] for element in elements}


def wrong_period(entry: Mapping[str, Any]) -> str | None:
    """What is wrong with the period that a service level says; None when nothing is."""
    name, period = _NAMES.get(str(entry.get("property", "")).lower()), _said(entry)
    if name is None or period is None or _is_fit(name, period):
        return None
    if period > LONGEST:
        return f"A {name} is at most {LONGEST.days} days"
    return f"A {name} is at least {SHORTEST.total_seconds():.0f} seconds"


def _period(entries: Iterable[Mapping[str, Any]], name: str) -> timedelta | None:
    for entry in entries:
        if _NAMES.get(str(entry.get("property", "")).lower()) != name:
            continue
        period = _said(entry)
        if period is not None and _is_fit(name, period):
            return period
    return None


def _said(entry: Mapping[str, Any]) -> timedelta | None:
    """The period that a service level says; None when it says none."""
    unit = str(entry.get("unit") or "d").lower()
    one = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
    value = entry.get("value")
    if one is None or not isinstance(value, int | float) or not value > 0:
        return None
    try:
        return one * value
    except OverflowError:
        return timedelta.max


def _is_fit(name: str, period: timedelta) -> bool:
    return period <= LONGEST and (name != "frequency" or period >= SHORTEST)


def _calendar(document: Mapping[str, Any]) -> tuple[str, frozenset[date]]:
    for custom in document.get("customProperties") or ():
        if isinstance(custom, Mapping) and custom.get("property") == CALENDAR:
            value = custom.get("value") or {}
            days = frozenset(date.fromisoformat(day) for day in value.get("holidays", ()))
            return str(value.get("timeZone", "UTC")), days
    return "UTC", frozenset()
