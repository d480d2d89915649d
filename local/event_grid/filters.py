"""Which events an event subscription wants: types, subject and advanced filters.

The rules are those of "Understand event filtering for Event Grid subscriptions" in Azure's
documentation (https://learn.microsoft.com/azure/event-grid/event-filtering). Where it says nothing:

- Names in a key are found as written, else without regard to case (its examples write `Data.Key1`).
- A value of another kind than the operator's counts as missing; inside an array it is ignored.
- `null` counts as missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.event_grid.documents import Document
from local.event_grid.schemas import Event

MAX_FILTERS = 25
MAX_VALUES = 25
MAX_TEXT = 512

_MISSING = object()
_MATCH_WHEN_MISSING = frozenset({"NumberNotIn", "StringNotIn"})

Test = Callable[[Any], bool]
_NUMBER_BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "NumberLessThan": lambda value, bound: value < bound,
    "NumberLessThanOrEquals": lambda value, bound: value <= bound,
    "NumberGreaterThan": lambda value, bound: value > bound,
    "NumberGreaterThanOrEquals": lambda value, bound: value >= bound,
}
_TEXT_RELATIONS: dict[str, Callable[[str, str], bool]] = {
    "In": lambda text, wanted: text == wanted,
    "Contains": lambda text, wanted: wanted in text,
    "BeginsWith": lambda text, wanted: text.startswith(wanted),
    "EndsWith": lambda text, wanted: text.endswith(wanted),
}
_TEXT_OPERATORS = tuple(
    f"String{negation}{relation}" for relation in _TEXT_RELATIONS for negation in ("", "Not")
)
_LIST_OPERATORS = ("NumberIn", "NumberNotIn", "NumberInRange", "NumberNotInRange")
_NULL_OPERATORS = ("IsNullOrUndefined", "IsNotNull")
OPERATORS = (
    *_LIST_OPERATORS,
    *_NUMBER_BOUNDS,
    "BoolEquals",
    *_TEXT_OPERATORS,
    *_NULL_OPERATORS,
)
"""Every operator type of an advanced filter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AdvancedFilter:
    """One condition on one key: `{operatorType, key, value | values}`."""

    operator: str
    key: str
    kind: type
    test: Test

    def matches(self, event: Event, *, arrays: bool) -> bool:
        value = _lookup(event, self.key)
        if self.operator in _NULL_OPERATORS:
            return (value is _MISSING or value is None) == (self.operator == "IsNullOrUndefined")
        if isinstance(value, list):
            if not arrays:
                return False
            found = any(self.test(item) for item in value if _is(item, self.kind))
            return found != self._negated
        value = _as_attribute(event, self.key, value, self.kind)
        if not _is(value, self.kind):
            return self.operator in _MATCH_WHEN_MISSING
        return self.test(value) != self._negated

    @property
    def _negated(self) -> bool:
        return self.operator.startswith(("StringNot", "NumberNot"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """The `filter` of an event subscription; what is left out matches everything."""

    event_types: frozenset[str] | None = None
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    subject_case_sensitive: bool = False
    advanced: tuple[AdvancedFilter, ...] = ()
    arrays: bool = False

    def matches(self, event: Event) -> bool:
        if self.event_types is not None and event.type not in self.event_types:
            return False
        subject = self._folded(event.subject)
        return (
            subject.startswith(self._folded(self.subject_begins_with))
            and subject.endswith(self._folded(self.subject_ends_with))
            and all(condition.matches(event, arrays=self.arrays) for condition in self.advanced)
        )

    def _folded(self, subject: str) -> str:
        return subject if self.subject_case_sensitive else subject.casefold()


def read_filter(document: Document | None) -> Filter:
    """Read the `filter` of an event subscription.

    Raises:
        InvalidDocument: an unknown operator, a value of the wrong kind, or more than Azure takes:
            25 conditions, 25 values over all of them, 512 characters in a value.
    """
    if document is None:
        return Filter()
    document.only(
        "includedEventTypes",
        "subjectBeginsWith",
        "subjectEndsWith",
        "isSubjectCaseSensitive",
        "enableAdvancedFilteringOnArrays",
        "advancedFilters",
    )
    return Filter(
        event_types=_read_event_types(document),
        subject_begins_with=document.optional_text("subjectBeginsWith") or "",
        subject_ends_with=document.optional_text("subjectEndsWith") or "",
        subject_case_sensitive=document.flag("isSubjectCaseSensitive"),
        advanced=_read_advanced(document),
        arrays=document.flag("enableAdvancedFilteringOnArrays"),
    )


def _read_event_types(document: Document) -> frozenset[str] | None:
    types = document.items("includedEventTypes")
    for name in types:
        if not isinstance(name, str) or not name:
            raise document.complain("includedEventTypes", "must hold the names of event types.")
    if not types or "All" in types:
        return None
    return frozenset(types)


def _read_advanced(document: Document) -> tuple[AdvancedFilter, ...]:
    conditions = list(document.children("advancedFilters"))
    if len(conditions) > MAX_FILTERS:
        problem = f"holds {len(conditions)} filters; Azure takes at most {MAX_FILTERS}."
        raise document.complain("advancedFilters", problem)
    count = sum(_count_values(condition) for condition in conditions)
    if count > MAX_VALUES:
        problem = f"holds {count} values in all; Azure takes at most {MAX_VALUES}."
        raise document.complain("advancedFilters", problem)
    return tuple(_read_condition(condition) for condition in conditions)


def _count_values(condition: Document) -> int:
    return len(condition.items("values")) if "values" in condition.value else 1


def _read_condition(condition: Document) -> AdvancedFilter:
    condition.only("operatorType", "key", "value", "values")
    operator = condition.choice("operatorType", OPERATORS)
    key = condition.text("key")
    if not all(key.split(".")):
        raise condition.complain("key", "has an empty name between its dots.")
    kind, test = _read_test(condition, operator)
    return AdvancedFilter(operator=operator, key=key, kind=kind, test=test)


def _read_test(condition: Document, operator: str) -> tuple[type, Test]:
    if operator in _NULL_OPERATORS:
        return object, lambda _: True
    if operator == "BoolEquals":
        wanted = _single(condition, bool, "true or false")
        return bool, lambda value: value is wanted
    if operator in _NUMBER_BOUNDS:
        bound, compare = _single(condition, float, "a number"), _NUMBER_BOUNDS[operator]
        return float, lambda value: compare(value, bound)
    if operator in ("NumberIn", "NumberNotIn"):
        numbers = _several(condition, float, "numbers")
        return float, lambda value: value in numbers
    if operator in ("NumberInRange", "NumberNotInRange"):
        ranges = _ranges(condition)
        return float, lambda value: any(low <= value <= high for low, high in ranges)
    relation = _TEXT_RELATIONS[operator.removeprefix("String").removeprefix("Not")]
    texts = [text.casefold() for text in _texts(condition)]
    return str, lambda value: any(relation(value.casefold(), text) for text in texts)


def _single(condition: Document, kind: type, name: str) -> Any:
    value = condition.value.get("value")
    if not _is(value, kind):
        raise condition.complain("value", f"must be {name} for this operator.")
    return value


def _several(condition: Document, kind: type, name: str) -> list[Any]:
    values = condition.items("values")
    if not values or not all(_is(value, kind) for value in values):
        raise condition.complain("values", f"must be a list of {name} for this operator.")
    return values


def _texts(condition: Document) -> list[str]:
    texts: list[str] = _several(condition, str, "texts")
    for text in texts:
        if len(text) > MAX_TEXT:
            problem = f"holds a text of {len(text)} characters; Azure takes at most {MAX_TEXT}."
            raise condition.complain("values", problem)
    return texts


def _ranges(condition: Document) -> list[list[float]]:
    ranges = condition.items("values")
    for pair in ranges:
        if not isinstance(pair, list) or len(pair) != 2 or not all(_is(n, float) for n in pair):
            break
        if pair[0] > pair[1]:
            raise condition.complain("values", f"holds a range that ends before it begins: {pair}.")
    else:
        if ranges:
            return ranges
    raise condition.complain("values", "must be a list of ranges, each [from, to] of two numbers.")


def _is(value: object, kind: type) -> bool:
    """Whether a JSON value is of the kind: `float` stands for any number; true is no number."""
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind)


def _lookup(event: Event, key: str) -> Any:
    value: Any = event.attributes
    for name in key.split("."):
        if not isinstance(value, dict):
            return _MISSING
        if name in value:
            value = value[name]
        else:
            folded = name.casefold()
            value = next((v for k, v in value.items() if k.casefold() == folded), _MISSING)
    return value


def _as_attribute(event: Event, key: str, value: Any, kind: type) -> Any:
    """A CloudEvents attribute is a text to a text operator: `5` begins with "5"."""
    if kind is str and event.is_cloud_event and "." not in key and isinstance(value, int):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value
