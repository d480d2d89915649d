"""What is wrong with a delimited record before its values are read, and what is shown of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mesh.validation.csv_cells import Cell, CsvGrammar, without_line_end
from mesh.validation.csv_header import Layout
from mesh.validation.faults import Fault
from mesh.validation.judge import Judge
from mesh.validation.report import MASK, FileRefusedError


def structure_faults(judge: Judge, layout: Layout, bare: bytes, cells: list[Cell]) -> list[Fault]:
    """Faults that leave open which cell belongs to which field."""
    wanted = len(layout.columns)
    if len(cells) != wanted and not (len(cells) > wanted and layout.lenient):
        message = f"The record has {len(cells)} cells instead of {wanted}."
        return [judge.fault("", "cells", message)]
    broken = next((index for index, cell in enumerate(cells) if cell.broken), None)
    if broken is not None:
        message = f"Text follows the closing quote of cell {broken + 1}."
        return [judge.fault(layout.name(broken), "quote", message)]
    if b"\0" in bare:
        index = next(index for index, cell in enumerate(cells) if "\0" in cell.text)
        message = f"Cell {index + 1} holds a NUL byte, which no text file may."
        return [judge.fault(layout.name(index), "nul", message)]
    return []


def shown_record(secret: Collection[str], layout: Layout, grammar: CsvGrammar, raw: bytes) -> str:
    """The text of a record, sensitive fields masked."""
    bare = without_line_end(raw)
    if not secret:
        return grammar.text(bare)
    cells = grammar.cells(bare)
    if len(cells) != len(layout.columns) or any(cell.broken for cell in cells):
        return MASK
    parts: list[Any] = [
        MASK if layout.columns[index] in secret else cell.text for index, cell in enumerate(cells)
    ]
    return grammar.separator.decode().join(parts)


def open_quote(row: int, line: int) -> FileRefusedError:
    """The refusal of a file, the rest of which would be one cell."""
    return FileRefusedError(
        "openQuote",
        f"A quote that opens in row {row} (line {line}) is never closed: the rest of the file "
        f"would be one cell.",
        "Close it, or double a quote that belongs to the text.",
    )


def no_record(*, only_blank: bool) -> FileRefusedError:
    """The refusal of a file without a header."""
    return FileRefusedError(
        "empty",
        "The file holds only blank lines: neither a header nor a record."
        if only_blank
        else "The file is empty: it holds neither a header nor a record.",
        "Write the header line, even when there are no records.",
    )
