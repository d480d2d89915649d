"""KQL text into tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

MICROSECONDS = {
    "microsecond": 1,
    "microseconds": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<datetime>datetime\(\s*['"]?[^()'"]*['"]?\s*\))
      | (?P<timespan>\d+(?:\.\d+)?(?:microseconds?|ms|s|m|h|d)\b)
      | (?P<real>\d+\.\d+(?:[eE][+-]?\d+)?)
      | (?P<long>\d+)
      | (?P<string>@?'(?:[^'\\]|\\.)*'|@?"(?:[^"\\]|\\.)*")
      | (?P<name>[A-Za-z_$][A-Za-z0-9_]*(?:-[a-z]+)*)
      | (?P<symbol>==|!=|<=|>=|=~|!~|\.\.|[-|()\[\],;=<>+*/%.!~])""",
    re.VERBOSE,
)
_HYPHENATED = {
    "make-series",
    "mv-apply",
    "mv-expand",
    "project-away",
    "project-keep",
    "project-rename",
    "project-reorder",
    "top-nested",
}
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class KqlError(ValueError):
    """The query cannot be run here; the message says where, and why."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `value` of a literal is what it stands for, times in microseconds."""

    kind: str
    text: str
    at: int
    value: object = None


def tokens(text: str) -> list[Token]:
    """Split a query.

    Raises:
        KqlError: there is a character that has no meaning.
    """
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise error(text, at, f"{text[at]!r} has no meaning here")
        kind, piece = str(match.lastgroup), match[0]
        if kind == "name" and "-" in piece and piece not in _HYPHENATED:
            piece = piece.partition("-")[0]  # a subtraction without spaces
        if kind != "space":
            found.append(Token(kind, piece, at, _value(text, kind, piece, at)))
        at += len(piece)
    return [*found, Token("end", "the end", len(text))]


def error(text: str, at: int, why: str) -> KqlError:
    """An error that says where in the text it is."""
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return KqlError(f"line {line}, column {column}: {why}.")


def _value(text: str, kind: str, piece: str, at: int) -> object:
    if kind == "long":
        return int(piece)
    if kind == "real":
        return float(piece)
    if kind == "string":
        if piece.startswith("@"):
            return piece[2:-1]
        return _ESCAPE.sub(lambda escaped: _ESCAPES.get(escaped[1], escaped[1]), piece[1:-1])
    if kind == "timespan":
        amount = piece.rstrip("abcdefghijklmnopqrstuvwxyz")
        return round(float(amount) * MICROSECONDS[piece[len(amount) :]])
    if kind == "datetime":
        return _moment(text, piece[len("datetime(") : -1].strip().strip("'\""), at)
    return None


def _moment(text: str, written: str, at: int) -> int:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise error(text, at, f"{written!r} is no date or time in ISO 8601") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)
