"""What is wrong with a record, before it is known where in the file the record stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A violation without its place; the attributes are those of `report.Violation`."""

    field: str
    rule: str
    path: str
    value: str | None
    message: str
    fix: str | None = None
