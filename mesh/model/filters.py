"""Which events a subscriber wants, in the filter dialects of CloudEvents Subscriptions.

`exact`, `prefix` and `suffix` compare attributes of the event; `all`, `any` and `not` combine.
Beyond the attributes there are the fields of its data: `data.object`, `data.snapshot.rows`, …
https://github.com/cloudevents/spec/blob/main/subscriptions/spec.md#324-filters
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mesh.errors import Rejected

Comparison = Literal["exact", "prefix", "suffix"]
Combination = Literal["all", "any", "not"]

MOST_COMPARISONS = 50
DEEPEST = 6
LONGEST_VALUE = 256
"""Bounds of one subscription's filters: comparisons, levels, and characters of a value."""

_ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}|data(\.[A-Za-z_][A-Za-z0-9_]{0,63}){1,4}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Expression:
    """One filter: a comparison of an attribute with a value, or a combination of others.

    Attributes:
        attribute: of a comparison: a CloudEvents attribute, or `data.FIELD`.
        value: of a comparison; case matters. A number or a boolean is compared as JSON writes it.
        parts: of a combination; `not` has one.
    """

    dialect: Literal["exact", "prefix", "suffix", "all", "any", "not"]
    attribute: str = ""
    value: str = ""
    parts: tuple[Expression, ...] = ()

    def matches(self, envelope: Mapping[str, Any]) -> bool:
        """Whether a CloudEvent is wanted; what an event does not have equals nothing."""
        match self.dialect:
            case "all":
                return all(part.matches(envelope) for part in self.parts)
            case "any":
                return any(part.matches(envelope) for part in self.parts)
            case "not":
                return not self.parts[0].matches(envelope)
        return compare(self.dialect, value_of(envelope, self.attribute), self.value)

    def to_data(self) -> dict[str, Any]:
        """The expression as JSON has it, such as `{"exact": {"type": "…"}}`."""
        match self.dialect:
            case "all" | "any":
                return {self.dialect: [part.to_data() for part in self.parts]}
            case "not":
                return {"not": self.parts[0].to_data()}
        return {self.dialect: {self.attribute: self.value}}

    @property
    def comparisons(self) -> Iterator[Expression]:
        """The comparisons in it."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.comparisons


def exact(attribute: str, *values: str) -> Expression:
    """The attribute has one of these values."""
    found = tuple(Expression(dialect="exact", attribute=attribute, value=one) for one in values)
    return found[0] if len(found) == 1 else Expression(dialect="any", parts=found)


def compare(dialect: Comparison, found: str | None, wanted: str) -> bool:
    """Whether a value of an event, None for none, is as a comparison wants it."""
    if found is None:
        return False
    if dialect == "exact":
        return found == wanted
    return found.startswith(wanted) if dialect == "prefix" else found.endswith(wanted)


def value_of(envelope: Mapping[str, Any], attribute: str) -> str | None:
    """An attribute of an event, or a field of its data; None when there is none, or no scalar."""
    found: Any = envelope
    for name in attribute.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, str | int | float) else None


def expressions_from_data(data: object) -> tuple[Expression, ...]:
    """Read `filters` of a request; all of them have to match.

    Several attributes in one comparison all have to match, as CloudEvents has it.

    Raises:
        Rejected: it is no list of filters, or too large; the message says where.
    """
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise _invalid("filters", "a list of filters is expected")
    found = tuple(_read(one, f"filters[{at}]", 1) for at, one in enumerate(data))
    count = sum(1 for one in found for _ in one.comparisons)
    if count > MOST_COMPARISONS:
        raise _invalid("filters", f"{count} comparisons; {MOST_COMPARISONS} are allowed")
    return found


def _read(data: object, where: str, level: int) -> Expression:
    if level > DEEPEST:
        raise _invalid(where, f"filters may be {DEEPEST} levels deep")
    if not isinstance(data, Mapping) or len(data) != 1:
        raise _invalid(where, "a filter has one member, which is its dialect")
    [(dialect, content)] = data.items()
    where = f"{where}.{dialect}"
    if dialect in get_args(Comparison):
        return _comparison(dialect, content, where)
    if dialect == "not":
        return Expression(dialect="not", parts=(_read(content, where, level + 1),))
    if dialect not in get_args(Combination):
        known = ", ".join((*get_args(Comparison), *get_args(Combination)))
        raise _invalid(where, f"there is no such dialect; the dialects are {known}")
    if not isinstance(content, list) or not content:
        raise _invalid(where, "a list of at least one filter is expected")
    parts = tuple(_read(one, f"{where}[{at}]", level + 1) for at, one in enumerate(content))
    return Expression(dialect=dialect, parts=parts)


def _comparison(dialect: Comparison, content: object, where: str) -> Expression:
    if not isinstance(content, Mapping) or not content:
        raise _invalid(where, "at least one attribute with its value is expected")
    parts = []
    for attribute, value in content.items():
        if not _ATTRIBUTE.fullmatch(attribute):
            message = (
                f"{attribute[:80]!r} is neither an attribute of CloudEvents (such as type or "
                "subject) nor a field of the data (such as data.object)"
            )
            raise _invalid(where, message)
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_VALUE:
            message = f"{attribute} needs a text of 1 to {LONGEST_VALUE} characters"
            raise _invalid(where, message)
        parts.append(Expression(dialect=dialect, attribute=attribute, value=value))
    return parts[0] if len(parts) == 1 else Expression(dialect="all", parts=tuple(parts))


def _invalid(where: str, what: str) -> Rejected:
    return Rejected(f"{where}: {what}.", problem="invalid-filter")
