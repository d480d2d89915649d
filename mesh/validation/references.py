"""What the foreign keys of a file are compared with: the keys of published data.

They stand in `Seen`: some in memory, any number on the temporary disk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import IO, Any

from mesh.model.relationships import Relationship
from mesh.validation.instants import instant, ticks
from mesh.validation.keys import Parts, canonical, joined
from mesh.validation.plan import Plan
from mesh.validation.report import FileProblem
from mesh.validation.seen import Seen
from mesh.validation.spool import spooled
from mesh.validation.types import json_types

_BATCH_ROWS = 1 << 16

Reading = Callable[[bytes], bytes | None]
"""From the canonical form of a field's value to that of the published value it stands for."""


class Reference:
    """What one relationship points at.

    Args:
        plan: Of the file that points.
        relationship: One of the plan's that can be checked.
        label: What is pointed at, for people.
        columns: Names, in the published data, of the properties that are pointed at.

    Attributes:
        unknown: How many records pointed at nothing.
        is_empty: Whether there is nothing to point at.
    """

    def __init__(
        self, plan: Plan, relationship: Relationship, *, label: str, columns: Sequence[str]
    ) -> None:
        self.label = label
        self.unknown = 0
        self.is_empty = True
        self._first: int | None = None
        self._relationship = relationship
        self._columns = list(columns)
        schemas = {column.name: column.schema for column in plan.columns}
        self._schemas = [schemas.get(name) for name in relationship.fields]
        self._readings: list[Reading | None] = [None for _ in relationship.fields]
        self._seen = Seen()

    def fill(self, pieces: Iterable[bytes]) -> None:
        """Take in the keys of a Parquet file.

        Raises:
            FileRefusedError: It is empty, or too large for the temporary disk.
            KeyError: It has no column of one of the names.
        """
        with spooled(pieces) as file:
            self.fill_from(file)

    def fill_from(self, file: IO[bytes]) -> None:
        """Take in the keys of a Parquet file that lies here."""
        from pyarrow import parquet

        with parquet.ParquetFile(file, pre_buffer=False) as data:
            missing = set(self._columns) - set(data.schema_arrow.names)
            if missing:
                raise KeyError(*sorted(missing))
            kinds = [data.schema_arrow.field(name).type for name in self._columns]
            self._readings = list(map(_reading, self._schemas, kinds))
            for batch in data.iter_batches(
                batch_size=_BATCH_ROWS, columns=self._columns, use_threads=False
            ):
                self._take(
                    [
                        _parts(batch.column(name), schema)
                        for name, schema in zip(self._columns, self._schemas, strict=True)
                    ]
                )

    def orphans(self, columns: Sequence[Parts], row: int) -> list[int]:
        """Which of these rows (from 0) point at nothing; a row with a null points nowhere.

        Args:
            columns: The canonical parts of each field, one per row.
            row: Of the first of them.

        Returns:
            Those to refuse: none when the relationship only warns.
        """
        read = [
            column if reading is None else [_read(reading, part) for part in column]
            for reading, column in zip(self._readings, columns, strict=True)
        ]
        wholes = _wholes(read)
        lost = self._seen.unknown({whole for whole in wholes if whole is not None})
        if not lost:
            return []
        found = [index for index, whole in enumerate(wholes) if whole in lost]
        self.unknown += len(found)
        if self._first is None:
            self._first = row + found[0]
        return found if self._relationship.severity == "error" else []

    def warning(self) -> FileProblem | None:
        """What to say of the file when the relationship only warns and was broken."""
        if not self.unknown or self._relationship.severity == "error":
            return None
        said = "record points" if self.unknown == 1 else "records point"
        return FileProblem(
            rule="relationship",
            message=f"{', '.join(self._relationship.fields)}: {self.unknown:,} {said} at nothing "
            f"in {self.label}; the first is row {self._first}.",
            remedy="Correct them in the next file, or have the missing records published.",
        )

    def _take(self, columns: Sequence[Sequence[bytes | None]]) -> None:
        keys = {key for key in _wholes(columns) if key is not None}
        self.is_empty &= not keys
        if keys and not self._seen.add_new(list(keys), 0):
            for key in keys:
                self._seen.add(key, 0)


def warnings_on_relationships(plan: Plan) -> list[FileProblem]:
    """What a report says of relationships that were not checked, or that only warn."""
    found = []
    for one in plan.relationships:
        reference = plan.references.get(one.pointer)
        told = reference.warning() if reference else _unchecked(one)
        if told is not None:
            found.append(told)
    return found


def _unchecked(relationship: Relationship) -> FileProblem:
    why = relationship.obstacle or "there was nothing to check it against"
    fields = ", ".join(relationship.fields) or "a field"
    return FileProblem(
        rule="relationship",
        message=f"The relationship of {fields} to {relationship.target} was not checked: {why}.",
        remedy=f"See {relationship.pointer} of the contract, and docs/contract-profile.md.",
    )


def _wholes(columns: Sequence[Parts]) -> Parts:
    return columns[0] if len(columns) == 1 else [joined(p) for p in zip(*columns, strict=True)]


def _read(reading: Reading, part: bytes | None) -> bytes | None:
    return None if part is None else reading(part)


def _reading(schema: Any, kind: Any) -> Reading | None:
    """How to read a field whose values are published as points in time, or as binary floats."""
    from pyarrow import types

    if types.is_floating(kind):
        return _nearest
    if not types.is_temporal(kind) or not isinstance(schema, Mapping):
        return None

    def read(part: bytes) -> bytes | None:
        at = instant(part[1:].decode("utf-8", "surrogatepass"), schema)
        return None if at is None else b"t%d" % ticks(at)

    return read


def _nearest(part: bytes) -> bytes:
    """The number that is published of a number; what no float is near to stays as it is."""
    near = float(part)
    return _part(near) if math.isfinite(near) else part


def _parts(array: Any, schema: Any) -> list[bytes | None]:
    """The canonical parts of a column of published data; `schema` is of the field that points."""
    import pyarrow as pa
    from pyarrow import compute

    kind = array.type
    if pa.types.is_string(kind) and _is_number(schema):  # beyond what a number's type holds
        texts = array.to_pylist()
        return [None if text is None else canonical(Decimal(text)) for text in texts]
    if pa.types.is_string(kind):
        texts = compute.binary_join_element_wise(b"s", array.cast(pa.binary()), b"")
        return list(texts.to_pylist())
    if not pa.types.is_temporal(kind):
        return [None if value is None else _part(value) for value in array.to_pylist()]
    unit = 86_400_000_000 if pa.types.is_date(kind) else 1
    whole = array.cast(pa.int32()).cast(pa.int64()) if unit > 1 else array.cast(pa.int64())
    return [None if value is None else b"t%d" % (value * unit) for value in whole.to_pylist()]


def _is_number(schema: Any) -> bool:
    types = json_types(schema, {}) if isinstance(schema, Mapping) else frozenset()
    return bool(types) and types <= {"number", "integer", "null"}


def _part(value: Any) -> bytes:
    return canonical(Decimal(repr(value)) if isinstance(value, float) else value)
