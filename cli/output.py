"""What a command writes: one JSON document for programs, tables and trees for people."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from cli.failures import Failed

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table
    from rich.text import Text

WIDTH_OF_FILES = 160
"""Columns of what is written for people into a file or a pipe, where no terminal says."""
_WORD = 12
"""Letters of a word from which on it may be broken in a narrow column."""
_GAP = 3
"""Spaces between two columns."""


def write_json(data: object, *, to: TextIO | None = None) -> None:
    """One JSON document on one line, flushed: a reader sees it at once.

    Of the name of a file that is no UTF-8, each byte that is none is a question mark.
    """
    stream = to or sys.stdout
    text = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace").decode()
    stream.write(text + "\n")
    stream.flush()


def console(*, errors: bool = False) -> Console:
    """Standard output, or standard error, for people.

    Nothing in what is written is markup: it comes from files and from other domains.
    """
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """Leave it to the command's end: Rich would say that the mesh refused."""
            raise BrokenPipeError

    stream = sys.stderr if errors else sys.stdout
    narrow = stream.isatty() or "COLUMNS" in os.environ
    return Plain(
        file=stream,
        width=None if narrow else WIDTH_OF_FILES,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=False,
    )


def say(*lines: object, style: str = "") -> None:
    """Write lines for people to standard output; long ones are left for the terminal to wrap."""
    out = console()
    for line in lines:
        out.print(plain(line, style), soft_wrap=True)


def show(what: RenderableType) -> None:
    """Write a table or a tree for people."""
    console().print(what)


def plain(value: object, style: str = "") -> Text:
    """A value as text that cannot steer the terminal."""
    from rich.text import Text

    text = "" if value is None else str(value)
    shown = "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)
    return Text(shown, style=style)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> Table:
    """A table; cells that are too long go on in the next line, none is cut.

    Where the terminal is too narrow for columns to be read, each row is a list of its cells.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    cells = [[plain(cell) for cell in row] for row in rows]
    least = sum(_legible(column, at, cells) + _GAP for at, column in enumerate(columns))

    class Fitting(Table):
        def __rich_console__(self, on: Console, options: ConsoleOptions) -> RenderResult:
            if least <= options.max_width:
                yield from super().__rich_console__(on, options)
                return
            if title:
                yield plain(title)
            for row in cells:
                yield plain("")
                named = zip(columns, row, strict=True)
                yield from (plain(f"{name}: ") + cell for name, cell in named if cell)

    made = Fitting(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in cells:
        made.add_row(*row)
    return made


def _legible(column: str, at: int, rows: Sequence[Sequence[Text]]) -> int:
    """How many letters a column needs so that few words are broken."""
    words = (word for row in rows for word in row[at].plain.split())
    return max(len(column), min(max(map(len, words), default=0), _WORD))


def findings_table(findings: Iterable[Mapping[str, Any]]) -> Table:
    """All findings: where, which rule, what is wrong and what to do."""
    columns = ("file", "path", "rule", "message", "remedy")
    return table(columns, ([found.get(name, "") for name in columns] for found in findings))


def report(failed: Failed, *, as_json: bool) -> None:
    """Write why a command failed to standard error: a sentence and the findings, or a problem."""
    if as_json:
        write_json(failed.document, to=sys.stderr)
        return
    out = console(errors=True)
    out.print(plain("Error: ", "bold red") + plain(failed), soft_wrap=True)
    if failed.findings:
        out.print(findings_table(failed.findings))


def moment(text: str) -> datetime:
    """The time in an answer of the mesh."""
    return datetime.fromisoformat(text)


def since(start: datetime, at: datetime) -> str:
    """How much later `at` is: `+0.31 s`, `+5 min 3 s`."""
    seconds = (at - start).total_seconds()
    sign = "-" if seconds < 0 else "+"
    return sign + duration(abs(seconds))


def duration(seconds: float) -> str:
    """Seconds for people: three digits at most where it is short, two units where it is long."""
    if seconds < 1:
        return f"{seconds:.3f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for name, size, lower, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // part} {lower}"
    return f"{whole // 60} min {whole % 60} s"


def size(octets: int) -> str:
    """Bytes for people, in decimal units."""
    amount = float(octets)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def plural(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
