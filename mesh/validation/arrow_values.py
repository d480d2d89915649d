"""Values of accepted records as Arrow columns: exactly, or not at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any

from mesh.validation.arrow_types import TypedColumn
from mesh.validation.instants import instant
from mesh.validation.sentences import to_json

_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])
_MICROS = 1_000_000


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

    def texts(self, texts: Any) -> Any:
        """An array of the cells of a delimited file, of which empty ones are null.

        None when Arrow's own reading of them is not sure to be exact.
        """
        import pyarrow as pa

        kind, named = self.type, self._column.temporal
        layout = "dateTimeFormat" in self._column.schema
        sure = (pa.types.is_string(kind) and self._is_text) or pa.types.is_integer(kind)
        if not sure and (layout or named not in {"date", "date-time", "local-date-time"}):
            return None
        try:
            return texts.cast(kind)
        except pa.ArrowException:
            return None

    def _value(self, value: Any, kind: Any, schema: Mapping[str, Any]) -> Any:
        from pyarrow import types

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
        self.rounded += Decimal(repr(made)) != value
        return made

    def _moment(self, value: str, kind: Any, schema: Mapping[str, Any]) -> int:
        from pyarrow import types

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
