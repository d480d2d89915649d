"""Reads one sheet of an Excel workbook row by row; cells count as what Excel stores in them."""

from __future__ import annotations

import datetime as dt
import zipfile
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import IO, Any

from mesh.validation.arrow_text import json_text
from mesh.validation.file_columns import FileColumn, compare_columns
from mesh.validation.origins import SheetRows
from mesh.validation.plan import Plan
from mesh.validation.record_lines import RecordLines
from mesh.validation.report import FileRefusedError
from mesh.validation.signatures import OLE
from mesh.validation.spool import spooled

MOST_SPOOLED = 256 << 20
MOST_UNPACKED = 2 << 30
MOST_SHARED_TEXTS = 64 << 20
MOST_COLUMNS = 16_384
_ROWS = 500
_EPOCH = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - Excel knows no time zones
_DAY = dt.timedelta(days=1)


def excel_blocks(plan: Plan, pieces: Iterable[bytes]) -> Iterator[RecordLines]:
    """The rows of a sheet, as lines: the first sheet, or the one the dialect names.

    Raises:
        FileRefusedError: The workbook cannot be read, or its columns are not the contract's.
    """
    with spooled(pieces, most=MOST_SPOOLED) as file:
        _refuse_unsound(file)
        yield from _blocks(plan, file)


def _blocks(plan: Plan, file: IO[bytes]) -> Iterator[RecordLines]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # noqa: BLE001 - the library raises whatever broken parts lead it to
        raise _unreadable(error) from None
    try:
        yield from _sheet_blocks(plan, _sheet(book, plan.dialect.sheet))
    except FileRefusedError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        raise _unreadable(error) from None
    finally:
        book.close()


def _sheet(book: Any, name: str | None) -> Any:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if not sheets or (name is not None and name not in sheets):
        raise FileRefusedError(
            "sheet",
            f"The workbook has no sheet {name!r}; it has {', '.join(map(repr, sheets))}."
            if sheets
            else "The workbook has no sheet with cells.",
            "Name the sheet as the contract's fileDialect says, or leave `sheet` out to read the "
            "first one.",
        )
    return sheets[name] if name is not None else next(iter(sheets.values()))


def _sheet_blocks(plan: Plan, sheet: Any) -> Iterator[RecordLines]:
    sheet.reset_dimensions()  # what it says of its size may be wrong, and rows would be padded
    rows = sheet.iter_rows()
    names, head = _header(plan, rows)
    formats = {c.name: c.schema.get("format") for c in plan.columns if isinstance(c.schema, dict)}
    absent = frozenset(column.name for column in plan.columns if not column.nullable)
    texts: list[str] = []
    lines: array[int] = array("Q")
    kept: list[Sequence[Any]] = []
    for cells in rows:
        if len(cells) > MOST_COLUMNS:
            raise _too_wide()
        filled = [cell for cell in cells if cell.value is not None]
        if not filled:
            continue
        record = {name: None for name in names if name is not None and name not in absent}
        for index, cell in enumerate(cells):
            name = names[index] if index < len(names) else f"(column {index + 1})"
            if cell.value is not None and name is not None:
                record[name] = _value(cell, formats.get(name))
        texts.append(json_text(record))
        lines.append(filled[0].row)
        kept.append(cells)
        if len(texts) >= _ROWS:
            yield _lines(texts, lines, SheetRows(title=sheet.title, names=head, rows=kept))
            texts, lines, kept = [], array("Q"), []
    if texts:
        yield _lines(texts, lines, SheetRows(title=sheet.title, names=head, rows=kept))


def _lines(texts: list[str], lines: array[int], origin: SheetRows) -> RecordLines:
    data = "\n".join([*texts, ""]).encode("utf-8", "surrogatepass")
    return RecordLines(data=data, lines=lines, origin=origin)


def _header(plan: Plan, rows: Iterator[Sequence[Any]]) -> tuple[list[str | None], list[str | None]]:
    """The names of the columns, None for one that is not to be read; and as the sheet has them."""
    if not plan.dialect.header:
        names: list[str | None] = [column.name for column in plan.columns]
        return names, names
    cells = next((row for row in rows if any(cell.value is not None for cell in row)), ())
    if len(cells) > MOST_COLUMNS:
        raise _too_wide()
    found = [None if cell.value is None else str(cell.value).strip() for cell in cells]
    while found and found[-1] is None:
        found.pop()
    if not found:
        raise FileRefusedError(
            "empty",
            "The sheet is empty: it holds neither a header nor a row.",
            "Write the names of the columns into the first row.",
        )
    if None in found:
        raise FileRefusedError(
            "columns",
            f"Column {found.index(None) + 1} of the sheet has no name in the first row.",
            "Name every column, and keep titles and notes out of the sheet.",
        )
    known = {column.name for column in plan.columns}
    if known and not known & set(found):
        # It may be data, which not everybody may see.
        raise FileRefusedError(
            "header",
            "The first row of the sheet names none of the contract's columns.",
            "Write the names of the columns into the first row, or say `header: false` in the "
            "contract's fileDialect.",
        )
    # A sheet says nothing of the types of its columns: each cell is judged for itself.
    columns = [FileColumn(name=str(name), type="any", json="null") for name in found]
    wanted = set(compare_columns(plan, columns, typed=False))
    return [name if name in wanted else None for name in found], found


def _value(cell: Any, wanted: str | None) -> Any:
    """What a cell holds, in JSON.

    A date is a number that a cell's number format shows as a date: it is read as a date only where
    the contract wants one, and is the number it is elsewhere.
    """
    value = cell.value
    if cell.data_type == "e":
        return {"error": str(value)}
    if isinstance(value, dt.datetime):
        if wanted == "date" and value.time() == dt.time():
            return value.date()
        return value if wanted in {"date", "local-date-time", "date-time"} else _serial(value)
    if isinstance(value, dt.date):
        return value
    if isinstance(value, dt.time):
        if wanted == "local-time":
            return value
        return _serial(dt.datetime.combine(_EPOCH.date(), value))
    return Decimal(repr(value / _DAY)) if isinstance(value, dt.timedelta) else value


def _serial(moment: dt.datetime) -> Decimal:
    return Decimal(repr((moment - _EPOCH) / _DAY))


def _refuse_unsound(file: IO[bytes]) -> None:
    """Look at the archive's directory before anything in it is unpacked."""
    head = file.read(len(OLE))
    file.seek(0)
    if head == OLE:
        raise FileRefusedError(
            "encrypted",
            "The workbook is protected by a password, or of a format before .xlsx.",
            "Save it as .xlsx without a password.",
        )
    try:
        with zipfile.ZipFile(file) as archive:
            sizes: Mapping[str, int] = {i.filename: i.file_size for i in archive.infolist()}
    except Exception as error:  # noqa: BLE001 - as above
        raise _unreadable(error) from None
    file.seek(0)
    unpacked, texts = sum(sizes.values()), sizes.get("xl/sharedStrings.xml", 0)
    if unpacked > MOST_UNPACKED or texts > MOST_SHARED_TEXTS:
        raise FileRefusedError(
            "fileSize",
            f"The workbook unpacks to {unpacked:,} bytes, {texts:,} of them shared texts; the "
            f"most are {MOST_UNPACKED:,} and {MOST_SHARED_TEXTS:,}.",
            "Send CSV or JSON Lines, which may have any size.",
        )


def _too_wide() -> FileRefusedError:
    return FileRefusedError(
        "columns",
        f"The sheet has more than {MOST_COLUMNS:,} columns, the most that a sheet may have.",
        "Write only the columns of the contract.",
    )


def _unreadable(error: Exception) -> FileRefusedError:
    said = (str(error).split("\n", 1)[0].rstrip(".") or type(error).__name__)[:200]
    return FileRefusedError(
        "xlsx", f"The workbook cannot be read: {said}.", "Save it as .xlsx again and resend it."
    )
