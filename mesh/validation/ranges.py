"""Ranges of numbers as regular expressions over their digits."""

from __future__ import annotations


def whole_numbers(low: int, high: int | None) -> str | None:
    """An expression for the integers from low to high (None: no end), as JSON writes them.

    Only the plain form: no fraction, no exponent, no `-0`. None when the range is empty.
    """
    if high is not None and low > high:
        return None
    parts: list[str] = []
    if low < 0:
        least = 1 if high is None or high >= 0 else -high
        parts += ["-" + part for part in _naturals(least, -low)]
    if high is None or high >= 0:
        parts += _from(max(low, 0)) if high is None else _naturals(max(low, 0), high)
    return "(?:" + "|".join(parts) + ")"


def _from(low: int) -> list[str]:
    """Natural numbers without an end."""
    digits = len(str(low))
    longer = f"[1-9][0-9]{{{digits},}}"
    return [longer, *_naturals(low, 10**digits - 1)]


def _naturals(low: int, high: int) -> list[str]:
    """Natural numbers between two, cut at powers of ten, longest first."""
    parts: list[str] = []
    start = low
    while start <= high:
        digits = len(str(start))
        if start == 10 ** (digits - 1) and high >= 10**digits - 1:
            most = len(str(high + 1)) - 1  # all numbers of so many digits are within
            end = 10**most - 1
            parts.append(f"[1-9][0-9]{{{digits - 1},{most - 1}}}")
        else:
            end = min(high, 10**digits - 1)
            parts += _same_length(str(start), str(end))
        start = end + 1
    return parts[::-1]


def _same_length(low: str, high: str) -> list[str]:
    """Numbers of one length, by their common beginning."""
    if low == high:
        return [low]
    rest = len(low) - 1
    if low[0] == high[0]:
        return [low[0] + part for part in _same_length(low[1:], high[1:])]
    first, last = int(low[0]), int(high[0])
    parts: list[str] = []
    if rest and low[1:] != "0" * rest:
        parts += [low[0] + part for part in _same_length(low[1:], "9" * rest)]
        first += 1
    after: list[str] = []
    if rest and high[1:] != "9" * rest:
        after = [high[0] + part for part in _same_length("0" * rest, high[1:])]
        last -= 1
    if first <= last:
        digit = str(first) if first == last else f"[{first}-{last}]"
        parts.append(digit + (f"[0-9]{{{rest}}}" if rest > 1 else "[0-9]" * rest))
    return parts + after
