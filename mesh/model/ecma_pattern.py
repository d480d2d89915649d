r"""ECMA-262 regular expressions, the dialect of JSON Schema and ODCS, for Python's `re`.

The two differ where it hurts: Python's `$` also stands before a final newline, its `\d`, `\w`
and `\s` take every script's, its `.` takes a carriage return, and it knows neither `\p{L}` nor
`\cA` nor `(?<name>)`. A translation here means the same as the original in Unicode mode (`u`),
or there is none and `UnsupportedPatternError` says which construct is to blame.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata

_SPACES = r"\t\n\x0b\x0c\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASSES = {
    "d": r"0-9",
    "w": r"A-Za-z0-9_",
    "s": _SPACES,
    "D": r"\x00-/:-\U0010ffff",
    "W": r"\x00-/:-@\[-\^`{-\U0010ffff",
    "S": (
        r"\x00-\x08\x0e-\x1f!-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e"
        r"\u2030-\u205e\u2060-\u2fff\u3001-\ufefe\uff00-\U0010ffff"
    ),
}
_CONTROLS = {"t": r"\t", "n": r"\n", "v": r"\x0b", "f": r"\x0c", "r": r"\r", "0": r"\x00"}
_PLAIN = {"^": r"\A", "$": r"\Z", ".": r"[^\n\r\u2028\u2029]", "|": "|"}
_SYNTAX = frozenset("^$\\.*+?()[]{}|/")
_QUANTIFIER = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_GENERAL_CATEGORIES = {
    "Letter": "L", "Lowercase_Letter": "Ll", "Uppercase_Letter": "Lu", "Titlecase_Letter": "Lt",
    "Modifier_Letter": "Lm", "Other_Letter": "Lo", "Mark": "M", "Nonspacing_Mark": "Mn",
    "Spacing_Mark": "Mc", "Enclosing_Mark": "Me", "Number": "N", "Decimal_Number": "Nd",
    "Letter_Number": "Nl", "Other_Number": "No", "Punctuation": "P", "Symbol": "S",
    "Math_Symbol": "Sm", "Currency_Symbol": "Sc", "Modifier_Symbol": "Sk", "Other_Symbol": "So",
    "Separator": "Z", "Space_Separator": "Zs", "Other": "C", "Control": "Cc", "Format": "Cf",
}  # fmt: skip


class UnsupportedPatternError(ValueError):
    """A pattern that is not ECMA-262, or that Python cannot match in the same way."""


@functools.lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern for `search`, meaning what ECMA-262 means by it.

    Raises:
        UnsupportedPatternError: It is not a pattern, or has no exact counterpart.
    """
    translated = _Translator(pattern).translate()
    try:
        return re.compile(translated, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise UnsupportedPatternError(f"{error}") from None


class _Translator:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.out: list[str] = []
        self.open: list[int] = []
        self.groups = 0

    def translate(self) -> str:
        while self.at < len(self.pattern):
            self._term()
        if self.open:
            raise UnsupportedPatternError("a group is not closed")
        return "".join(self.out)

    def _term(self) -> None:
        char = self.pattern[self.at]
        if char in _PLAIN:
            self._emit(_PLAIN[char])
        elif char in "*+?" or _QUANTIFIER.match(self.pattern, self.at):
            self._quantifier()
        elif char == "\\":
            self.out.append(self._escape(in_class=False))
        elif char == "[":
            self.out.append(self._class())
        elif char == "(":
            self._group()
        elif char == ")":
            self._close()
        else:
            self._emit(re.escape(char))

    def _close(self) -> None:
        if not self.open:
            raise UnsupportedPatternError("an unmatched closing parenthesis")
        self.open.pop()
        self._emit(")")

    def _emit(self, text: str) -> None:
        self.out.append(text)
        self.at += 1

    def _quantifier(self) -> None:
        if self.pattern[self.at] == "{":
            found = _QUANTIFIER.match(self.pattern, self.at)
            assert found
            low, comma, high = found[1], found[2] or "", found[3] or ""
            self.out.append(f"{{{low}{comma}{high}}}")
            self.at = found.end()
        else:
            self._emit(self.pattern[self.at])
        if self.at < len(self.pattern) and self.pattern[self.at] == "?":
            self._emit("?")
        if self.pattern[self.at : self.at + 1] in {"*", "+", "?"} or _QUANTIFIER.match(
            self.pattern, self.at
        ):
            raise UnsupportedPatternError("a quantifier with nothing to repeat")

    def _group(self) -> None:
        rest = self.pattern[self.at :]
        for opening in ("(?:", "(?=", "(?!", "(?<=", "(?<!"):
            if rest.startswith(opening):
                self.out.append(opening)
                self.at += len(opening)
                self.open.append(self.at)
                return
        if rest.startswith("(?<"):
            name = _NAME.match(self.pattern, self.at + 3)
            if not name or self.pattern[name.end() : name.end() + 1] != ">":
                raise UnsupportedPatternError("a group name that is not an ASCII identifier")
            self.out.append(f"(?P<{name[0].replace('$', '_dollar_')}>")
            self.at = name.end() + 1
        elif rest.startswith("(?"):
            raise UnsupportedPatternError(f"{rest[:3]} is not ECMA-262")
        else:
            self._emit("(")
        self.groups += 1
        self.open.append(self.at)

    def _class(self) -> str:
        self.at += 1
        negated = self.pattern[self.at : self.at + 1] == "^"
        self.at += negated
        parts: list[str] = []
        while self.at < len(self.pattern) and self.pattern[self.at] != "]":
            parts.append(self._member())
        if self.at >= len(self.pattern):
            raise UnsupportedPatternError("a character class is not closed")
        self.at += 1
        if not parts:
            return r"[\x00-\U0010ffff]" if negated else "(?!)"
        return f"[{'^' if negated else ''}{''.join(parts)}]"

    def _member(self) -> str:
        start, is_set = self._atom()
        if self.pattern[self.at : self.at + 1] == "-" and self.pattern[self.at + 1 :][:1] not in {
            "]",
            "",
        }:
            self.at += 1
            end, end_is_set = self._atom()
            if is_set or end_is_set:
                raise UnsupportedPatternError("a character range with a class at one end")
            return f"{start}-{end}"
        return start

    def _atom(self) -> tuple[str, bool]:
        """One member of a class and whether it is a set of characters rather than one."""
        char = self.pattern[self.at]
        if char != "\\":
            self.at += 1
            return re.escape(char) if char.isascii() else char, False
        letter = self.pattern[self.at + 1 : self.at + 2]
        is_set = letter in {"d", "D", "w", "W", "s", "S", "p", "P"}
        return self._escape(in_class=True), is_set

    def _escape(self, *, in_class: bool) -> str:
        letter = self.pattern[self.at + 1 : self.at + 2]
        self.at += 2
        if letter in _CLASSES:
            return _CLASSES[letter] if in_class else f"[{_CLASSES[letter]}]"
        if letter in {"p", "P"}:
            return self._property(negated=letter == "P", in_class=in_class)
        if letter == "0" and self.pattern[self.at : self.at + 1].isdigit():
            raise UnsupportedPatternError("an octal escape")
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter in {"x", "u", "c"}:
            return self._code_point(letter)
        return self._literal(letter, in_class=in_class)

    @staticmethod
    def _literal(letter: str, *, in_class: bool) -> str:
        if letter == "b" and in_class:
            return r"\x08"
        if letter in {"b", "B"} and not in_class:
            return "\\" + letter
        if letter in _SYNTAX or (letter.isascii() and letter and not letter.isalnum()):
            # Unicode mode forbids `\\-` outside a class; browsers and authors do not.
            return re.escape(letter)
        if letter == "k" or letter.isdigit():
            # In ECMA-262 a reference to a group that took no part matches nothing; in Python it
            # fails. No exact counterpart.
            raise UnsupportedPatternError("a back reference")
        raise UnsupportedPatternError(f"\\{letter} is not an escape of ECMA-262")

    def _code_point(self, letter: str) -> str:
        forms = {
            "x": r"([0-9A-Fa-f]{2})",
            "c": r"([A-Za-z])",
            "u": r"(?:([0-9A-Fa-f]{4})|\{([0-9A-Fa-f]+)\})",
        }
        found = re.compile(forms[letter]).match(self.pattern, self.at)
        if not found:
            raise UnsupportedPatternError(f"an incomplete \\{letter}")
        self.at = found.end()
        if letter == "c":
            return f"\\x{ord(found[1]) % 32:02x}"
        code = int(found[1] or found[2], 16)
        if 0xD800 <= code < 0xDC00:
            low = re.compile(r"\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})").match(self.pattern, self.at)
            if low:
                self.at = low.end()
                code = 0x10000 + ((code - 0xD800) << 10) + (int(low[1], 16) - 0xDC00)
        if code > sys.maxunicode:
            raise UnsupportedPatternError("a code point beyond Unicode")
        return f"\\U{code:08x}"

    def _property(self, *, negated: bool, in_class: bool) -> str:
        found = re.compile(r"\{(?:(?:General_Category|gc)=)?([A-Za-z_]+)\}").match(
            self.pattern, self.at
        )
        if not found:
            raise UnsupportedPatternError("a Unicode property other than a general category")
        self.at = found.end()
        members = _category(_GENERAL_CATEGORIES.get(found[1], found[1]), negated=negated)
        return members if in_class else f"[{members}]"


@functools.lru_cache(maxsize=64)
def _category(name: str, *, negated: bool) -> str:
    """The members of a Unicode general category as ranges for a character class."""
    if name in {"Any", "ASCII"}:
        last = sys.maxunicode if name == "Any" else 0x7F
        inside = [code <= last for code in range(sys.maxunicode + 1)]
    else:
        inside = [
            unicodedata.category(chr(code)).startswith(name) for code in range(sys.maxunicode + 1)
        ]
        if name not in set(_GENERAL_CATEGORIES.values()) | {
            "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Zl", "Zp", "Cn", "Co", "Cs",
        }:  # fmt: skip
            raise UnsupportedPatternError(f"\\p{{{name}}} is not a general category")
    ranges: list[str] = []
    start: int | None = None
    for code in range(sys.maxunicode + 2):
        member = code <= sys.maxunicode and inside[code] != negated
        if member and start is None:
            start = code
        elif not member and start is not None:
            ranges.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = None
    return "".join(ranges)
