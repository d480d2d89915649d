"""Asks the reference about the values of a column that no rule is for: of each value once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mesh.validation.json_values import parse_json

if TYPE_CHECKING:
    import polars as pl

_REMEMBERED = 100_000
_LONGEST = 256


class ColumnQuestions:
    """What the reference says of values, remembered for the next block.

    Args:
        schema: Of the values.
        root: Of the records, for references.
    """

    def __init__(self, schema: Any, root: Mapping[str, Any]) -> None:
        self._schema, self._root = schema, root
        self._good: set[str] = set()
        self._ask: Callable[[Any], bool] | None = None

    def answers(self, texts: Any) -> tuple[pl.Series, int]:
        """Which values are good, of an array of their JSON; and the bytes of the longest."""
        import polars as pl
        import pyarrow as pa
        from pyarrow import compute

        values = compute.unique(texts)
        longest = compute.max(compute.binary_length(values)).as_py() or 0
        bad = [text for text in values.to_pylist() if not self._is_good(text)]
        found = compute.is_in(texts, value_set=pa.array(bad, texts.type))
        return ~pl.Series("bad", found), longest

    def _is_good(self, text: str) -> bool:
        if text in self._good:
            return True
        good = self._asked(text)
        if good and len(text) <= _LONGEST:
            if len(self._good) >= _REMEMBERED:
                self._good.clear()
            self._good.add(text)
        return good

    def _asked(self, text: str) -> bool:
        try:
            value = parse_json(text)
            if self._ask is None:
                from mesh.validation.reference import subschema_validator

                self._ask = subschema_validator(self._schema, self._root).is_valid
            return self._ask(value)
        except (ValueError, RecursionError):
            return False
