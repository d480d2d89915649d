"""The records of delimited text and JSON Lines, and how the text is written."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mesh.errors import Rejected
from mesh.inference.kinds import NUMBER

SEPARATORS = (",", ";", "\t", "|")
FALLBACK = "windows-1252"
LONGEST_RECORD = 4 << 20
_SAMPLE = 1 << 16
_SAMPLED_ROWS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How a delimited file is written.

    Attributes:
        names: of the columns, in the order of the file.
        named_by_file: whether its first record names them.
        agreement: share of the first records that have as many cells as the first.
    """

    separator: str
    encoding: str
    names: tuple[str, ...]
    named_by_file: bool
    agreement: float


def encoding_of(chunks: Iterable[bytes]) -> str:
    """UTF-8, if all of the file is; UTF-16 by its mark; else what Windows used to write."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    first = True
    try:
        for chunk in chunks:
            if first and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16"
            first = False
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return FALLBACK
    return "utf-8"


def layout_of(chunks: Iterable[bytes], *, encoding: str, usual: str) -> Layout:
    """Separator and header, from the beginning of a file.

    Raises:
        Rejected: the file is empty.
    """
    text = _beginning(chunks, encoding)
    candidates = [usual, *(mark for mark in SEPARATORS if mark != usual)]
    parsed = [(mark, _parsed(text, mark)) for mark in candidates]
    mark, rows = max(parsed, key=lambda entry: _evenness(entry[1]))
    if not rows:
        message = "The file is empty: there is nothing to infer a contract from."
        raise Rejected(message, problem="nothing-to-infer")
    first = rows[0]
    has_header = _is_header(first)
    names = first if has_header else [f"column{place + 1}" for place in range(len(first))]
    return Layout(
        separator=mark,
        encoding=encoding,
        names=tuple(names),
        named_by_file=has_header,
        agreement=_evenness(rows)[0],
    )


def csv_records(chunks: Iterable[bytes], layout: Layout) -> Iterator[list[str]]:
    """The records of delimited text, without the header.

    Raises:
        Rejected: a carriage return stands alone outside of quotes, or a cell is too long.
    """
    reader = csv.reader(_lines(chunks, layout.encoding), delimiter=layout.separator)
    csv.field_size_limit(LONGEST_RECORD)
    try:
        if layout.named_by_file:
            next(reader, None)
        for row in reader:
            if row:
                yield row
            elif len(layout.names) == 1:
                yield [""]
    except csv.Error:
        message = (
            f"The cells of line {reader.line_num} cannot be told apart: a carriage return stands "
            f"alone outside of quotes, or a cell is longer than {LONGEST_RECORD} characters."
        )
        raise Rejected(message, problem="nothing-to-infer") from None


def json_records(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The objects of JSON Lines; fractions come as exact decimals.

    Raises:
        Rejected: a line is no JSON object.
    """
    for place, line in enumerate(_lines(chunks, "utf-8"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_float=Decimal)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            message = f"Line {place} is not a JSON object; a contract describes lines that are."
            raise Rejected(message, problem="nothing-to-infer")
        yield value


def _lines(chunks: Iterable[bytes], encoding: str) -> Iterator[str]:
    """Lines with their ends, of bounded length; only LF ends one."""
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    decoder = codecs.getincrementaldecoder(name)(errors="replace")
    held = ""
    for chunk in chunks:
        *whole, held = (held + decoder.decode(chunk)).split("\n")
        yield from (f"{line}\n" for line in whole)
        if len(held) > LONGEST_RECORD:
            message = f"A line is longer than {LONGEST_RECORD} characters."
            raise Rejected(message, problem="nothing-to-infer")
    held += decoder.decode(b"", final=True)
    if held:
        yield held


def _beginning(chunks: Iterable[bytes], encoding: str) -> str:
    text = ""
    for line in _lines(chunks, encoding):
        text += line
        if len(text) > _SAMPLE:
            break
    return text


def _parsed(text: str, mark: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark):
            if row:
                rows.append(row)
            if len(rows) == _SAMPLED_ROWS:
                break
    except csv.Error:
        return rows[:1]
    return rows


def _evenness(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Share of records with as many cells as the first, then how many; one cell says nothing."""
    if not rows or len(rows[0]) < 2:
        return 0.0, 1
    widths = Counter(len(row) for row in rows)
    return widths[len(rows[0])] / len(rows), len(rows[0])


def _is_header(row: Sequence[str]) -> bool:
    """Names are there, differ, and are no numbers."""
    return (
        all(cell.strip() for cell in row)
        and len(set(row)) == len(row)
        and not any(NUMBER.fullmatch(cell) for cell in row)
    )
