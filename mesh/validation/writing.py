"""How characters are written in each place a text can stand: the alphabet of the fast path."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

_ASCII = frozenset(range(128))
WIDE = rb"[\xc0-\xff][\x80-\xbf]*+"
"""One character beyond ASCII in UTF-8 that is known to be valid."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Writing:
    """How text is written, in bytes.

    Attributes:
        plain: The code points below 128 that stand for themselves.
        wide: An expression for one character beyond ASCII.
        escaped: Expressions that each stand for one character.
        opening: What stands before the text, and after it.
    """

    plain: frozenset[int]
    wide: bytes = WIDE
    escaped: tuple[bytes, ...] = ()
    opening: bytes = b""

    def one_of(self, codes: Collection[int]) -> bytes | None:
        """An expression for one of these ASCII characters, of those that stand for themselves."""
        kept = sorted(self.plain & set(codes))
        if not kept:
            return None
        return re.escape(bytes(kept)) if len(kept) == 1 else b"[" + _ranges(kept) + b"]"

    def literal(self, text: str) -> bytes | None:
        """An expression for exactly this text; None when it cannot be written plainly here."""
        if any(ord(char) < 128 and ord(char) not in self.plain for char in text):
            return None
        if not text.isascii() and self.wide != WIDE:
            return None
        return re.escape(text.encode())

    def any_text(self, least: int, most: int | None) -> bytes:
        """An expression for any text of so many characters (code points)."""
        plain = self.one_of(_ASCII)
        assert plain
        others = b"|".join((self.wide, *self.escaped))
        if most is None:
            start = b"(?:" + plain + b"|" + others + b"){%d}+" % least if least else b""
            return start + b"(?:" + plain + b"++|" + others + b")*+"
        counted = b"{%d,%d}+" % (least, most)
        # Nearly all text is ASCII, and one loop over one class is the fastest thing there is.
        stop = b"(?![\\x80-\\xff" + b"".join(re.escape(item[:1]) for item in self.escapes) + b"])"
        ascii_only = plain + counted + stop
        return b"(?:" + ascii_only + b"|(?:" + plain + b"|" + others + b")" + counted + b")"

    @property
    def escapes(self) -> tuple[bytes, ...]:
        """The bytes with which an escaped character begins."""
        return tuple(item.lstrip(b"\\")[:1] or b"\\" for item in self.escaped)


def _ranges(codes: list[int]) -> bytes:
    """The inside of a character class."""
    parts: list[bytes] = []
    start = previous = codes[0]
    for code in [*codes[1:], 1000]:
        if code == previous + 1:
            previous = code
            continue
        if previous - start < 2:
            parts += [b"\\x%02x" % each for each in range(start, previous + 1)]
        else:
            parts.append(b"\\x%02x-\\x%02x" % (start, previous))
        start = previous = code
    return b"".join(parts)
