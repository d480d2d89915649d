"""ISO 8601 durations, as Azure writes them."""

from __future__ import annotations

import datetime as dt

import isodate  # type: ignore[import-untyped]  # has no annotations

UNLIMITED = "P10675199DT2H48M5.4775807S"
"""The longest .NET duration, which Azure uses for "never"."""

_NEVER_FROM = 10_000_000 * 86_400.0


def parse_duration(text: str) -> float | None:
    """Give a duration in seconds; None for one so long that it means never.

    Raises:
        ValueError: the text is no ISO 8601 duration of days, hours, minutes and seconds.
    """
    try:
        duration = isodate.parse_duration(text)
    except (isodate.ISO8601Error, ValueError, OverflowError, TypeError) as wrong:
        message = f"'{text}' is no ISO 8601 duration such as PT30S, PT5M or P1DT2H"
        raise ValueError(message) from wrong
    if not isinstance(duration, dt.timedelta):
        message = f"'{text}' has months or years, whose length varies; use days"
        raise ValueError(message)
    seconds = duration.total_seconds()
    return None if seconds >= _NEVER_FROM else seconds


def format_duration(seconds: float | None) -> str:
    """Write a duration; None means never."""
    if seconds is None:
        return UNLIMITED
    text: str = isodate.duration_isoformat(dt.timedelta(seconds=seconds))
    return text
