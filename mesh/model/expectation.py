"""When a product's data is expected, as its contract's service level says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from mesh.model.service_levels import (
    Element,
    ServiceLevel,
    is_understood,
    known_elements,
    service_levels,
)

DEFAULT_GRACE = timedelta(hours=1)
"""How long after the expected time an arrival is not yet late, where no `latency` says it."""

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
    known = known_elements(document)
    levels = list(service_levels(document))
    zone, holidays = time_zone(document), _holidays(document)
    found = []
    for name in objects:
        about = [level for level in levels if _is_about(level, name, known)]
        every = _period(about, "frequency")
        schedules = [level.schedule for level in about if level.name == "frequency"]
        schedule = next(filter(None, schedules), None)
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


def _is_about(level: ServiceLevel, name: str, known: Mapping[str, Element]) -> bool:
    named = {known[one].object_name for one in level.elements if one in known}
    return not level.elements or name in named


def _period(levels: Iterable[ServiceLevel], name: str) -> timedelta | None:
    fit = (level.period for level in levels if level.name == name and is_understood(level))
    return next(fit, None)


def time_zone(document: Mapping[str, Any]) -> str:
    """The name of the time zone that a contract's calendar gives; UTC, where it gives none."""
    return str(_calendar(document).get("timeZone", "UTC"))


def _holidays(document: Mapping[str, Any]) -> frozenset[date]:
    return frozenset(date.fromisoformat(day) for day in _calendar(document).get("holidays", ()))


def _calendar(document: Mapping[str, Any]) -> Mapping[str, Any]:
    for custom in document.get("customProperties") or ():
        if isinstance(custom, Mapping) and custom.get("property") == CALENDAR:
            value = custom.get("value")
            return value if isinstance(value, Mapping) else {}
    return {}
