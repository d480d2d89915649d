"""Which values of a typed column the contract accepts, as Polars expressions.

A rule accepts only values whose JSON the reference accepts (`mesh.validation.arrow_text` says what
the JSON of a value is); it may leave out good ones. What has no rule is asked of the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mesh.validation.moment_rules import clock_rule, day_rule, stamp_rule
from mesh.validation.number_rules import decimal_rule, float_rule, integer_rule
from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.text_rules import text_rule
from mesh.validation.types import admits_null
from mesh.validation.value_bytes import ANNOTATIONS

if TYPE_CHECKING:
    import polars as pl

_OBJECT = frozenset({"type", "properties", "required", "additionalProperties"})
_ARRAY = frozenset({"type", "items", "minItems", "maxItems"})
_PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DEPTH = 8
_SCALAR_BYTES = 64
"""More than the JSON of any number, date or time has."""
_ESCAPED = 6
"""Most bytes that one byte of a text becomes in JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnRule:
    """What can be told of a column as a whole.

    Attributes:
        good: Whether a value is accepted, of every row; null means no.
        size: How many bytes the JSON of a value has at most; a number where that is the same for
            all.
    """

    good: pl.Expr
    size: pl.Expr | int


def column_rule(
    schema: Any, root: Mapping[str, Any], kind: pl.DataType, value: pl.Expr
) -> ColumnRule:
    """The rule for a column.

    Args:
        schema: Of its values.
        root: The schema of the record, for references.
        kind: Of the column.
        value: The column.

    Raises:
        BeyondSubsetError: There is none.
    """
    return _Rules(root).rule(schema, kind, value, depth=0)


class _Rules:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def rule(self, schema: Any, kind: pl.DataType, value: pl.Expr, *, depth: int) -> ColumnRule:
        if schema is True:
            schema = {}
        if not isinstance(schema, Mapping) or depth > _DEPTH:
            raise BeyondSubsetError
        plain = {name: item for name, item in schema.items() if name not in ANNOTATIONS}
        made = self._typed(plain, kind, value, depth)
        if admits_null(schema, self._root):
            good = value.is_null() | made.good
        else:
            good = value.is_not_null() & made.good
        return ColumnRule(good=good, size=made.size)

    def _typed(
        self, schema: Mapping[str, Any], kind: pl.DataType, value: pl.Expr, depth: int
    ) -> ColumnRule:
        import polars as pl

        name = _json_type(kind)
        types = _types(schema)
        # A column of numbers may hold whole ones, which `integer` admits.
        numeric = {"number", "integer"}
        if types and not types & (numeric if name in numeric else {name}):
            return ColumnRule(good=pl.lit(False), size=_SCALAR_BYTES)
        if isinstance(kind, pl.Struct):
            return self._struct(schema, kind, value, depth)
        if isinstance(kind, pl.List):
            return self._list(schema, kind, value, depth)
        if name == "string" and not kind.is_temporal():
            text = value if kind == pl.String else value.cast(pl.String)
            return ColumnRule(
                good=text_rule(schema, text), size=text.str.len_bytes() * _ESCAPED + 2
            )
        whole = bool(types) and "number" not in types
        return ColumnRule(good=_scalar(schema, kind, value, whole=whole), size=_SCALAR_BYTES)

    def _struct(
        self, schema: Mapping[str, Any], kind: pl.Struct, value: pl.Expr, depth: int
    ) -> ColumnRule:
        """A struct has each of its fields, if only as null."""
        import polars as pl

        properties: Mapping[str, Any] = schema.get("properties") or {}
        others = schema.get("additionalProperties", True)
        names = [field.name for field in kind.fields]
        if schema.keys() - _OBJECT or not isinstance(others, bool) or len({*names}) < len(names):
            raise BeyondSubsetError
        if any(name.startswith("^") or "*" in name for name in names):
            raise BeyondSubsetError  # to Polars these are patterns of names
        if set(schema.get("required") or ()) - {*names}:
            return ColumnRule(good=pl.lit(False), size=_SCALAR_BYTES)
        rules = [
            self.rule(
                properties.get(field.name, others),
                field.dtype,  # type: ignore[arg-type]  # of an instance it is one, too
                value.struct.field(field.name),
                depth=depth + 1,
            )
            for field in kind.fields
        ]
        keys = sum(len(name) * _ESCAPED + 6 for name in names) + 2
        return ColumnRule(
            good=pl.all_horizontal([rule.good for rule in rules]) if rules else pl.lit(True),
            size=total([*(rule.size for rule in rules), keys]),
        )

    def _list(
        self, schema: Mapping[str, Any], kind: pl.List, value: pl.Expr, depth: int
    ) -> ColumnRule:
        import polars as pl

        if schema.keys() - _ARRAY:
            raise BeyondSubsetError
        inner: Any = kind.inner
        item = self.rule(schema.get("items", True), inner, pl.element(), depth=depth + 1)
        good = value.list.eval(item.good.fill_null(value=False)).list.all()
        if "minItems" in schema:
            good &= value.list.len() >= schema["minItems"]
        if "maxItems" in schema:
            good &= value.list.len() <= schema["maxItems"]
        sizes = value.list.eval(total([item.size]).fill_null(_SCALAR_BYTES)).list.sum()
        return ColumnRule(good=good, size=sizes + value.list.len() * 2 + 2)


def total(sizes: list[pl.Expr | int]) -> pl.Expr:
    """The sum of some sizes; null counts as a scalar."""
    import polars as pl

    fixed = pl.lit(sum(size for size in sizes if isinstance(size, int)), dtype=pl.UInt64)
    varying = [size for size in sizes if not isinstance(size, int)]
    return pl.sum_horizontal(
        [fixed, *(size.cast(pl.UInt64).fill_null(_SCALAR_BYTES) for size in varying)]
    )


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    declared = schema.get("type")
    if declared is None:
        return frozenset()
    return frozenset([declared] if isinstance(declared, str) else declared)


def _json_type(kind: pl.DataType) -> str:
    """The JSON type of a column's values.

    Raises:
        BeyondSubsetError: A type that no rule is for.
    """
    import polars as pl

    names = {
        "boolean": (pl.Boolean,),
        "integer": (
            pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64
        ),
        "number": (pl.Float32, pl.Float64, pl.Decimal),
        "string": (pl.String, pl.Categorical, pl.Enum, pl.Date, pl.Datetime, pl.Time),
        "object": (pl.Struct,),
        "array": (pl.List,),
    }  # fmt: skip
    for name, kinds in names.items():
        if isinstance(kind, kinds):
            return name
    raise BeyondSubsetError


def _scalar(
    schema: Mapping[str, Any], kind: pl.DataType, value: pl.Expr, *, whole: bool
) -> pl.Expr:
    import polars as pl

    if kind.is_integer():
        return integer_rule(schema, value, wide=kind == pl.UInt64)
    if isinstance(kind, pl.Decimal):
        return decimal_rule(
            schema, value, precision=kind.precision or 38, scale=kind.scale, whole=whole
        )
    if kind.is_float():
        return float_rule(schema, value, kind=str(kind), whole=whole)
    if kind == pl.Boolean:
        if schema.keys() - {"type"}:
            raise BeyondSubsetError
        return pl.lit(True)
    count = value.to_physical()
    if kind == pl.Date:
        return day_rule(schema, count)
    if isinstance(kind, pl.Datetime):
        per = _PER_SECOND[kind.time_unit]
        return stamp_rule(schema, count, per=per, zoned=kind.time_zone is not None)
    return clock_rule(schema, count, per=_PER_SECOND["ns"])
