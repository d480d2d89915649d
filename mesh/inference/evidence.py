"""What the values of one field have shown, in memory that does not grow with their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from mesh.inference import kinds

LISTED = 50
"""Most distinct values that are counted one by one."""

REMEMBERED = 2_000
"""Most texts of a field that are remembered, so as not to look at them twice."""


class Uniqueness:
    """Which fields never repeat; all fields together remember a bounded number of values."""

    def __init__(self, limit: int = 2_000_000) -> None:
        self._left = limit

    def take(self) -> bool:
        """Ask for room for one more value."""
        self._left -= 1
        return self._left >= 0


class Evidence:
    """What the values of a field have shown.

    Attributes:
        seen: Values that are not null, in how many records.
        nulls: Records in which it is null; where it is missing is told by the number of records.
        shapes: Values by their JSON type; in delimited text all are strings.
        listed: Distinct values and how often each came; None when there are too many.
        integers, numbers: Whether all texts are, as JSON writes them.
        commas: Whether all texts are integers, or numbers with a decimal comma.
        temporal, named, codes: Kinds of `mesh.inference.kinds` that all texts are of.
        lengths: Shortest and longest text.
        low, high: Smallest and largest number.
        repeats: Whether a value came twice; None when that became too much to remember.
        members: Evidence of the members of objects; None when there are too many names.
        entries: Evidence of the entries of arrays.
    """

    def __init__(self, uniqueness: Uniqueness) -> None:
        self.seen = self.nulls = 0
        self.shapes: Counter[str] = Counter()
        self.listed: Counter[str] | None = Counter()
        self.integers = self.numbers = self.commas = True
        self.fractions = False
        self.temporal: list[str] = list(kinds.TEMPORAL)
        self.named: list[str] = list(kinds.NAMED)
        self.codes: list[str] = list(kinds.CODES)
        self.lengths: tuple[int, int] | None = None
        self.low: Decimal | None = None
        self.high: Decimal | None = None
        self.repeats: bool | None = False
        self.members: dict[str, Evidence] | None = {}
        self.entries: Evidence | None = None
        self._uniqueness = uniqueness
        self._hashes: set[int] = set()
        self._known: set[str] = set()

    def null(self) -> None:
        """A record holds null."""
        self.nulls += 1

    def text(self, text: str) -> None:
        """A record holds a text."""
        self.seen += 1
        self.shapes["string"] += 1
        self._list(text)
        if text in self._known:
            self.repeats = True
            return
        if len(self._known) < REMEMBERED:
            self._known.add(text)
        number = None
        if self.numbers or self.integers or self.commas:
            number = self._as_number(text)
        self._kinds(text)
        self._once(text if number is None else number)

    def value(self, value: Any) -> None:
        """A record holds a JSON value."""
        match value:
            case None:
                self.null()
            case str():
                self.text(value)
            case bool():
                self._other("boolean", str(value))
            case int() | Decimal():
                self._number(value)
            case dict():
                self._object(value)
            case list():
                self._array(value)
            case _:
                self._other("number", str(value))

    def _list(self, text: str) -> None:
        if self.listed is not None:
            self.listed[text] += 1
            if len(self.listed) > LISTED or len(text) > 200:
                self.listed = None

    def _as_number(self, text: str) -> Decimal | None:
        self.integers = self.integers and kinds.INTEGER.fullmatch(text) is not None
        plain = kinds.NUMBER.fullmatch(text) is not None
        comma = kinds.COMMA_NUMBER.fullmatch(text) is not None
        self.fractions = self.fractions or comma
        self.numbers = self.numbers and plain
        self.commas = self.commas and (comma or kinds.INTEGER.fullmatch(text) is not None)
        if not plain and not comma:
            return None
        number = Decimal(text.replace(",", "."))
        self._range(number)
        return number

    def _kinds(self, text: str) -> None:
        size = len(text)
        low, high = self.lengths or (size, size)
        self.lengths = (min(low, size), max(high, size))
        if self.temporal:
            self.temporal = [kind for kind in self.temporal if kinds.is_temporal(text, kind)]
        if self.named:
            self.named = [name for name in self.named if kinds.is_named(text, name)]
        if self.codes:
            self.codes = [code for code in self.codes if kinds.is_code(text, code)]

    def _number(self, value: int | Decimal) -> None:
        whole = isinstance(value, int)
        self._other("integer" if whole else "number", str(value))
        number = Decimal(value)
        self._range(number)
        self._once(number)

    def _range(self, number: Decimal) -> None:
        self.low = number if self.low is None else min(self.low, number)
        self.high = number if self.high is None else max(self.high, number)

    def _other(self, shape: str, text: str) -> None:
        self.seen += 1
        self.shapes[shape] += 1
        self._list(text)

    def _object(self, value: dict[str, Any]) -> None:
        self._other("object", "")
        for name, member in value.items():
            if self.members is None:
                return
            if name not in self.members:
                self.members[name] = Evidence(self._uniqueness)
            self.members[name].value(member)
            if len(self.members) > LISTED:
                self.members = None

    def _array(self, value: Iterable[Any]) -> None:
        self._other("array", "")
        self.entries = self.entries or Evidence(self._uniqueness)
        for entry in value:
            self.entries.value(entry)

    def _once(self, value: object) -> None:
        if self.repeats is not False:
            return
        key = hash(value)
        if key in self._hashes:
            self.repeats = True
        elif self._uniqueness.take():
            self._hashes.add(key)
        else:
            self.repeats = None
        if self.repeats is not False:
            self._hashes = set()
