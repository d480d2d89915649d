"""The columns a file says it has, against those of the contract: before any row is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesh.model.schema_references import resolve
from mesh.validation.plan import Plan
from mesh.validation.report import FileRefusedError
from mesh.validation.sentences import clipped
from mesh.validation.types import json_types

_SHOWN = 10
_DAYS: Mapping[str, str] = {
    "date": "date",
    "date-time": "timestamp with time zone",
    "local-date-time": "timestamp without time zone",
    "local-time": "time",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FileColumn:
    """One column of a file that carries its own types.

    Attributes:
        type: As the file's format names it, for messages.
        json: The JSON type of its values; None when they have none (bytes, intervals).
        format: The format of its texts where they are dates or times.
    """

    name: str
    type: str
    json: str | None
    format: str | None = None


def compare_columns(plan: Plan, columns: list[FileColumn], *, typed: bool = True) -> list[str]:
    """Refuse a file whose columns are not the contract's; returns the names that are to be read.

    A column of a field that is not required may be left out.

    Args:
        plan: The contract.
        columns: As the file has them.
        typed: Whether the file says of which type they are.

    Raises:
        FileRefusedError: All that is wrong, in one message.
    """
    ignore = plan.dialect.trailing_columns == "ignore"
    counts = Counter(column.name for column in columns)
    fields = {column.name: column for column in plan.columns}
    twice = [repr(name) for name, count in counts.items() if count > 1]
    missing = [repr(c.name) for c in plan.columns if c.required and c.name not in counts]
    unknown = [c.name for c in columns if c.name not in fields] if plan.closed else []
    unfit = [
        f"{column.name!r} is {column.type}, not {wanted}"
        for column in columns
        if typed
        and column.name in fields
        and (wanted := _unfit(column, fields[column.name].schema, plan.record))
    ]
    told = {
        "missing": missing,
        "unknown": [] if ignore else [repr(clipped(name, 40)) for name in unknown],
        "twice": twice,
        "of another type:": unfit,
    }
    wrong = [f"{label} {', '.join(found[:_SHOWN])}" for label, found in told.items() if found]
    if wrong:
        raise FileRefusedError(
            "columns",
            f"The columns do not fit the contract: {'; '.join(wrong)}.",
            "Write the file with the columns and types of the contract; their order is free.",
        )
    return [column.name for column in columns if column.name not in unknown]


def _unfit(column: FileColumn, schema: Any, root: Mapping[str, Any]) -> str | None:
    """What a column should be, when no value of it could be what the contract wants."""
    types = json_types(schema, root)
    plain = _resolved(schema, root)
    wanted = str(plain.get("format"))
    if "dateTimeFormat" in plain and column.format:
        return f"text written as {plain['dateTimeFormat']}"
    if column.format and wanted in _DAYS and wanted != column.format:
        return _DAYS[wanted]
    if column.json is not None and (not types or column.json in types):
        return None
    if column.json == "number" and "integer" in types:
        return None
    if wanted in _DAYS:
        return _DAYS[wanted]
    return " or ".join(sorted(types - {"null"})) or "any JSON value"


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
        schema = resolve(schema["$ref"], root)
    return schema if isinstance(schema, Mapping) else {}
