"""Formats that are no text lines, judged as JSON Lines: one engine, one reading of the contract.

Each of these formats is turned into lines of JSON that hold exactly its values, block by block, and
`JsonLinesReader` judges them. Only the place of a bad record has to be told in the terms of the
file it came from.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mesh.validation.blocks import text_blocks
from mesh.validation.faults import Fault
from mesh.validation.file_format import FileFormat
from mesh.validation.json_reader import JsonLinesReader
from mesh.validation.keys import KeyIndex
from mesh.validation.origins import JsonElements, Origin, Rows
from mesh.validation.plan import Plan
from mesh.validation.report import ColumnRows, Limits
from mesh.validation.tally import Tally


def _places() -> array[int]:
    return array("Q")


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordLines:
    """Some records as lines of JSON, and where each stands in the file it came from.

    Attributes:
        data: Whole lines, one per record; line ends within a record are gone.
        lines: Physical line (of a sheet: row number) of each record; empty where a format has
            none, and the record's number counts then.
        starts, ends: Offsets of each record; empty where a format has none.
        origin: The rows as the file holds them, so that bad ones can be given back.
    """

    data: bytes
    lines: Sequence[int] = field(default_factory=_places)
    starts: Sequence[int] = field(default_factory=_places)
    ends: Sequence[int] = field(default_factory=_places)
    origin: Rows | None = None


class PlacedTally(Tally):
    """A tally that tells of bad records where they stand in the file, not among the lines."""

    of_lines = False
    _block = RecordLines(data=b"")
    _before = 0
    _refused: list[int] | None = None

    def place(self, block: RecordLines, index: int = 0) -> None:
        """The records that come next are those of this block, from the one at an index on."""
        self._block, self._before = block, self.rows - index

    @contextmanager
    def apart(self) -> Iterator[list[int]]:
        """Count good records, but do not pass them on: that is done by `columns`.

        Gives the numbers of the bad ones.
        """
        self._refused = []
        try:
            yield self._refused
        finally:
            self._refused = None

    def columns(self, rows: ColumnRows) -> None:
        """Pass on good records that are counted."""
        self._sink.accepted_columns(rows)

    def good(self, data: bytes, records: int) -> None:
        if self._refused is None:
            super().good(data, records)
        else:
            self.rows += records

    def bad(
        self,
        raw: bytes,
        *,
        line: int,
        start: int,
        text: str,
        faults: Sequence[Fault],
        size: int | None = None,
        origin: Origin | None = None,
    ) -> None:
        if self._refused is not None:
            self._refused.append(self.rows + 1)
        at, block = self.rows - self._before, self._block
        line = block.lines[at] if block.lines else self.rows + 1
        start = block.starts[at] if block.starts else 0
        size = block.ends[at] - start if block.ends else 0
        if block.origin is not None:
            origin = Origin(rows=block.origin, index=at)
        if isinstance(block.origin, JsonElements):
            raw = block.origin.elements[at]
        super().bad(raw, line=line, start=start, text=text, faults=faults, size=size, origin=origin)


def judge_records(
    plan: Plan,
    pieces: Iterable[bytes],
    file_format: FileFormat,
    tally: PlacedTally,
    limits: Limits,
    keys: KeyIndex | None = None,
) -> None:
    """Judge a file of any format but text lines.

    Args:
        plan: The contract.
        pieces: The decompressed file, cut anywhere.
        file_format: Which format it has.
        tally: Is told of each record.
        limits: Bounds on memory.
        keys: Those of records that this file joins.

    Raises:
        FileRefusedError: The file cannot be read, or its columns are not the contract's.
    """
    if file_format.kind == "parquet":
        from mesh.validation.parquet_reader import judge_parquet

        judge_parquet(plan, pieces, tally, limits, keys)
        return
    reader = JsonLinesReader(plan, tally, limits, keys)
    for block in _blocks(plan, pieces, file_format, limits):
        tally.place(block)
        reader.feed(block.data)
    if tally.rows:
        reader.finish()


def _blocks(
    plan: Plan, pieces: Iterable[bytes], file_format: FileFormat, limits: Limits
) -> Iterator[RecordLines]:
    if file_format.kind == "json":
        from mesh.validation.json_array import array_blocks

        return array_blocks(text_blocks(pieces, "utf-8"), limits)
    if file_format.kind == "avro":
        from mesh.validation.avro_reader import avro_blocks

        return avro_blocks(plan, pieces)
    from mesh.validation.excel_reader import excel_blocks

    return excel_blocks(plan, pieces)
