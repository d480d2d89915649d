"""What the foreign keys of a file are compared with: the keys of published data.

They stand in `Seen`: some in memory, any number on the temporary disk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import IO, Any

from mesh.model.instants import instant, ticks
from mesh.model.relationships import Relationship
from mesh.model.value_paths import schema_at
from mesh.validation.json_values import parse_json
from mesh.validation.key_bytes import Parts, canonical, joined
from mesh.validation.nested_values import values_at
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
        columns: The ways to the properties that are pointed at, in the published data.

    Attributes:
        unknown: How many records pointed at nothing.
        is_empty: Whether there is nothing to point at.
    """

    def __init__(
        self,
        plan: Plan,
        relationship: Relationship,
        *,
        label: str,
        columns: Sequence[Sequence[str]],
    ) -> None:
        self.label = label
        self.unknown = 0
        self.is_empty = True
        self._first: int | None = None
        self._last: int | None = None
        self._relationship = relationship
        self._columns = list(columns)
        self._schemas = [schema_at(plan.record, steps) for steps in relationship.steps]
        self._readings: list[Reading | None] = [None for _ in relationship.steps]
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
            kinds = [_kind(data.schema_arrow, way) for way in self._columns]
            self._readings = list(map(_reading, self._schemas, kinds))
            for batch in data.iter_batches(
                batch_size=_BATCH_ROWS,
                columns=list({way[0]: None for way in self._columns}),
                use_threads=False,
            ):
                self._take(
                    [
                        _parts_at(batch, way, schema)
                        for way, schema in zip(self._columns, self._schemas, strict=True)
                    ]
                )

    def orphans(self, columns: Sequence[Parts], rows: Sequence[int]) -> list[int]:
        """Which of these keys (from 0) point at nothing; one with a null points nowhere.

        Args:
            columns: The canonical parts of each field, one per key.
            rows: That each of them is in, in order; a row may have several.

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
        there = {rows[index] for index in found} - {self._last}
        self.unknown += len(there)
        self._last = rows[found[-1]]
        if self._first is None:
            self._first = rows[found[0]]
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
        if not part.startswith(b"s"):
            return None  # it is no text, and refused for that
        at = instant(part[1:].decode("utf-8", "surrogatepass"), schema)
        return None if at is None else b"t%d" % ticks(at)

    return read


def _nearest(part: bytes) -> bytes | None:
    """The number that is published of a number; what no float is near to stays as it is.

    What is no number points nowhere: it is refused for that.
    """
    try:
        near = float(part)
    except ValueError:
        return None
    return _part(near) if math.isfinite(near) else part


def _kind(schema: Any, way: Sequence[str]) -> Any:
    """The type of a column, or of a field within it; text, where objects are published as JSON.

    Raises:
        KeyError: It is not there.
    """
    from pyarrow import types

    held = schema
    for name in way:
        at = held.get_field_index(name)
        if at < 0:
            raise KeyError(name)
        held = held.field(at).type
        if not types.is_struct(held):
            break
    return held


def _parts_at(batch: Any, way: Sequence[str], schema: Any) -> list[bytes | None]:
    """The canonical parts of a column, or of a field within it."""
    from pyarrow import compute, types

    array, rest = batch.column(way[0]), way[1:]
    while rest and types.is_struct(array.type):
        array = compute.struct_field(array, [array.type.get_field_index(rest[0])])
        rest = rest[1:]
    if not rest:
        return _parts(array, schema)
    held = (None if text is None else parse_json(text) for text in array.to_pylist())
    found = [value for one in held for _, value in values_at(one, rest)]
    return [None if value is None else canonical(value) for value in found]


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
