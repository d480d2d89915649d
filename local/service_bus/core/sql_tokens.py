"""The SQL of rules: text into words, names, strings, numbers, parameters and symbols."""

from __future__ import annotations

import re
from dataclasses import dataclass

from local.service_bus.core.errors import InvalidArgumentError


class SqlSyntaxError(InvalidArgumentError):
    """The expression does not follow the grammar; the message shows where."""


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is word, name (delimited), string, number, parameter, symbol or end."""

    kind: str
    text: str
    position: int


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<string>'(?:[^']|'')*')
    | (?P<name>\[(?:[^\]]|\]\])+\]|"(?:[^"]|"")+")
    | (?P<parameter>@[^\W\d]\w*)
    | (?P<word>[^\W\d_]\w*)
    | (?P<symbol><>|!=|>=|<=|[=<>+\-*/%(),.;])
    )""",
    re.VERBOSE,
)


def tokens(text: str) -> list[Token]:
    """Split an expression.

    Raises:
        SqlSyntaxError: a character that begins no token, or a string without an end.
    """
    found, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            position += len(text[position:]) - len(text[position:].lstrip())
            raise error_at(text, position, "unexpected character or unfinished quotation")
        start = match.start(match.lastgroup)
        found.append(Token(match.lastgroup, match[match.lastgroup], start))
        position = match.end()
    found.append(Token("end", "end of expression", end))
    return found


def error_at(text: str, position: int, problem: str) -> SqlSyntaxError:
    """The error to raise at a position (from 0) of an expression."""
    shown = text if len(text) <= 120 else f"{text[:117]}..."
    return SqlSyntaxError(f"SQL error at character {position + 1} of `{shown}`: {problem}.")
