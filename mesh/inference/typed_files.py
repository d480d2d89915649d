"""Files that are no text lines: their records as the engine reads them, and their own types."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from mesh.model.contract import DataContract
from mesh.validation import (
    FileFormat,
    Limits,
    Plan,
    RejectedRecord,
    ValidationReport,
    compile_object,
    validate,
)
from mesh.validation.blocks import plain_chunks
from mesh.validation.file_columns import FileColumn
from mesh.validation.file_types import own_columns
from mesh.validation.origins import SheetRows
from mesh.validation.report import ColumnRows

Record = dict[str, Any]
_SAMPLE = Limits(sample=3)
_DECODER = json.JSONDecoder(parse_float=Decimal)


def read_records(
    opened: Callable[[], Iterable[bytes]], file_format: FileFormat, take: Callable[[Record], None]
) -> tuple[ValidationReport, Mapping[str, FileColumn]]:
    """Give every record to `take`; says what the engine says of the file without any rule.

    Returns:
        The report, and the columns by name where the file has types of its own and was read.
    """
    formats: Mapping[str, str] = {}
    if file_format.kind == "xlsx":
        formats = _dates(plain_chunks(opened(), file_format.compression))
    report = validate(
        _open_plan(formats),
        opened(),
        file_format=file_format,
        sink=_Taking(take),
        limits=_SAMPLE,
    )
    if report.problems:
        return report, {}
    pieces = plain_chunks(opened(), file_format.compression)
    return report, {column.name: column for column in own_columns(pieces, file_format)}


class _Taking:
    """A sink that reads the lines of JSON which records are passed on as."""

    def __init__(self, take: Callable[[Record], None]) -> None:
        self._take = take

    def header(self, data: bytes) -> None:
        """These formats have none."""

    def accepted(self, data: bytes) -> None:
        for line in data.decode("utf-8", "surrogatepass").split("\n"):
            if line.strip():
                self._take(_DECODER.decode(line))

    def accepted_columns(self, rows: ColumnRows) -> None:
        self.accepted(rows.lines())

    def rejected(self, record: RejectedRecord) -> None:
        """The report tells of it."""


def _open_plan(formats: Mapping[str, str]) -> Plan:
    """A contract that takes everything; of a sheet it says which cells are dates."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {name: {"format": form} for name, form in formats.items()},
    }
    return compile_object(DataContract.from_json_schema(schema, name="any"), "any")


def _dates(pieces: Iterable[bytes]) -> Mapping[str, str]:
    """The columns of a sheet whose cells are all dates, or all times: Excel stores numbers."""
    from mesh.validation.excel_reader import excel_blocks
    from mesh.validation.report import FileRefusedError

    found: dict[str, set[str]] = {}
    try:
        for block in excel_blocks(_open_plan({}), pieces):
            if isinstance(block.origin, SheetRows):
                for name, kind in _cells(block.origin):
                    found.setdefault(name, set()).add(kind)
    except FileRefusedError:
        return {}  # whoever reads it next tells why
    formats = {}
    for name, seen in found.items():
        if len(seen) == 1 and "" not in seen:
            formats[name] = next(iter(seen))
        elif seen == {"date", "local-date-time"}:
            formats[name] = "local-date-time"
    return formats


def _cells(rows: SheetRows) -> Iterator[tuple[str, str]]:
    for row in rows.rows:
        for name, cell in zip(rows.names, row, strict=False):
            if name is not None and cell.value is not None:
                yield name, _kind(cell.value)


def _kind(value: object) -> str:
    if isinstance(value, dt.datetime):
        return "date" if value.time() == dt.time() else "local-date-time"
    if isinstance(value, dt.date):
        return "date"
    return "local-time" if isinstance(value, dt.time) else ""
