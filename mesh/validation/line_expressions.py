"""Expressions for one line in the dialect of Rust's `regex`, which polars has.

They come from the expressions over bytes, and so say the same. Rust's engine is an automaton: it
has no lookaround and needs no possessive repeats, and its classes are of characters, not bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.writing import LONG, WIDE

_WIDE = WIDE.decode()
_ANY_WIDE = r"[^\x00-\x7F]"
_COUNT = re.compile(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})")
_HEX = re.compile(r"\\x([0-9a-f]{2})")
_CONTROLS = {"n": 10, "r": 13, "t": 9, "0": 0}
_MOST = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class LineExpressions:
    """What a line must be for a record to be good.

    Attributes:
        shapes: An expression that the line matches, with its line end.
        lengths: Another one; None where the first says it all.
        most: How many bytes it may have at most; None for any number. Texts whose limit is too
            long to be counted by an automaton are within it if the whole line is.
    """

    shapes: str
    lengths: str | None
    most: int | None


def line_expressions(shapes: bytes, lengths: bytes, schema: Any) -> LineExpressions:
    """The expressions for a line of two halves that are written as `fast_csv` and `fast_json` do.

    Raises:
        BeyondSubsetError: They hold what Rust's dialect cannot say.
    """
    if max(len(shapes), len(lengths)) > _MOST:
        raise BeyondSubsetError
    return LineExpressions(
        shapes=_whole(shapes),
        lengths=None if lengths == shapes else _whole(lengths),
        most=min(_long_limits(schema), default=None),
    )


def _whole(expression: bytes) -> str:
    return rf"\A{translated(expression)}\r?\n\z"


def translated(expression: bytes) -> str:
    """The same expression, for characters instead of bytes.

    Raises:
        BeyondSubsetError: It holds something else than groups, choices, classes of ASCII with or
            without everything beyond, literals and greedy or possessive repeats.
    """
    try:
        text = expression.decode()
    except UnicodeDecodeError:
        raise BeyondSubsetError from None
    return "".join(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    at, size = 0, len(text)
    while at < size:
        char = text[at]
        if text.startswith(_WIDE, at):
            piece, at = _ANY_WIDE, at + len(_WIDE)
        elif char == "(":
            if text[at : at + 3] not in {"(?:", "(?>"}:
                raise BeyondSubsetError
            piece, at = "(?:", at + 3
        elif char in ")|":
            piece, at = char, at + 1
        elif char == "[":
            piece, at = _class(text, at + 1)
        elif counted := _COUNT.match(text, at):
            piece, at = counted[0], counted.end()
            if text[at : at + 1] == "?":
                raise BeyondSubsetError
            at += text[at : at + 1] == "+"  # possessive: where nothing is tried again it is greedy
        elif char in ".^$":
            raise BeyondSubsetError
        else:
            code, at = _character(text, at)
            piece = _literal(code)
        yield piece


def _class(text: str, at: int) -> tuple[str, int]:
    """A class of bytes as one of characters, and where it ends."""
    negated = text[at] == "^"
    at += negated
    parts: list[str] = []
    while text[at] != "]":
        low, at = _character(text, at)
        high = low
        if text[at] == "-" and text[at + 1] != "]":
            high, at = _character(text, at + 1)
        if high < 128:
            parts.append(_literal(low) + f"-{_literal(high)}" * (high > low))
        elif (low, high) == (0x80, 0xFF):
            parts.append(r"\x{80}-\x{10FFFF}")
        else:
            raise BeyondSubsetError
    return f"[{'^' * negated}{''.join(parts)}]", at + 1


def _character(text: str, at: int) -> tuple[int, int]:
    """The code of a character, however it is written, and where it ends."""
    if text[at] != "\\":
        return ord(text[at]), at + 1
    if found := _HEX.match(text, at):
        return int(found[1], 16), found.end()
    letter = text[at + 1]
    if letter in _CONTROLS:
        return _CONTROLS[letter], at + 2
    if letter.isalnum() or ord(letter) > 127:
        raise BeyondSubsetError
    return ord(letter), at + 2


def _literal(code: int) -> str:
    char = chr(code)
    return char if char.isascii() and char.isalnum() else f"\\x{{{code:X}}}"


def _long_limits(schema: Any) -> Iterator[int]:
    """The limits of text, anywhere in a schema, that are not counted."""
    if isinstance(schema, Mapping):
        limit = schema.get("maxLength")
        if isinstance(limit, int | float | Decimal) and limit >= LONG:
            yield int(limit)
        for value in schema.values():
            yield from _long_limits(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _long_limits(value)
