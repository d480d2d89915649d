"""ECMA-262 patterns as expressions over bytes, for those patterns that contracts mostly have.

The expression matches only texts that the pattern matches; it may match fewer. A pattern beyond
this subset has no such expression, and its field is checked in another way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mesh.validation.writing import Writing

_DIGITS = frozenset(range(0x30, 0x3A))
_WORD = _DIGITS | set(range(0x41, 0x5B)) | set(range(0x61, 0x7B)) | {0x5F}
_SPACE = frozenset({9, 10, 11, 12, 13, 32})
_ALL = frozenset(range(128))
_SETS = {
    "d": _DIGITS, "w": _WORD, "s": _SPACE,
    "D": _ALL - _DIGITS, "W": _ALL - _WORD, "S": _ALL - _SPACE,
}  # fmt: skip
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_COUNT = re.compile(r"\{(\d+)(,?)(\d*)\}")
_MOST = 1000


class BeyondSubsetError(Exception):
    """The pattern holds a construct that this module leaves to others."""


@dataclass(frozen=True, slots=True)
class Piece:
    """An expression and how many characters it matches; `most` None without an end."""

    expression: bytes
    least: int
    most: int | None


def pattern_piece(pattern: str, writing: Writing) -> Piece:
    """An expression for whole texts that the pattern matches.

    Raises:
        BeyondSubsetError: There is none.
    """
    if not pattern.startswith("^"):
        raise BeyondSubsetError
    parser = _Parser(pattern[1:], writing)
    piece = parser.alternatives()
    if parser.at != len(parser.text):
        raise BeyondSubsetError
    if not parser.ended:  # no `$`: anything may follow
        rest = writing.any_text(0, None)
        piece = Piece(b"(?:" + piece.expression + b")" + rest, piece.least, None)
    return piece


class _Parser:
    def __init__(self, text: str, writing: Writing) -> None:
        self.text, self.writing = text, writing
        self.at = 0
        self.depth = 0
        self.ended = False

    def alternatives(self) -> Piece:
        branches = [self._sequence()]
        while self._peek() == "|":
            if not self.depth:  # ^a|b$ binds its anchors to one branch each
                raise BeyondSubsetError
            self.at += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        most = [branch.most for branch in branches]
        ends = None if None in most else max(each for each in most if each is not None)
        expression = b"(?:" + b"|".join(branch.expression for branch in branches) + b")"
        return Piece(expression, min(branch.least for branch in branches), ends)

    def _sequence(self) -> Piece:
        parts: list[Piece] = []
        while (char := self._peek()) and char not in "|)":
            if char == "$":
                if self.depth or self.at != len(self.text) - 1:
                    raise BeyondSubsetError
                self.at += 1
                self.ended = True
                break
            parts.append(self._repeated(self._atom()))
        endless = any(part.most is None for part in parts)
        most = None if endless else sum(part.most or 0 for part in parts)
        return Piece(
            b"".join(part.expression for part in parts), sum(part.least for part in parts), most
        )

    def _repeated(self, piece: Piece) -> Piece:
        char = self._peek()
        counted = _COUNT.match(self.text, self.at)
        if char and char in "*+?":
            low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
            self.at += 1
        elif counted:
            low = int(counted[1])
            high = (int(counted[3]) if counted[3] else None) if counted[2] else low
            self.at = counted.end()
        else:
            return piece
        if self._peek() == "?":
            self.at += 1
        if low > _MOST or (high or 0) > _MOST or (high is not None and high < low):
            raise BeyondSubsetError
        if (high is None or high > 1) and (piece.most != piece.least):
            raise BeyondSubsetError  # a loop in a loop may take exponential time
        count = b"{%d,%s}" % (low, b"" if high is None else b"%d" % high)
        if low == high and piece.most == piece.least:
            count = b"{%d}+" % low  # whatever it matches has one length: nothing to try again
        most = None if high is None or piece.most is None else piece.most * high
        return Piece(b"(?:" + piece.expression + b")" + count, piece.least * low, most)

    def _atom(self) -> Piece:
        char = self.text[self.at]
        if char == "(":
            return self._group()
        if char == "[":
            return self._one(self._class())
        if char == "\\":
            return self._one(self._escape())
        if char in "^.*+?{}[]":
            raise BeyondSubsetError
        self.at += 1
        if ord(char) < 128:
            return self._one(frozenset({ord(char)}))
        literal = self.writing.literal(char)
        if literal is None:
            raise BeyondSubsetError
        return Piece(b"(?:" + literal + b")", 1, 1)

    def _group(self) -> Piece:
        if self.text.startswith("(?:", self.at):
            self.at += 3
        elif self.text.startswith("(?", self.at):
            raise BeyondSubsetError
        else:
            self.at += 1
        self.depth += 1
        piece = self.alternatives()
        self.depth -= 1
        if self._peek() != ")":
            raise BeyondSubsetError
        self.at += 1
        return Piece(b"(?:" + piece.expression + b")", piece.least, piece.most)

    def _class(self) -> frozenset[int]:
        self.at += 1
        negated = self._peek() == "^"
        self.at += negated
        members: set[int] = set()
        while (char := self._peek()) != "]":
            if not char:
                raise BeyondSubsetError
            first = self._member()
            if self._peek() == "-" and self.text[self.at + 1 : self.at + 2] not in {"]", ""}:
                self.at += 1
                last = self._member()
                if len(first) != 1 or len(last) != 1:
                    raise BeyondSubsetError
                members |= set(range(min(first), max(last) + 1))
            else:
                members |= first
        self.at += 1
        return _ALL - members if negated else frozenset(members)

    def _member(self) -> frozenset[int]:
        char = self.text[self.at]
        if char == "\\":
            return self._escape()
        if ord(char) > 127:
            raise BeyondSubsetError
        self.at += 1
        return frozenset({ord(char)})

    def _escape(self) -> frozenset[int]:
        letter = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if letter in _SETS:
            return frozenset(_SETS[letter])
        if letter in _CONTROLS:
            return frozenset({_CONTROLS[letter]})
        if not letter or letter.isalnum() or ord(letter) > 127:
            raise BeyondSubsetError
        return frozenset({ord(letter)})

    def _one(self, codes: frozenset[int]) -> Piece:
        expression = self.writing.one_of(codes)
        if expression is None:
            raise BeyondSubsetError
        return Piece(expression, 1, 1)

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]
