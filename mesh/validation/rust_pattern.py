r"""ECMA-262 patterns in the dialect of Rust's `regex`, which Polars matches columns with.

A translation means the same as the original: every literal and class is written as code points,
for the dialects differ in what `.`, `$`, `\d`, `\w` and `\s` take. What is no regular language
(look-around, references) and what is rare has no translation.
"""

from __future__ import annotations

import re

from mesh.model.ecma_pattern import UnsupportedPatternError, compile_pattern
from mesh.validation.pattern_bytes import BeyondSubsetError

_DIGITS = "0-9"
_WORD = "0-9A-Za-z_"
_SPACES = (
    r"\t\n\x0b\x0c\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}"
    r"\x{3000}\x{feff}"
)
_SETS = {"d": _DIGITS, "w": _WORD, "s": _SPACES}
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_ANY = r"[^\n\r\x{2028}\x{2029}]"
_COUNT = re.compile(r"\{(\d{1,3})(?:,(\d{0,3}))?\}")


def rust_pattern(pattern: str) -> str:
    """The same pattern for a search by Rust's `regex`.

    Raises:
        BeyondSubsetError: There is none.
    """
    try:
        compile_pattern(pattern)
    except UnsupportedPatternError:
        raise BeyondSubsetError from None
    return _Translator(pattern).translated()


class _Translator:
    """Walks over a pattern that is known to be well-formed."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._depth = 0

    def translated(self) -> str:
        parts = []
        while self._at < len(self._text):
            parts.append(self._term())
        return "".join(parts)

    def _term(self) -> str:
        char = self._text[self._at]
        counted = _COUNT.match(self._text, self._at)
        if counted:
            self._at = counted.end()
            return counted[0]
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        self._at += 1
        if char in "^$|)*+?":  # `?` also makes a repeat lazy: all the same for a mere search
            return char
        if char in "{}]":
            raise BeyondSubsetError
        return _ANY if char == "." else _literal(ord(char))

    def _group(self) -> str:
        mark = "(?:" if self._text.startswith("(?:", self._at) else "("
        self._at += len(mark)
        if mark == "(" and self._text.startswith("?", self._at):
            raise BeyondSubsetError
        return "(?:"

    def _escape(self) -> str:
        letter = self._text[self._at + 1 : self._at + 2]
        if letter in _SETS:
            self._at += 2
            return f"[{_SETS[letter]}]"
        if letter.lower() in _SETS:
            self._at += 2
            return f"[^{_SETS[letter.lower()]}]"
        return _literal(self._code())

    def _class(self) -> str:
        self._at += 1
        negated = self._text.startswith("^", self._at)
        self._at += negated
        parts = []
        while not self._text.startswith("]", self._at):
            parts.append(self._member())
        self._at += 1
        if not parts:
            raise BeyondSubsetError
        return f"[{'^' * negated}{''.join(parts)}]"

    def _member(self) -> str:
        letter = self._text[self._at + 1 : self._at + 2]
        if self._text[self._at] == "\\" and letter in _SETS:
            self._at += 2
            if self._text[self._at : self._at + 1] == "-":
                raise BeyondSubsetError
            return _SETS[letter]
        first = self._code()
        if self._text[self._at : self._at + 1] != "-" or self._text[self._at + 1] == "]":
            return _literal(first)
        self._at += 1
        return f"{_literal(first)}-{_literal(self._code())}"

    def _code(self) -> int:
        """The character that stands here, by itself or behind a backslash."""
        char = self._text[self._at]
        self._at += 1
        if char != "\\":
            return ord(char)
        letter = self._text[self._at]
        self._at += 1
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter.isalnum() or ord(letter) > 127:
            raise BeyondSubsetError
        return ord(letter)


def _literal(code: int) -> str:
    return f"\\x{{{code:x}}}"
