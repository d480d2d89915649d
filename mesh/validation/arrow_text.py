"""Arrow columns as JSON text, digit for digit: what the file holds, not what a cast makes of it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from mesh.validation.file_columns import FileColumn
from mesh.validation.sentences import to_json

_LONG = 64


def file_column(field: Any) -> FileColumn:
    """What a column of an Arrow schema is in terms of JSON."""
    kind, form = _json_type(field.type)
    return FileColumn(name=field.name, type=str(field.type), json=kind, format=form)


def _json_type(kind: Any) -> tuple[str | None, str | None]:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _json_type(kind.value_type)
    plain = (
        (types.is_null, "null"),
        (types.is_boolean, "boolean"),
        (types.is_integer, "integer"),
        (types.is_floating, "number"),
        (types.is_decimal, "number"),
        (is_text, "string"),
        (types.is_map, "object"),
        (types.is_struct, "object"),
        (_is_list, "array"),
    )
    for test, name in plain:
        if test(kind):
            return name, None
    if types.is_date(kind):
        return "string", "date"
    if types.is_timestamp(kind):
        return "string", "date-time" if kind.tz else "local-date-time"
    return ("string", "local-time") if types.is_time(kind) else (None, None)


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of texts."""
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def batch_lines(batch: Any, names: Sequence[str]) -> bytes:
    """The rows of a record batch as JSON Lines."""
    import pyarrow as pa
    from pyarrow import compute

    if not names:
        return b"{}\n" * int(batch.num_rows)
    parts: list[Any] = []
    mark = "{"
    for name in names:
        parts += [pa.scalar(f"{mark}{json.dumps(name)}: ", pa.large_string())]
        parts += [column_texts(batch.column(name))]
        mark = ", "
    end = pa.scalar("}\n", pa.large_string())
    whole = compute.binary_join_element_wise(*parts, end, pa.scalar("", pa.large_string()))
    return _bytes_of(whole)


def column_texts(column: Any) -> Any:
    """The JSON text of each value of an array; null is a text, too."""
    from pyarrow import compute

    return compute.fill_null(_texts(column), "null")


def _bytes_of(texts: Any) -> bytes:
    """The texts of an array one behind the other; they lie so in memory already."""
    if not len(texts):
        return b""
    _, offsets, data = texts.buffers()
    ends = memoryview(offsets).cast("q")[texts.offset : texts.offset + len(texts) + 1]
    return bytes(memoryview(data)[ends[0] : ends[-1]])


def _texts(column: Any) -> Any:
    """The JSON text of each value; null stays null."""
    import pyarrow as pa
    from pyarrow import compute, types

    kind, text = column.type, pa.large_string()
    if types.is_dictionary(kind):
        return _texts(column.dictionary_decode())
    if types.is_null(kind):
        return pa.nulls(len(column), text)
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_decimal(kind):
        return column.cast(pa.string()).cast(text)
    if types.is_floating(kind):
        wide = column.cast(pa.float64()) if kind == pa.float16() else column
        found = wide.cast(pa.string()).cast(text)
        # JSON has no word for these; the reader of the line says so.
        return compute.if_else(compute.is_finite(wide), found, pa.scalar("NaN", text))
    if is_text(kind):
        return _quoted(column.cast(text))
    if types.is_date(kind) or types.is_time(kind):
        return _between_quotes(column.cast(pa.string()).cast(text))
    if types.is_timestamp(kind):
        return _between_quotes(_stamps(column))
    if types.is_nested(kind):
        return _nested(column)
    values = (None if value is None else json_text(value) for value in column.to_pylist())
    return pa.array(values, text)


def _nested(column: Any) -> Any:
    """Objects and arrays; a map may hold a key twice, and the text then does too."""
    from pyarrow import compute, types

    kind = column.type
    if types.is_fixed_size_list(kind):
        import pyarrow as pa

        return _nested(column.cast(pa.large_list(kind.value_type)))
    if types.is_struct(kind):
        fields = ((name.name, column.field(n)) for n, name in enumerate(kind))
        made = _joined("{", *_members(fields), "}", size=len(column))
    elif types.is_map(kind):
        pairs = _joined(_names(column.keys), ": ", column_texts(column.items), size=0)
        made = _joined("{", _listed(column, pairs), "}", size=0)
    else:
        made = _joined("[", _listed(column, column_texts(column.values)), "]", size=0)
    return compute.if_else(column.is_valid(), made, None)


def _members(fields: Iterable[tuple[str, Any]]) -> Iterator[Any]:
    mark = ""
    for name, values in fields:
        yield f"{mark}{_key(name)}: "
        yield column_texts(values)
        mark = ", "


def _names(keys: Any) -> Any:
    """The keys of maps, which are texts in JSON."""
    from pyarrow import compute, types

    texts = _texts(keys)
    quoted = is_text(keys.type) or types.is_temporal(keys.type)
    return texts if quoted else _between_quotes(compute.fill_null(texts, "null"))


def _listed(column: Any, texts: Any) -> Any:
    """The texts of the entries of each list, with commas between."""
    import pyarrow as pa
    from pyarrow import compute

    made = pa.LargeListArray.from_arrays(column.offsets.cast(pa.int64()), texts)
    return compute.binary_join(made, pa.scalar(", ", texts.type))


def _joined(*parts: Any, size: int) -> Any:
    """Texts and arrays of texts, one behind the other; `size` counts where there is no array."""
    import pyarrow as pa
    from pyarrow import compute

    text = pa.large_string()
    made = [pa.scalar(part, text) if isinstance(part, str) else part for part in parts]
    if all(isinstance(part, str) for part in parts):
        return pa.array(["".join(parts)] * size, text)
    return compute.binary_join_element_wise(*made, pa.scalar("", text))


def _stamps(column: Any) -> Any:
    """RFC 3339, in UTC when there is a zone."""
    import pyarrow as pa
    from pyarrow import compute

    if column.type.tz:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    text = column.cast(pa.string())
    return compute.replace_substring(text, " ", "T", max_replacements=1).cast(pa.large_string())


def _quoted(column: Any) -> Any:
    import pyarrow as pa
    from pyarrow import compute

    odd = compute.match_substring_regex(column, '[\\x00-\\x1f"\\\\]')
    if not compute.any(odd).as_py():
        return _between_quotes(column)
    values = compute.dictionary_encode(column.filter(odd))
    told = [json.dumps(value, ensure_ascii=False) for value in values.dictionary.to_pylist()]
    written = pa.array(told, pa.large_string()).take(values.indices)
    return compute.replace_with_mask(
        _between_quotes(column), compute.fill_null(odd, False), written
    )


def _between_quotes(column: Any) -> Any:
    import pyarrow as pa
    from pyarrow import compute

    quote = pa.scalar('"', pa.large_string())
    return compute.binary_join_element_wise(quote, column, quote, pa.scalar("", pa.large_string()))


def _key(name: object) -> str:
    return encode_basestring(name if isinstance(name, str) else str(name))


def _number(value: float) -> str:
    return repr(value) if value - value == 0 else "NaN"


def _whole(value: int) -> str:
    return repr(value) if value.bit_length() < _LONG else to_json(value)


def _moment(value: dt.datetime) -> str:
    zoned = value.tzinfo is not None
    plain = (value.astimezone(dt.UTC) if zoned else value).replace(tzinfo=None)
    return f'"{plain.isoformat()}{"Z" if zoned else ""}"'


def _day(value: dt.date | dt.time) -> str:
    return f'"{value.isoformat()}"'


def _object(value: Mapping[Any, Any]) -> str:
    return "{" + ", ".join([f"{_key(n)}: {json_text(v)}" for n, v in value.items()]) + "}"


def _array(value: Iterable[Any]) -> str:
    return "[" + ", ".join(map(json_text, value)) + "]"


_WAYS: tuple[tuple[tuple[type, ...], Callable[[Any], str]], ...] = (
    ((str,), encode_basestring),
    ((float,), _number),
    ((dt.datetime,), _moment),
    ((dt.date, dt.time), _day),
    ((dict,), _object),
    ((list, tuple), _array),
    ((int, Decimal, type(None)), to_json),
)
_WAY = {kind: way for kinds, way in _WAYS for kind in kinds} | {int: _whole, bool: to_json}


def json_text(value: Any) -> str:
    """The JSON text of a Python value; dates and times by RFC 3339, numbers as they are."""
    way = _WAY.get(type(value))
    if way is None:
        way = next((found for kinds, found in _WAYS if isinstance(value, kinds)), None)
    if way is not None:
        return way(value)
    return json.dumps({"unreadable": type(value).__name__})
