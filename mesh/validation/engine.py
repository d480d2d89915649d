"""Judges the bytes of one file by a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mesh.validation.blocks import plain_chunks, text_blocks
from mesh.validation.csv_reader import CsvReader
from mesh.validation.file_format import FileFormat
from mesh.validation.joining import Kept, replay
from mesh.validation.json_reader import JsonLinesReader
from mesh.validation.keys import KeyIndex
from mesh.validation.plan import Plan
from mesh.validation.record_lines import PlacedTally, judge_records
from mesh.validation.report import (
    FileProblem,
    FileRefusedError,
    Limits,
    Sink,
    ValidationReport,
)
from mesh.validation.run_finders import feed_all
from mesh.validation.tally import Tally

_DEFAULT = Limits()


def validate(
    plan: Plan,
    chunks: Iterable[bytes],
    *,
    file_format: FileFormat,
    sink: Sink,
    limits: Limits = _DEFAULT,
    kept: Kept | None = None,
) -> ValidationReport:
    """Judge a file, passing its records on while it is read, in memory that does not grow with it.

    Whatever the file holds, the answer is a report: it raises only what reading `chunks` or
    writing to `sink` raises. What went to the sink counts only if the verdict is `accepted`.

    Args:
        plan: The contract, compiled for the object that the file holds.
        chunks: The bytes of the file, cut anywhere.
        file_format: How to read it.
        sink: Where good and bad records go.
        limits: Bounds on memory.
        kept: Good records of an earlier file that this one joins: they go to the sink first, and
            keys and rules that span records are about both. Rows and counts are of this file.
    """
    is_text = file_format.kind in {"csv", "jsonl"}
    tally = Tally(plan, sink, limits) if is_text else PlacedTally(plan, sink, limits)
    counter = _Counter()
    problems: list[FileProblem] = []
    compression = plan.dialect.compression or file_format.compression
    try:
        keys = None if kept is None else replay(plan, kept, tally, limits)
        pieces = counter.counting(plain_chunks(chunks, compression))
        if isinstance(tally, PlacedTally):
            judge_records(plan, pieces, file_format, tally, limits, keys)
            return tally.report(problems, counter.size)
        reader = _reader(plan, file_format, tally, limits, keys)
        encoding = plan.dialect.encoding if file_format.kind == "csv" else "utf-8"
        feed_all(reader, text_blocks(pieces, encoding, limits.block_bytes), limits)
        reader.finish()
    except FileRefusedError as refusal:
        problems.append(refusal.problem)
    return tally.report(problems, counter.size)


def _reader(
    plan: Plan, file_format: FileFormat, tally: Tally, limits: Limits, keys: KeyIndex | None
) -> CsvReader | JsonLinesReader:
    if file_format.kind == "jsonl":
        return JsonLinesReader(plan, tally, limits, keys)
    separator = plan.dialect.separator or file_format.separator or ","
    return CsvReader(plan, separator, tally, limits, keys)


class _Counter:
    """Counts the bytes that pass."""

    def __init__(self) -> None:
        self.size = 0

    def counting(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.size += len(chunk)
            yield chunk
