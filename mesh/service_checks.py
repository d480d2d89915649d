"""Whether the schedules, calendars and time zones of a contract can be understood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from mesh.model.expectation import CALENDAR
from mesh.model.findings import Finding
from mesh.model.pointers import pointer
from mesh.model.service_levels import service_levels


def service_findings(document: Mapping[str, Any], *, file: str) -> list[Finding]:
    """What of a checked contract's schedules, calendar and time zones cannot be understood.

    Args:
        document: in which `check_contract` found nothing.
        file: name of the document, for the findings.
    """
    return [
        Finding(file=file, path=path, rule=f"contract.{rule}", message=message, remedy=remedy)
        for path, rule, message, remedy in (
            *_schedules(document),
            *_calendars(document),
            *_zones(document.get("schema"), "/schema"),
        )
    ]


def is_schedule(text: str) -> bool:
    """Whether `text` is a cron expression of five fields that names some time."""
    from croniter import CroniterBadDateError, croniter

    if len(text.split()) != 5 or not croniter.is_valid(text):
        return False
    try:
        croniter(text, datetime(2000, 1, 1, tzinfo=UTC)).get_next()
    except CroniterBadDateError:  # the 30th of February
        return False
    return True


def wrong_calendar(value: object) -> str | None:
    """What is wrong with the value of a contract's `arrivalCalendar`; None when nothing is."""
    if not isinstance(value, dict) or set(value) - {"timeZone", "holidays"}:
        return "has other members than timeZone and holidays"
    zone, holidays = value.get("timeZone", "UTC"), value.get("holidays", [])
    if not _is_zone(zone):
        return f"names the time zone {zone!r}, which is none"
    if not isinstance(holidays, list):
        return "has holidays that are no list"
    for day in holidays:
        try:
            date.fromisoformat(day)
        except (ValueError, TypeError):
            return f"names the holiday {day!r}, which is no day"
    return None


def _schedules(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for level in service_levels(document):
        if level.name == "frequency" and level.schedule and not is_schedule(level.schedule):
            yield (
                f"{level.pointer}/schedule",
                "schedule",
                f"{level.schedule!r} is no cron expression of five fields that names a time.",
                "Write minute, hour, day of month, month and day of week: 0 6 * * 1-5.",
            )


def _calendars(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for place, custom in enumerate(document.get("customProperties") or ()):
        unread = custom.get("property") == CALENDAR and wrong_calendar(custom.get("value"))
        if unread:
            yield (
                f"/customProperties/{place}/value",
                "calendar",
                f"The calendar of arrivals {unread}.",
                "Write timeZone as Europe/Zurich, and holidays as a list of YYYY-MM-DD.",
            )


def _zones(node: Any, path: str) -> Iterator[tuple[str, str, str, str]]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _zones(item, f"{path}/{index}")
    elif isinstance(node, Mapping):
        options = node.get("logicalTypeOptions")
        zone = options.get("defaultTimezone") if isinstance(options, Mapping) else None
        if isinstance(zone, str) and not _is_zone(zone):
            yield (
                f"{path}/logicalTypeOptions/defaultTimezone",
                "timezone",
                f"{zone!r} is no time zone.",
                "Write a name of IANA's, such as Etc/UTC or Europe/Zurich.",
            )
        for name in ("properties", "items", "map", "key", "value"):
            yield from _zones(node.get(name), pointer(path, name))


def _is_zone(name: object) -> bool:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)  # type: ignore[arg-type]
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return False
    return True
