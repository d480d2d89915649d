"""Timer schedules: NCRONTAB with six (or five) fields, and constant intervals.

Daylight saving follows the host's rules: a point in time (its second, minute and hour are plain
numbers) runs once when the clock repeats an hour; an interval runs on through both hours; a
time that the clock leaps over runs at the same instant under its new name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from croniter import CroniterError, croniter

from local.functions_host.host_json import parse_time_span
from local.process import LocalError

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_FIELD = re.compile(r"[0-9A-Za-z*,/-]+")
_LEAST_MONITORED = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class CronSchedule:
    """An NCRONTAB expression. Days of month and of week must both fit, unlike in crontab."""

    text: str
    expression: str
    has_seconds: bool

    @property
    def is_interval(self) -> bool:
        clock = self.text.split()[: 3 if self.has_seconds else 2]
        return any(sign in part for part in clock for sign in "*/-")

    def next_after(self, now: datetime) -> datetime:
        """Return the next occurrence after `now`, in the time zone of `now`."""
        zone = now.tzinfo
        assert zone is not None
        wall = self._next_wall(now.replace(tzinfo=None))
        following = _standard(wall, zone)
        later = _offset(following) - _offset(now)
        if self.is_interval:
            if later and (_is_ambiguous(now) or _is_ambiguous(following)):
                return (following.astimezone(UTC) + later).astimezone(zone)
        elif _is_ambiguous(following):
            if later:
                return following.replace(fold=0)
            while _is_ambiguous(following):
                wall = self._next_wall(wall)
                following = _standard(wall, zone)
        return following

    def _next_wall(self, wall: datetime) -> datetime:
        steps = croniter(self.expression, wall, second_at_beginning=self.has_seconds, day_or=False)
        following: datetime = steps.get_next(datetime)
        return following


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstantSchedule:
    """A time span between runs."""

    text: str
    interval: timedelta

    def next_after(self, now: datetime) -> datetime:
        """Return the next occurrence after `now`, in the time zone of `now`."""
        return (now.astimezone(UTC) + self.interval).astimezone(now.tzinfo)


Schedule = CronSchedule | ConstantSchedule


def parse_schedule(text: str, function: str) -> Schedule:
    """Read the `schedule` of a timer: NCRONTAB, else a time span.

    Raises:
        LocalError: it is neither; the message names the function.
    """
    fields = text.split()
    if len(fields) in (5, 6):
        return _parse_cron(text, fields, function)
    try:
        interval = parse_time_span(text)
    except ValueError:
        raise _refuse(text, function, "it has neither 6 fields nor the form hh:mm:ss") from None
    if interval <= timedelta(0):
        raise _refuse(text, function, "a time span must be more than zero")
    return ConstantSchedule(text=text, interval=interval)


def is_monitored(schedule: Schedule, now: datetime) -> bool:
    """Tell whether the host stores a status: only for schedules of a minute or longer."""
    first = schedule.next_after(now)
    return schedule.next_after(first) - first >= _LEAST_MONITORED


def _parse_cron(text: str, fields: list[str], function: str) -> CronSchedule:
    for field in fields:
        if not _FIELD.fullmatch(field):
            raise _refuse(text, function, f"'{field}' is no NCRONTAB field")
    *clock_and_day, month, weekday = fields
    if any(int(number) > 6 for number in re.findall(r"(?<!/)\b\d+", weekday)):
        raise _refuse(text, function, "days of the week are 0 (Sunday) to 6, or names")
    expression = " ".join(
        [*clock_and_day, _number_names(month, _MONTHS, 1), _number_names(weekday, _DAYS, 0)]
    )
    if strange := re.findall(r"[A-Za-z]+", expression):
        raise _refuse(text, function, f"'{strange[0]}' names no month and no day")
    has_seconds = len(fields) == 6
    try:
        croniter(expression, second_at_beginning=has_seconds, day_or=False)
    except (CroniterError, ValueError) as wrong:
        raise _refuse(text, function, str(wrong)) from None
    return CronSchedule(text=text, expression=expression, has_seconds=has_seconds)


def _number_names(field: str, names: tuple[str, ...], first: int) -> str:
    """Turn names of days and months, short or long, into numbers."""

    def _number(match: re.Match[str]) -> str:
        word = match.group().lower()
        for index, name in enumerate(names):
            if len(word) >= 3 and name.startswith(word):
                return str(index + first)
        return match.group()

    return re.sub(r"[A-Za-z]+", _number, field)


def _refuse(text: str, function: str, why: str) -> LocalError:
    return LocalError(
        f"Function '{function}': the schedule '{text}' cannot be read: {why}. Write six fields "
        "{second} {minute} {hour} {day} {month} {day of week}, for example 0 */5 * * * *."
    )


def _standard(wall: datetime, zone: tzinfo) -> datetime:
    """Give a wall-clock time its zone: standard time if ambiguous, moved on if it is skipped."""
    fold = 1 if _is_ambiguous(wall.replace(tzinfo=zone)) else 0
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC).astimezone(zone)


def _is_ambiguous(moment: datetime) -> bool:
    first, second = moment.replace(fold=0), moment.replace(fold=1)
    return first.utcoffset() != second.utcoffset() and _exists(first) and _exists(second)


def _exists(moment: datetime) -> bool:
    back = moment.astimezone(UTC).astimezone(moment.tzinfo)
    return back.replace(tzinfo=None, fold=0) == moment.replace(tzinfo=None, fold=0)


def _offset(moment: datetime) -> timedelta:
    offset = moment.utcoffset()
    assert offset is not None
    return offset
