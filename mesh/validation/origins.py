"""Rows as their file held them, so that bad ones can be written back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class ParquetRows:
    """A batch of a Parquet file; `codec` is what its first column is compressed with."""

    batch: Any
    codec: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AvroRows:
    """Some records of an Avro file; `schema` is JSON, as it stands in the file's head."""

    records: Sequence[Mapping[str, Any]]
    schema: str
    codec: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetRows:
    """Some rows of a sheet: cells of openpyxl; `names` are those of all its columns."""

    title: str
    names: Sequence[str | None]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonElements:
    """Elements of a JSON array as they came, line breaks included."""

    elements: Sequence[bytes]


Rows = ParquetRows | AvroRows | SheetRows | JsonElements


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """One row among those it was read with."""

    rows: Rows
    index: int
