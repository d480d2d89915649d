"""Bad rows of a sheet as a workbook with that sheet alone."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
import zipfile
from typing import Any

from mesh.validation.origins import SheetRows
from mesh.validation.reject_file import UnwritableError
from mesh.validation.report import RejectedRecord
from mesh.validation.writable import Stream, Writable

_IN_MEMORY = 8 << 20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_TIMES = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


class WorkbookBody:
    """Cells hold what they held, and dates still look like dates; formulas are their values."""

    def __init__(self, to: Writable, *, header: bool) -> None:
        self._to, self._header = to, header
        self._book: Any = None
        self._sheet: Any = None

    def add(self, record: RejectedRecord) -> None:
        rows = record.origin.rows if record.origin else None
        if not isinstance(rows, SheetRows):
            raise UnwritableError
        assert record.origin  # it has rows
        try:
            if self._sheet is None:
                self._open(rows)
            self._sheet.append([self._copy(cell) for cell in rows.rows[record.origin.index]])
        except Exception as error:  # the library raises whatever a value leads it to
            raise UnwritableError from error

    def finish(self) -> None:
        if self._book is None:
            return
        book, self._book = self._book, None
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as saved:
            book.save(saved)
            saved.seek(0)
            _copy_timeless(saved, self._to)

    def close(self) -> None:
        if self._book is not None:
            book, self._book = self._book, None
            with tempfile.TemporaryFile() as nowhere:
                book.save(nowhere)  # that is how the library lets go of its temporary files

    def _open(self, rows: SheetRows) -> None:
        import openpyxl

        self._book = openpyxl.Workbook(write_only=True)
        self._sheet = self._book.create_sheet(rows.title)
        if self._header:
            self._sheet.append([self._cell(name, "s") for name in rows.names])

    def _copy(self, cell: Any) -> Any:
        if cell.value is None:
            return None
        made = self._cell(cell.value, cell.data_type)
        if isinstance(cell.value, dt.date | dt.time | dt.timedelta):
            made.number_format = cell.number_format
        return made

    def _cell(self, value: Any, kind: str) -> Any:
        from openpyxl.cell import WriteOnlyCell

        made = WriteOnlyCell(self._sheet, value=value)
        if isinstance(value, str):
            # What begins with = would else become a formula, and an error a text.
            made.data_type = "e" if kind == "e" else "s"
        return made


def _copy_timeless(saved: Any, to: Writable) -> None:
    """The same workbook without the time at which it was written: twice makes the same bytes."""
    with (
        zipfile.ZipFile(saved) as source,
        zipfile.ZipFile(Stream(to), "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for item in source.infolist():
            fresh = zipfile.ZipInfo(item.filename, _LONG_AGO)
            fresh.compress_type = zipfile.ZIP_DEFLATED
            with source.open(item) as data, target.open(fresh, "w") as copy:
                while piece := data.read(1 << 20):
                    if item.filename == "docProps/core.xml":
                        piece = _TIMES.sub(rb"\g<1>1980-01-01T00:00:00Z", piece)
                    copy.write(piece)
