"""Values of accepted records as Arrow columns: exactly, or not at all."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any

from mesh.model.instants import instant
from mesh.validation.arrow_casts import plain_texts, same_values
from mesh.validation.arrow_types import TypedColumn
from mesh.validation.sentences import to_json

_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])
_MICROS = 1_000_000
_SAFE_DIGITS = 15


@functools.cache
def _arrow_types() -> Any:
    from pyarrow import types

    return types


def _decimals(texts: Any, kind: Any) -> Any:
    """Decimals of texts; None where Arrow's cast would not be sure to be exact.

    That cast wraps around silently where a type has no room for all digits: `1` and sixty zeros
    becomes -53988160564045579057371199750308626432 with 38 digits. Doubles, which tell texts of
    fifteen digits apart, take a third of its time.
    """
    import pyarrow as pa
    from pyarrow import compute

    longest = compute.max(compute.binary_length(texts)).as_py() or 0
    if longest <= _SAFE_DIGITS:
        made = same_values(texts.cast(pa.float64()), kind)
        if made is not None:
            return made
    if longest > kind.precision - kind.scale:
        return None
    if compute.any(compute.match_substring(texts, "e", ignore_case=True)).as_py():
        return None
    return texts.cast(kind)


class TooNarrowError(ValueError):
    """A value that the type of its column cannot hold."""


class Converter:
    """Makes the arrays of one column.

    Attributes:
        type: The type the column has now.
        rounded: How many of its values a double or a microsecond only comes near to.
    """

    def __init__(self, column: TypedColumn) -> None:
        self._column = column
        self._step = 0
        self._is_text = column.is_text
        self.rounded = 0

    @property
    def type(self) -> Any:
        return self._column.types[self._step]

    def widen(self) -> None:
        """Take the next type."""
        self._step += 1

    def array(self, values: Sequence[Any]) -> Any:
        """An array of JSON values (numbers as `int` and `Decimal`).

        Raises:
            TooNarrowError: A value does not fit; the column has to be widened first.
        """
        import pyarrow as pa

        whole = self._at_once(values)
        if whole is not None:
            return whole
        before = self.rounded
        try:
            made = [
                None if value is None else self._value(value, self.type, self._column.schema)
                for value in values
            ]
            return pa.array(made, self.type)
        except (pa.ArrowException, ArithmeticError, LookupError, TypeError, ValueError) as error:
            self.rounded = before
            raise TooNarrowError(str(error)) from None

    def _at_once(self, values: Sequence[Any]) -> Any:
        """The array as Arrow makes it, where that is sure to be exact; else None."""
        import pyarrow as pa

        kinds = set(map(type, values)) - {type(None)}
        kind = self.type
        try:
            if kinds <= {str}:
                return self.texts(pa.array(values, pa.string()))
            if kinds <= {int} and pa.types.is_integer(kind):
                return pa.array(values, kind)
            if kinds <= {bool} and pa.types.is_boolean(kind):
                return pa.array(values, kind)
            if kinds <= {Decimal} and pa.types.is_decimal(kind):
                return pa.array(values, kind)  # it refuses what has more digits
        except (pa.ArrowException, OverflowError, ValueError):
            return None
        return None

    def column(self, column: Any) -> Any:
        """An array of the values of a file's own typed column.

        None when no cast is sure to be exact.
        """
        import pyarrow as pa

        texts = plain_texts(column)
        if texts is None:
            return same_values(column, self.type)
        return texts if pa.types.is_string(self.type) else self.texts(texts)

    def texts(self, texts: Any) -> Any:
        """An array of texts as they stand in a file, null where they mean null.

        None when Arrow's own reading of them is not sure to be exact. They are known to be good:
        whether `0x10` is a number is no longer the question.
        """
        import pyarrow as pa

        kind, named = self.type, self._column.temporal
        layout = "dateTimeFormat" in self._column.schema
        try:
            if pa.types.is_floating(kind):
                return self._doubles(texts)
            if pa.types.is_decimal(kind):
                return _decimals(texts, kind)
            sure = pa.types.is_string(kind) and self._is_text
            sure = sure or pa.types.is_integer(kind)
            if sure or (not layout and named in {"date", "date-time", "local-date-time"}):
                return texts.cast(kind)
        except pa.ArrowException:
            return None
        return None

    def _doubles(self, texts: Any) -> Any:
        """Doubles of texts; those that may be rounded are looked at one by one."""
        import pyarrow as pa
        from pyarrow import compute

        made = texts.cast(pa.float64())
        if compute.any(compute.is_inf(made)).as_py():
            return None
        # Fifteen digits survive in a double.
        long = compute.greater(compute.utf8_length(texts), _SAFE_DIGITS)
        other = compute.not_equal(made.cast(pa.string()), texts)
        odd = compute.and_(
            compute.or_(long, compute.match_substring(texts, "e", ignore_case=True)), other
        )
        pairs = zip(texts.filter(odd).to_pylist(), made.filter(odd).to_pylist(), strict=True)
        self.rounded += sum(Decimal(text) != Decimal(repr(value)) for text, value in pairs)
        return made

    def _value(self, value: Any, kind: Any, schema: Mapping[str, Any]) -> Any:
        types = _arrow_types()
        if types.is_string(kind):
            return value if isinstance(value, str) else to_json(value)
        if types.is_integer(kind):
            return int(value)
        if types.is_floating(kind):
            return self._double(value)
        if types.is_decimal(kind):
            return Decimal(value).quantize(Decimal(1).scaleb(-kind.scale), context=_EXACT)
        if types.is_temporal(kind):
            return self._moment(value, kind, schema)
        return value if types.is_boolean(kind) else self._nested(value, kind, schema)

    def _double(self, value: Any) -> float:
        made = float(value)
        if made - made != 0:
            message = f"{value} is beyond a double"
            raise TooNarrowError(message)
        # Most numbers are written as a double is; others may still be equal to one.
        if str(value) != repr(made):
            self.rounded += Decimal(repr(made)) != value
        return made

    def _moment(self, value: str, kind: Any, schema: Mapping[str, Any]) -> int:
        types = _arrow_types()
        at = instant(value, schema)
        if at is None:
            message = f"{value} is no moment"
            raise TooNarrowError(message)
        if types.is_date(kind):
            return at.seconds // 86_400 - _EPOCH_DAY
        micros = at.fraction * _MICROS
        self.rounded += micros != int(micros)
        start = dt.date.min.toordinal() if types.is_time(kind) else _EPOCH_DAY
        return (at.seconds - start * 86_400) * _MICROS + int(micros)

    def _nested(self, value: Any, kind: Any, schema: Mapping[str, Any]) -> Any:
        from pyarrow import types

        if types.is_struct(kind):
            inner = schema["properties"]
            return {
                field.name: self._inner(value.get(field.name), field.type, inner[field.name])
                for field in kind
            }
        if types.is_map(kind):
            inner = schema["additionalProperties"]
            return [
                (name, self._inner(item, kind.item_type, inner)) for name, item in value.items()
            ]
        return [self._inner(item, kind.value_type, schema["items"]) for item in value]

    def _inner(self, value: Any, kind: Any, schema: Any) -> Any:
        return None if value is None else self._value(value, kind, schema)
