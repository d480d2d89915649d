"""Whether what is published of a file is as new as its contract promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mesh.model.freshness import RULE, Freshness
from mesh.model.instants import instant, ticks
from mesh.validation.plan import Plan
from mesh.validation.published_file import PublishedColumn, PublishedFile
from mesh.validation.report import FileProblem, ValidationReport

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - of values without a zone
_DAY = timedelta(days=1)


def check_ages(
    plan: Plan, report: ValidationReport, published: PublishedFile | None, at: datetime
) -> ValidationReport:
    """The report, with a warning for each field whose newest value is older than is promised.

    Args:
        published: What the file's rows, if it was accepted, are published as.
        at: When the file came.
    """
    columns = {column.name: column for column in published.columns} if published else {}
    found = [
        warning
        for one in plan.freshness
        if not one.obstacle and one.field in columns and report.accepted
        if (warning := _warning(plan, one, columns[one.field], at)) is not None
    ]
    return replace(report, warnings=(*report.warnings, *found)) if found else report


def _warning(
    plan: Plan, one: Freshness, column: PublishedColumn, at: datetime
) -> FileProblem | None:
    if column.newest is None:
        return _unchecked(one, "it has no value that tells", "Send rows that have one.")
    zone = _zone(one)
    if zone is None:
        return _unchecked(one, f"{one.zone!r} is no time zone", "Write a name such as Etc/UTC.")
    schema = next(item.schema for item in plan.columns if item.name == one.field)
    end = _end(column, schema, zone)
    if end is None or at - end <= one.longest:
        return None
    shown = f", {column.maximum}," if column.maximum else ""
    return FileProblem(
        rule=RULE,
        message=f"{one.field}: the newest value{shown} was more than {one.said} old when the file "
        f"came.",
        remedy=f"Send what has happened since; or correct the promise at {one.pointer} of the "
        "contract.",
    )


def _unchecked(one: Freshness, why: str, remedy: str) -> FileProblem:
    message = f"How new {one.field} is was not checked: {why}."
    return FileProblem(rule=RULE, message=message, remedy=remedy)


def _zone(one: Freshness) -> tzinfo | None:
    try:
        return ZoneInfo(one.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _end(column: PublishedColumn, schema: Mapping[str, Any], zone: tzinfo) -> datetime | None:
    """When the newest value was; of a date, when it ended. None: later than can be said."""
    newest, has_zone = column.newest, "tz=" in column.type
    try:
        if isinstance(newest, str):
            found = instant(newest, schema)
            moment = None if found is None else _EPOCH + timedelta(microseconds=ticks(found))
        elif column.type.startswith("date"):
            moment = _EPOCH + timedelta(days=newest or 0) + _DAY
        else:
            moment = _EPOCH + timedelta(microseconds=newest or 0)
    except OverflowError:
        return None
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC if has_zone else zone).astimezone(UTC)
