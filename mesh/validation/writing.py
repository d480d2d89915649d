"""How characters are written in each place a text can stand: the alphabet of the fast path."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

_ASCII = frozenset(range(128))
_PIECES = 8
WIDE = rb"[\xc0-\xff][\x80-\xbf]*+"
"""One character beyond ASCII in UTF-8 that is known to be valid."""
LONG = 128
"""Limits of text from here on are too long for an automaton to count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Writing:
    """How text is written, in bytes.

    Attributes:
        plain: The code points below 128 that stand for themselves.
        wide: An expression for one character beyond ASCII.
        escaped: Expressions that each stand for one character.
        half: What expressions for `line_expressions` say: where a text has both a shape and a
            length, only the one or the other, for they cannot look ahead; None for both at once.
    """

    plain: frozenset[int]
    wide: bytes = WIDE
    escaped: tuple[bytes, ...] = ()
    half: Literal["shapes", "lengths"] | None = None

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

    def run_of(self, codes: Collection[int]) -> bytes:
        """A class of bytes: of these ASCII characters, and of all characters beyond ASCII."""
        return b"[" + _ranges(sorted(self.plain & set(codes))) + rb"\x80-\xff]"

    def any_text(self, least: int, most: int | None) -> bytes:
        """An expression for any text of so many characters (code points)."""
        if self.half:
            return self._counted(least, most)
        plain = self.one_of(_ASCII)
        assert plain
        char = b"(?:" + b"|".join((plain, self.wide, *self.escaped)) + b")"
        run = self.run_of(_ASCII)
        if most is None:
            start = char + b"{%d}+" % least if least else b""
            return start + b"(?:" + b"|".join((run + b"++", *self.escaped)) + b")*+"
        forms = []
        if least <= 1:  # A text has at least as many bytes as characters.
            forms.append(run + b"{%d,%d}+" % (least, most))
            if self.escaped and most >= 2 * _PIECES:
                pieces = b"|".join((run + b"{1,%d}+" % (most // _PIECES), *self.escaped))
                forms.append(b"(?:" + pieces + b"){%d,%d}+" % (least, _PIECES))
        else:
            forms.append(plain + b"{%d,%d}+" % (least, most))
        forms.append(char + b"{%d,%d}+" % (least, most))
        return b"(?:" + b"|".join(forms) + b")"

    def _counted(self, least: int, most: int | None) -> bytes:
        """The same for an automaton of characters: nothing to try twice, long limits left out."""
        char = b"(?:" + b"|".join((self.run_of(_ASCII), *self.escaped)) + b")"
        last = b"" if most is None or most >= LONG else b"%d" % most
        return char + b"{%d,%b}" % (least, last)


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
