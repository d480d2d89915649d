"""The structure of delimited text: where records and cells end, and what a cell says.

RFC 4180, made strict where a lenient reader would guess: nothing may follow a closing quote, and
a quote that is never closed is an error at the record it opens in. A quote in the middle of an
unquoted cell is an ordinary character. Lines end in LF or CRLF; a lone CR is an ordinary
character, too.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mesh.model.contract_profile import Dialect


class Cell(NamedTuple):
    """A cell's text, whether it stood in quotes, and whether anything followed the quotes."""

    text: str
    quoted: bool
    broken: bool


class CsvGrammar:
    """The expressions for one dialect.

    Attributes:
        record: Matches one record at its beginning, without its line end. Where the match ends
            at a quote, that quote is not closed within the data.
    """

    def __init__(self, dialect: Dialect, separator: str) -> None:
        self._quote, self._escape = dialect.quote, dialect.escape
        self._encoding = dialect.encoding
        if self._encoding.lower().replace("_", "-").startswith("utf"):
            self._encoding = "utf-8"
        self.separator = separator.encode("ascii")
        s = re.escape(self.separator)
        q = re.escape(dialect.quote.encode("ascii")) if dialect.quote else b""
        e = re.escape(dialect.escape.encode("ascii")) if dialect.escape else b""
        escaped = b"|" + e + b"." if e else b""
        plain = b"(?:[^" + s + b"\\n" + e + b"]++" + escaped + b")*+"
        quoted = q + b"(?:[^" + q + e + b"]++|" + q + q + escaped + b")*+" + q
        after = b"[^" + s + b"\\n]*+"
        cell = (
            b"(?:" + quoted + after + b"|(?!" + q + b")" + plain + b")"
            if q
            else b"(?:" + plain + b")"
        )
        # An unclosed quote matches no cell: the record then ends before it.
        self.record = re.compile(cell + b"?(?:" + s + cell + b"?)*+", re.DOTALL)
        cut = (
            b"(" + quoted + b")(" + after + b")|(" + plain + b")" if q else b"()()(" + plain + b")"
        )
        self._cells = re.compile(s + b"(?:" + cut + b")", re.DOTALL)

    def cells(self, record: bytes) -> list[Cell]:
        """The cells of one record without its line end."""
        found = self._cells.findall(self.separator + record)
        return [self._cell(*parts) for parts in found]

    def cell(self, written: bytes) -> Cell:
        """A cell that was cut out of a record."""
        if self._quote and written.startswith(self._quote.encode("ascii")):
            return self.cells(written)[0]
        return self._cell(b"", b"", written)

    def _cell(self, quoted: bytes, after: bytes, plain: bytes) -> Cell:
        if not quoted:
            return Cell(self._unescaped(plain.decode(self._encoding)), quoted=False, broken=False)
        assert self._quote
        text = quoted[1:-1].decode(self._encoding)
        if self._escape:
            text = self._unescaped(text.replace(self._quote * 2, self._escape + self._quote))
        else:
            text = text.replace(self._quote * 2, self._quote)
        return Cell(text, quoted=True, broken=bool(after))

    def _unescaped(self, text: str) -> str:
        if not self._escape or self._escape not in text:
            return text
        return re.sub(re.escape(self._escape) + "(.)", r"\1", text, flags=re.DOTALL)

    def text(self, record: bytes) -> str:
        """The record as text."""
        return record.decode(self._encoding)


def without_line_end(record: bytes) -> bytes:
    """The record without the LF or CRLF that ends it."""
    if record.endswith(b"\n"):
        record = record[:-1]
    return record[:-1] if record.endswith(b"\r") else record
