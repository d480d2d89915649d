"""Points in time, as texts of a field's own format mean them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mesh.model.jdk_dates import Instant, UnsupportedLayoutError, parse

_TEXT = re.compile(
    r"(?:(\d{4})-(\d\d)-(\d\d))?(?:(?:^|[Tt ])(\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
    r"([Zz]|([+-])(\d\d):(\d\d))?)?",
    re.ASCII,
)
_LOCAL_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

_DAY_S = 86_400
_EPOCH_S = dt.date(1970, 1, 1).toordinal() * _DAY_S


def instant(text: str, schema: Mapping[str, Any]) -> Instant | None:
    """When a text of a date or time field is, for comparing; None when it is no such text.

    A time without an offset counts as UTC, a date as its midnight, a time as of one same day.
    """
    layout = schema.get("dateTimeFormat")
    if isinstance(layout, str):
        try:
            return parse(text, layout)
        except UnsupportedLayoutError:
            return None
    found = _TEXT.fullmatch(text)
    if not found or not text:
        return None
    try:
        day = dt.date(*(int(part) for part in found.group(1, 2, 3))) if found[1] else dt.date.min
    except ValueError:
        return None
    seconds = day.toordinal() * 86_400
    if found[4]:
        hours, minutes, rest = (int(part) for part in found.group(4, 5, 6))
        seconds += hours * 3600 + minutes * 60 + rest
    if found[9]:
        offset = int(found[10]) * 3600 + int(found[11]) * 60
        seconds += -offset if found[9] == "+" else offset
    return Instant(seconds, Decimal(f"0.{found[7] or 0}"))


def ticks(at: Instant) -> int:
    """Microseconds since 1970, as published data counts them; of a time of day, since midnight."""
    # Times of day are of the first day there is, which no other moment can be near.
    start = 0 if at.seconds < 2 * _DAY_S else _EPOCH_S
    first = dt.date.min.toordinal() * _DAY_S if start == 0 else start
    return (at.seconds - first) * 1_000_000 + int(at.fraction * 1_000_000)


def is_local_time(value: object) -> bool:
    """`HH:MM:SS` with an optional fraction and no offset; anything but a string passes."""
    return not isinstance(value, str) or _LOCAL_TIME.fullmatch(value) is not None


def is_local_timestamp(value: object) -> bool:
    """An RFC 3339 date-time without its offset; anything but a string passes."""
    if not isinstance(value, str):
        return True
    date, mark, time = value[:10], value[10:11], value[11:]
    if mark not in {"T", "t", " "} or not _LOCAL_TIME.fullmatch(time) or not _DATE.fullmatch(date):
        return False
    try:
        dt.date.fromisoformat(date)
    except ValueError:
        return False
    return True
