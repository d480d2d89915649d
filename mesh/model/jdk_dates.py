"""Dates and times in a layout of Java's `DateTimeFormatter`, which ODCS prescribes.

Read strictly: 31 April is no date (Java's default resolver would make it 30 April), and nothing
may be left over.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from dataclasses import dataclass
from decimal import Decimal

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOUR_MINUTE = r"(?:0\d|1[0-8])"
_OFFSETS = {
    "X": rf"Z|[+-]{_HOUR_MINUTE}(?:[0-5]\d)?",
    "XX": rf"Z|[+-]{_HOUR_MINUTE}[0-5]\d",
    "XXX": rf"Z|[+-]{_HOUR_MINUTE}:[0-5]\d",
    "x": rf"[+-]{_HOUR_MINUTE}(?:[0-5]\d)?",
    "xx": rf"[+-]{_HOUR_MINUTE}[0-5]\d",
    "xxx": rf"[+-]{_HOUR_MINUTE}:[0-5]\d",
    "Z": rf"[+-]{_HOUR_MINUTE}[0-5]\d",
    "ZZ": rf"[+-]{_HOUR_MINUTE}[0-5]\d",
    "ZZZ": rf"[+-]{_HOUR_MINUTE}[0-5]\d",
    "ZZZZZ": rf"Z|[+-]{_HOUR_MINUTE}:[0-5]\d",
}
_TWO_DIGITS = {
    "M": r"0[1-9]|1[0-2]",
    "L": r"0[1-9]|1[0-2]",
    "d": r"0[1-9]|[12]\d|3[01]",
    "H": r"[01]\d|2[0-3]",
    "k": r"0[1-9]|1\d|2[0-4]",
    "h": r"0[1-9]|1[0-2]",
    "K": r"0\d|1[01]",
    "m": r"[0-5]\d",
    "s": r"[0-5]\d",
}
_ONE_OR_TWO = {
    "M": r"1[0-2]|[1-9]",
    "L": r"1[0-2]|[1-9]",
    "d": r"[12]\d|3[01]|[1-9]",
    "H": r"1\d|2[0-3]|\d",
    "k": r"1\d|2[0-4]|[1-9]",
    "h": r"1[0-2]|[1-9]",
    "K": r"1[01]|\d",
    "m": r"[1-5]\d|\d",
    "s": r"[1-5]\d|\d",
}
_TIME = frozenset("HkhKmsSnaZ")
_PART = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|([\[\]])|([^A-Za-z'\[\]{}#])")


class UnsupportedLayoutError(ValueError):
    """A layout that is not one of Java's, or that holds a field we do not read."""


@dataclass(frozen=True, order=True, slots=True)
class Instant:
    """A point in time for comparisons: whole seconds, then the fraction, exact."""

    seconds: int
    fraction: Decimal


@functools.lru_cache(maxsize=256)
def layout_expression(layout: str) -> re.Pattern[str]:
    """An expression whose named groups hold the fields of a text in this layout.

    Raises:
        UnsupportedLayoutError: Saying which part is not read.
    """
    out: list[str] = []
    seen: set[str] = set()
    at = 0
    while at < len(layout):
        found = _PART.match(layout, at)
        if not found:
            raise UnsupportedLayoutError(f"{layout[at:]!r} is not a part of a date layout")
        at = found.end()
        if found[2]:
            out.append(_field(found[0], seen))
        elif found[3]:
            out.append("(?:" if found[3] == "[" else ")?")
        elif found[4]:
            out.append(re.escape(found[4]))
        else:
            out.append(re.escape(found[1].replace("''", "'") if found[1] else "'"))
    try:
        return re.compile("".join(out), re.ASCII)
    except re.error:
        raise UnsupportedLayoutError("its optional parts are not closed") from None


def _field(letters: str, seen: set[str]) -> str:
    letter, size = letters[0], len(letters)
    name = {"u": "y", "L": "M"}.get(letter, "Z" if letter in "xX" else letter)
    if name in seen:
        raise UnsupportedLayoutError(f"{letters!r} says the same thing twice")
    seen.add(name)
    expression = _expression(letter, size, letters)
    return f"(?P<{name}>{expression})"


def _expression(letter: str, size: int, letters: str) -> str:
    if letter in "yu" and size in {2, 4}:
        return rf"\d{{{size}}}"
    if letter in "ML" and size in {3, 4}:
        return "|".join(_MONTHS if size == 3 else _LONG_MONTHS)
    if letter == "E" and size <= 4:
        return "|".join(_DAYS if size <= 3 else _LONG_DAYS)
    if letter in _TWO_DIGITS and size <= 2:
        return (_ONE_OR_TWO if size == 1 else _TWO_DIGITS)[letter]
    if letter == "S" and size <= 9:
        return rf"\d{{{size}}}"
    if letter == "n":
        return r"\d{1,9}"
    if letter == "D" and size == 3:
        return r"[0-3]\d\d"
    if letter == "a" and size == 1:
        return "AM|PM"
    if letters in _OFFSETS:
        return _OFFSETS[letters]
    raise UnsupportedLayoutError(f"{letters!r} is not a field this reader knows")


def tells_time(layout: str) -> bool:
    """Whether a text in this layout says more than a day.

    Raises:
        UnsupportedLayoutError: The layout is none that is read.
    """
    return not _TIME.isdisjoint(layout_expression(layout).groupindex)


def parse(text: str, layout: str) -> Instant | None:
    """The instant a text in this layout means, None when it is not in it or impossible.

    Fields that the layout leaves out are those of midnight, 1 January 1970, UTC.
    """
    found = layout_expression(layout).fullmatch(text)
    if not found:
        return None
    parts = {name: value for name, value in found.groupdict().items() if value is not None}
    try:
        day = _date(parts)
    except ValueError:
        return None
    if "E" in parts and day.strftime("%a") != parts["E"][:3]:
        return None
    seconds = (day.toordinal() * 24 + _hour(parts)) * 3600
    seconds += int(parts.get("m", 0)) * 60 + int(parts.get("s", 0)) - _offset(parts.get("Z", "Z"))
    digits = parts.get("S") or (parts["n"].rjust(9, "0") if "n" in parts else "0")
    return Instant(seconds, Decimal(f"0.{digits}"))


def _date(parts: dict[str, str]) -> dt.date:
    year = int(parts.get("y", 1970))
    if len(parts.get("y", "1970")) == 2:
        year += 2000
    if "D" in parts:
        first = dt.date(year, 1, 1)
        day = first + dt.timedelta(days=int(parts["D"]) - 1)
        if day.year != year:
            raise ValueError("no such day of the year")
        return day
    month = parts.get("M", "1")
    number = int(month) if month.isdigit() else [name[:3] for name in _MONTHS].index(month[:3]) + 1
    return dt.date(year, number, int(parts.get("d", 1)))


def _hour(parts: dict[str, str]) -> int:
    if "H" in parts:
        return int(parts["H"])
    if "k" in parts:
        return int(parts["k"]) % 24
    hour = int(parts.get("h", parts.get("K", 0))) % 12
    return hour + 12 if parts.get("a") == "PM" else hour


def _offset(text: str) -> int:
    """Seconds east of Greenwich."""
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if text[0] == "-" else seconds
