"""Expressions over bytes for the cells of delimited text that hold what a column accepts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.plan import Column, Plan
from mesh.validation.types import json_types
from mesh.validation.value_bytes import ANNOTATIONS, number_bytes, string_bytes
from mesh.validation.writing import WIDE, Writing

_ASCII = frozenset(range(128))
_LINE_ENDS = frozenset({0, 10, 13})
_SHAPES = frozenset({"pattern", "format", "enum", "const"})
UTF8_NAMES = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class CellBytes:
    """Expressions for the cells of one dialect."""

    def __init__(
        self, plan: Plan, separator: bytes, half: Literal["shapes", "lengths"] | None = None
    ) -> None:
        self._plan, self._dialect, self._half = plan, plan.dialect, half
        quote = (self._dialect.quote or "").encode()
        special = _LINE_ENDS | set(separator) | set(quote)
        wide = WIDE
        if plan.dialect.encoding.lower().replace("_", "-") not in UTF8_NAMES:
            wide = rb"[\x80-\xff]"
        self.separator, self._quote = re.escape(separator), re.escape(quote)
        self._end = b"(?=" + self.separator + rb"|\r?\n)"
        self._bare = Writing(plain=_ASCII - special, wide=wide, half=half)
        doubled = (self._quote * 2,) if quote else ()
        inside = _ASCII - {0, 10} - set(quote)
        quoted = Writing(plain=inside, wide=wide, escaped=doubled, half=half)
        self._quoted = quoted if quote else None
        tokens = [re.escape(token.encode()) for token in self._dialect.null_tokens if token]
        self._tokens = b"(?:" + b"|".join(tokens) + b")" if tokens else b""
        self.any_cell = self._any_cell()

    def _any_cell(self) -> bytes:
        plain = self._bare.any_text(0, None)
        if not self._quote:
            return plain
        within = b"(?:[^" + self._quote + rb"\n\0]++|" + self._quote * 2 + b")*+"
        return b"(?:" + plain + b"|" + self._quote + within + self._quote + b")"

    def cutter(self, columns: Sequence[int], count: int) -> re.Pattern[bytes]:
        """Finds the cells of some columns in a run of records."""
        plain = b"[^" + self.separator + rb"\r\n" + self._quote + b"]*+"
        cell = plain
        if self._quote:
            within = b"(?:[^" + self._quote + b"]++|" + self._quote * 2 + b")*+"
            cell = b"(?:" + plain + b"|" + self._quote + within + self._quote + b")"
        parts = [b"(" + cell + b")" if i in columns else cell for i in range(columns[-1] + 1)]
        rest = b"" if columns[-1] == count - 1 else self.separator + rb"[^\n]*+"
        return re.compile(self.separator.join(parts) + rest + rb"\r?\n")

    def record(self, parts: Sequence[bytes]) -> bytes:
        """An expression for a record of these cells, which looks at no cell twice."""
        ends = [self.separator] * (len(parts) - 1) + [rb"\r?\n"]
        return b"".join(b"(?>" + part + end + b")" for part, end in zip(parts, ends, strict=True))

    def usual(self, column: Column) -> bytes:
        """An expression for such cells as most writers write them: quoted only where free text is.

        It spares the matcher half of its choices.
        """
        free = column.reading == "text" and not column.schema.keys() & _SHAPES
        return self.good(column, quoted=free)

    def good(self, column: Column, *, quoted: bool = True) -> bytes:
        """An expression for the cells of a column whose value the reference accepts."""
        forms = self._forms(column)
        forms = forms if quoted else forms[:1]
        empty_allowed = column.nullable or not column.required
        bare = forms[0]
        if self._tokens and not empty_allowed and self._may_be_token(bare):
            if self._half:
                raise BeyondSubsetError  # lines cannot look ahead
            bare = b"(?!" + self._tokens + self._end + b")" + bare
        found = [bare, *forms[1:]]
        if empty_allowed:
            found += [self._tokens] if self._tokens else []
            found.append(b"")
        return b"(?:" + b"|".join(found) + b")"

    def _may_be_token(self, bare: bytes) -> bool:
        tokens = (token.encode() for token in self._dialect.null_tokens)
        return any(re.fullmatch(bare, token) for token in tokens if token)

    def _forms(self, column: Column) -> list[bytes]:
        """The bare form, then the quoted one."""
        if column.reading == "text":
            bare = string_bytes(column.schema, self._bare, self._end)
            if not self._quoted:
                return [bare]
            try:
                inner = string_bytes(column.schema, self._quoted, self._quote + self._end)
            except BeyondSubsetError:
                return [bare]
            return [bare, self._quote + inner + self._quote]
        types = json_types(column.schema, self._plan.record)
        if column.reading == "number":
            bare = number_bytes(column.schema, types, self._dialect.decimal_mark.encode())
        elif column.reading == "boolean" and column.schema.keys() - ANNOTATIONS == {"type"}:
            tokens = (*self._dialect.true_tokens, *self._dialect.false_tokens)
            written = [self._bare.literal(token) for token in tokens if token]
            bare = b"(?:" + b"|".join(text for text in written if text) + b")"
        else:
            raise BeyondSubsetError
        return [bare, self._quote + bare + self._quote] if self._quoted else [bare]
