"""Good records of an earlier file, with which a file of corrections is judged as one."""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Literal

from mesh.validation.blocks import text_blocks
from mesh.validation.csv_cells import CsvGrammar, without_line_end
from mesh.validation.csv_reader import CsvReader
from mesh.validation.json_reader import JsonLinesReader
from mesh.validation.key_bytes import Parts
from mesh.validation.keys import KeyIndex
from mesh.validation.plan import Plan
from mesh.validation.references import Reference
from mesh.validation.report import (
    ColumnRows,
    FileRefusedError,
    Limits,
    RejectedRecord,
    Sink,
)
from mesh.validation.tally import Tally

_IN_MEMORY = 8 << 20
_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Records that were judged good, as text.

    Attributes:
        file: Delimited text with its header, or JSON Lines; closed by whoever made it.
        kind: Which of the two.
        separator: Of delimited text.
    """

    file: IO[bytes]
    kind: Literal["csv", "jsonl"]
    separator: str | None
    rows: int

    def pieces(self) -> Iterator[bytes]:
        """The text, from its beginning."""
        self.file.seek(0)
        while piece := self.file.read(_PIECE):
            yield piece


class RecordedReference(Reference):
    """A relationship as it was judged before: the rows that pointed at nothing then do so again.

    Args:
        rows: Of the file that is judged again.
    """

    def __init__(self, rows: Collection[int]) -> None:
        self.label, self.unknown = "", 0
        self._rows = rows

    def orphans(self, columns: Sequence[Parts], rows: Sequence[int]) -> list[int]:  # noqa: ARG002 - seen then
        return [index for index, row in enumerate(rows) if row in self._rows]

    def warning(self) -> None:
        """Nothing: it was told before."""


def temporary() -> IO[bytes]:
    """A file for `Kept`: in memory while it is small."""
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)


def replay(plan: Plan, kept: Kept, tally: Tally, limits: Limits) -> KeyIndex:
    """Pass kept records on as good ones; what comes next is counted by `tally`.

    Their rows are numbered up to 0: rows of the file that is being judged begin with 1.

    Returns:
        The keys of the kept records, which no later record may have.

    Raises:
        FileRefusedError: A record that was good is not any more: what it points at is gone.
    """
    separator = plan.dialect.separator or kept.separator or ","
    sink = _JoinedSink(tally.sink, CsvGrammar(plan.dialect, separator))
    first = Tally(plan, sink, limits)
    first.rows = -kept.rows
    keys = KeyIndex(plan)
    reader: CsvReader | JsonLinesReader
    if kept.kind == "csv":
        reader = CsvReader(plan, separator, first, limits, keys)
    else:
        reader = JsonLinesReader(plan, first, limits, keys)
    for block in text_blocks(kept.pieces(), _encoding(plan, kept)):
        reader.feed(block)
    assert first.rows == 0  # the text is whole lines
    if lost := first.report((), 0).rejected:
        raise FileRefusedError(
            "mends",
            f"{lost:,} good records of the file that this one mends point at nothing any more.",
            "Drop the whole file again, corrected, where the first one was dropped.",
        )
    tally.follow(first, kept.rows, sink)
    return keys


def _encoding(plan: Plan, kept: Kept) -> str:
    """UTF-16 was recoded when the records were read; other encodings came through."""
    if kept.kind == "jsonl" or codecs.lookup(plan.dialect.encoding).name.startswith("utf-16"):
        return "utf-8"
    return plan.dialect.encoding


class _JoinedSink:
    """Passes one header on; a second must name the same columns in the same order."""

    def __init__(self, sink: Sink, grammar: CsvGrammar) -> None:
        self._sink, self._grammar = sink, grammar
        self._names: list[str] | None = None

    def header(self, data: bytes) -> None:
        names = [cell.text for cell in self._grammar.cells(without_line_end(data))]
        if self._names is None:
            self._names = names
            self._sink.header(data)
        elif names != self._names:
            raise FileRefusedError(
                "header",
                "The columns are not those of the file that this one mends, in their order.",
                f"Begin with the header of the reject file: {', '.join(self._names)}.",
            )

    def accepted(self, data: bytes) -> None:
        self._sink.accepted(data)

    def accepted_columns(self, rows: ColumnRows) -> None:
        self._sink.accepted_columns(rows)

    def rejected(self, record: RejectedRecord) -> None:
        self._sink.rejected(record)
