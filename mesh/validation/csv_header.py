"""Which column of a delimited file is which field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mesh.validation.csv_cells import CsvGrammar
from mesh.validation.plan import Plan
from mesh.validation.report import FileRefusedError
from mesh.validation.sentences import clipped

_SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
_SHOWN = 10
_CR_ALONE = " Its lines seem to end in CR alone, as on an old Mac; end them in LF or CRLF."


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The columns of a file, in its order.

    Attributes:
        columns: Names of their fields; None for a column that is to be ignored.
        lenient: Whether a record may have more cells than there are columns.
    """

    columns: tuple[str | None, ...]
    lenient: bool

    @classmethod
    def of_columns(cls, plan: Plan) -> Layout:
        """Of a file without a header: the contract's order."""
        columns = tuple(column.name for column in plan.columns)
        return cls(columns=columns, lenient=plan.dialect.trailing_columns == "ignore")

    def name(self, index: int) -> str:
        """The field of a column, for people."""
        return (self.columns[index] if index < len(self.columns) else None) or ""


def read_header(plan: Plan, grammar: CsvGrammar, bare: bytes) -> Layout:
    """The layout that a header line tells; the order of the columns is free.

    Raises:
        FileRefusedError: The header does not fit the contract; all that is wrong in one message.
    """
    names = [cell.text for cell in grammar.cells(bare)]
    known = {column.name for column in plan.columns}
    _refuse_separator(grammar.text(bare), names, known, grammar)
    _refuse_no_header(names, known, bare, secret=bool(plan.sensitive))
    ignore = plan.dialect.trailing_columns == "ignore"
    duplicate = [name for name, count in Counter(names).items() if count > 1 and name]
    missing = [
        column.name for column in plan.columns if column.required and column.name not in names
    ]
    unknown = [name for name in names if name not in known] if plan.closed and not ignore else []
    wrong = [
        f"{label} {_listed(found)}"
        for label, found in (
            ("missing", missing),
            ("unknown", unknown),
            ("twice", duplicate),
        )
        if found
    ]
    if wrong:
        raise FileRefusedError(
            "columns",
            f"The header does not fit the contract: {'; '.join(wrong)}."
            f"{_CR_ALONE if _is_cut_by_cr(unknown) else ''}",
            _remedy(unknown, known, missing),
        )
    columns = tuple(name if name in known or not ignore else None for name in names)
    return Layout(columns=columns, lenient=ignore)


def _refuse_separator(
    line: str, names: Sequence[str], known: set[str], grammar: CsvGrammar
) -> None:
    if known & set(names) and len(names) > 1:
        return
    used = grammar.separator.decode()
    best = max(_SEPARATORS, key=lambda mark: len(known & set(_split(line, mark))))
    matches = len(known & set(_split(line, best)))
    if best == used or matches < 2:
        return
    raise FileRefusedError(
        "separator",
        f"The cells of the header are separated by {_SEPARATORS[best]}, not by "
        f"{_SEPARATORS.get(used, repr(used))}.",
        "Write the file with the contract's separator, or change `separator` in its fileDialect.",
    )


def _split(line: str, mark: str) -> list[str]:
    return [name.strip().strip('"') for name in line.split(mark)]


def _refuse_no_header(names: Sequence[str], known: set[str], bare: bytes, *, secret: bool) -> None:
    if not known or known & set(names):
        return
    bare_names = {name.strip().lower() for name in names}
    if bare_names & {name.lower() for name in known}:
        return
    if bare.startswith(b"{"):
        raise FileRefusedError(
            "header",
            "The file looks like JSON Lines, one object per line: it begins with {.",
            "Name it .jsonl; or send delimited text.",
        )
    ending = _CR_ALONE if b"\r" in bare else ""
    # Without a header the first line is data, which not everybody may see.
    start = "" if secret else f"; it starts with {clipped(_listed(names[:3]), 80)}"
    raise FileRefusedError(
        "header",
        f"The first line names none of the contract's columns{start}.{ending}",
        "Write a header line with the names of the columns, or say `header: false` in the "
        "contract's fileDialect.",
    )


def _is_cut_by_cr(names: Sequence[str]) -> bool:
    return any("\r" in name for name in names)


def _remedy(unknown: Sequence[str], known: set[str], missing: Sequence[str]) -> str:
    plain = {name.strip().lower(): name for name in known}
    for name in unknown:
        meant = plain.get(name.strip().lower())
        if meant and meant != name:
            return f"Names must match to the letter: write {meant!r} instead of {name!r}."
    if unknown and not missing:
        return "Remove these columns, or add them to the contract."
    return "Give the file exactly the columns of the contract; their order is free."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(clipped(name, 40)) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
