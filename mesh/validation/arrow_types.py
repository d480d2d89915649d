"""Which Arrow, and so Parquet, type a field of a contract has in published data.

The type follows from the contract, never from the data. A value that the type cannot hold exactly
is possible only where the contract sets no bound; the column then takes the next of its types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mesh.model.jdk_dates import tells_time
from mesh.model.schema_references import resolve
from mesh.validation.exact import exact
from mesh.validation.plan import Plan
from mesh.validation.types import json_types

_INT64 = (-(2**63), 2**63 - 1)
_MOST_SCALE = 38
_FORMATS = ("date", "date-time", "local-date-time", "local-time")


@dataclass(frozen=True, kw_only=True, slots=True)
class TypedColumn:
    """One column of published data.

    Attributes:
        types: The Arrow types it may have, narrowest first; the last one is text and holds all.
        schema: JSON Schema of its values.
        is_text: Whether all its values are texts.
        temporal: `date`, `date-time`, `local-date-time` or `local-time`, where it is one.
        sensitive: Whether its values are kept out of the manifest.
    """

    name: str
    types: tuple[Any, ...]
    schema: Mapping[str, Any]
    is_text: bool
    temporal: str | None
    sensitive: bool


def typed_columns(plan: Plan) -> tuple[TypedColumn, ...]:
    """The columns of published data, in the order of the contract."""
    return tuple(_column(plan, column.name, column.schema) for column in plan.columns)


def _column(plan: Plan, name: str, schema: Any) -> TypedColumn:
    import pyarrow as pa

    plain = _resolved(schema, plan.record)
    field = plan.fields.get(name)
    layout = plain.get("dateTimeFormat")
    dated = field is not None and field.logical_type == "date" and layout is not None
    dated = dated and not tells_time(str(layout))  # as those of ODCS 3.0, which has no timestamp
    found = (pa.date32(),) if dated else _types(schema, plan.record, depth=0)
    return TypedColumn(
        name=name,
        types=found if pa.types.is_string(found[-1]) else (*found, pa.string()),
        schema=plain,
        is_text=json_types(schema, plan.record) - {"null"} == {"string"},
        temporal="date" if dated else plain.get("format") if _is_temporal(found[0]) else None,
        sensitive=name in plan.sensitive,
    )


def _types(schema: Any, root: Mapping[str, Any], *, depth: int) -> tuple[Any, ...]:
    import pyarrow as pa

    plain = _resolved(schema, root)
    kinds = json_types(schema, root) - {"null"}
    if kinds == {"string"} and plain.get("format") in _FORMATS:
        return (_temporal(str(plain["format"])),)
    if kinds == {"boolean"}:
        return (pa.bool_(),)
    if kinds and kinds <= {"number", "integer"}:
        return _whole(plain) if kinds == {"integer"} else _number(plain)
    nested = _nested(kinds, plain, root, depth) if depth < _DEPTH else None
    return (pa.string(),) if nested is None else (nested,)


_DEPTH = 8


def _temporal(name: str) -> Any:
    import pyarrow as pa

    if name == "date":
        return pa.date32()
    if name == "local-time":
        return pa.time64("us")
    return pa.timestamp("us", "UTC" if name == "date-time" else None)


def _is_temporal(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_temporal(kind))


def _whole(schema: Mapping[str, Any]) -> tuple[Any, ...]:
    import pyarrow as pa

    wide = (pa.decimal128(38, 0), pa.decimal256(76, 0))
    bounds = [schema.get(name) for name in ("minimum", "maximum")]
    fits = all(bound is None or _INT64[0] <= bound <= _INT64[1] for bound in bounds)
    return (pa.int64(), *wide) if fits else wide


def _number(schema: Mapping[str, Any]) -> tuple[Any, ...]:
    """Decimals where the contract says how many digits follow the point; else doubles."""
    import pyarrow as pa

    step = exact(schema.get("multipleOf"))
    if step is None:
        return (pa.float64(),)
    exponent = Decimal(step).normalize().as_tuple().exponent
    scale = max(-exponent, 0) if isinstance(exponent, int) else 0
    if scale > _MOST_SCALE:
        return (pa.string(),)
    return pa.decimal128(38, scale), pa.decimal256(76, scale)


def _nested(
    kinds: frozenset[str], schema: Mapping[str, Any], root: Mapping[str, Any], depth: int
) -> Any:
    """The type of objects and arrays whose inside the contract describes; else None."""
    import pyarrow as pa

    if kinds == {"array"} and isinstance(schema.get("items"), Mapping):
        item = _types(schema["items"], root, depth=depth + 1)[0]
        return pa.list_(pa.field("element", item))  # as Parquet names it
    if kinds != {"object"}:
        return None
    properties = schema.get("properties")
    if properties and schema.get("additionalProperties") is False:
        inner = [(n, _types(item, root, depth=depth + 1)[0]) for n, item in properties.items()]
        return pa.struct(inner)
    values = schema.get("additionalProperties")
    if not properties and isinstance(values, Mapping):
        return pa.map_(pa.string(), _types(values, root, depth=depth + 1)[0])
    return None


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
        schema = resolve(schema["$ref"], root)
    return schema if isinstance(schema, Mapping) else {}
