"""Quality rules of the ODCS library: counts over the whole file, compared at its end.

Those that are SQL are asked of the good rows once they are known: `mesh.validation.queries`.

A record whose cells cannot be told apart counts as a row and as nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from mesh.model.contract_quality import QualityRule, is_checked
from mesh.model.ecma_pattern import UnsupportedPatternError, compile_pattern
from mesh.validation.exact import exact
from mesh.validation.key_bytes import canonical, joined
from mesh.validation.nested_values import values_at
from mesh.validation.plan import Plan
from mesh.validation.report import FileProblem
from mesh.validation.seen import Seen

Counter = Callable[[Sequence[Any]], int]
_SAYS: Mapping[str, tuple[str, Callable[[float, Any], bool]]] = {
    "mustBe": ("must be", lambda count, limit: count == limit),
    "mustNotBe": ("must not be", lambda count, limit: count != limit),
    "mustBeGreaterThan": ("must be greater than", lambda count, limit: count > limit),
    "mustBeGreaterOrEqualTo": ("must be at least", lambda count, limit: count >= limit),
    "mustBeLessThan": ("must be less than", lambda count, limit: count < limit),
    "mustBeLessOrEqualTo": ("must be at most", lambda count, limit: count <= limit),
    "mustBeBetween": ("must be between", lambda count, limit: limit[0] <= count <= limit[1]),
    "mustNotBeBetween": (
        "must not be between",
        lambda count, limit: not limit[0] <= count <= limit[1],
    ),
}
_COUNTED = {
    "nullValues": "null values",
    "missingValues": "missing values",
    "invalidValues": "invalid values",
    "duplicateValues": "repeated values",
    "rowCount": "rows",
}


class Quality:
    """The counts of one file.

    Attributes:
        fields: Names of the fields that the rules look at, or look into.
    """

    def __init__(self, plan: Plan) -> None:
        self._rules = [rule for rule in plan.quality if is_checked(rule)]
        self._looked_at = [_fields(rule) for rule in self._rules]
        self._counters = [_counter(rule) for rule in self._rules]
        self._counts = [0] * len(self._rules)
        self._entries = [0] * len(self._rules)
        self.fields = frozenset(name for names in self._looked_at for name in names)

    def add(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Count records by the JSON values of the fields; a field that is not there is null."""
        size = max((len(values) for values in columns.values()), default=0)
        nulls = [None] * size
        for number, names in enumerate(self._looked_at):
            if not names:
                continue
            values = [columns.get(name) or nulls for name in names]
            single = values[0] if len(values) == 1 else list(zip(*values, strict=True))
            way = self._rules[number].steps[1:]
            if way:
                single = [found for value in single for _, found in values_at(value, way)]
                self._entries[number] += len(single)
            self._counts[number] += self._counters[number](single)

    def verdict(self, rows: int) -> tuple[list[FileProblem], list[FileProblem]]:
        """Problems and warnings of a file of so many rows."""
        problems: list[FileProblem] = []
        warnings: list[FileProblem] = []
        for number, rule in enumerate(self._rules):
            count = rows if rule.metric == "rowCount" else self._counts[number]
            found = _broken(rule, count, self._entries[number] if None in rule.steps else rows)
            if found:
                (problems if rule.severity == "error" else warnings).append(found)
        return problems, warnings


def looked_at(plan: Plan) -> frozenset[str]:
    """The fields whose values are wanted of each record: those of keys and of quality rules."""
    return Quality(plan).fields.union(*(key.fields for key in plan.keys))


def _fields(rule: QualityRule) -> tuple[str, ...]:
    if rule.metric == "rowCount":
        return ()
    several = rule.arguments.get("properties")
    if rule.metric == "duplicateValues" and isinstance(several, list) and several:
        return tuple(map(str, several))
    return tuple(map(str, rule.steps[:1]))


def _counter(rule: QualityRule) -> Counter:
    match rule.metric:
        case "nullValues":
            return lambda values: sum(value is None for value in values)
        case "missingValues":
            missing = _members(rule.arguments.get("missingValues") or [None])
            return lambda values: sum(_member(value) in missing for value in values)
        case "invalidValues":
            return _invalid(rule.arguments)
        case "duplicateValues":
            return _duplicates(Seen())
        case _:
            return lambda _: 0


def _invalid(arguments: Mapping[str, Any]) -> Counter:
    valid = arguments.get("validValues")
    members = _members(valid) if isinstance(valid, list) else None
    pattern = arguments.get("pattern")

    def is_invalid(value: Any) -> bool:
        if value is None:
            return False
        if members is not None and _member(value) not in members:
            return True
        return isinstance(pattern, str) and not _matches(pattern, value)

    return lambda values: sum(map(is_invalid, values))


def _matches(pattern: str, value: Any) -> bool:
    try:
        return compile_pattern(pattern).search(str(value)) is not None
    except UnsupportedPatternError:
        return False


def _duplicates(seen: Seen) -> Counter:
    row = itertools.count()

    def count(values: Sequence[Any]) -> int:
        found = 0
        for value in values:
            parts = value if isinstance(value, tuple) else (value,)
            key = joined([None if part is None else canonical(part) for part in parts])
            found += key is not None and seen.add(key, next(row)) is not None
        return found

    return count


def _members(values: Sequence[Any]) -> frozenset[bytes | None]:
    return frozenset(_member(exact(value)) for value in values) | (
        frozenset({None}) if "" in values else frozenset()
    )


def _member(value: Any) -> bytes | None:
    return None if value is None else canonical(value)


def _broken(rule: QualityRule, count: int, whole: int) -> FileProblem | None:
    share = 100 * count / whole if whole else 0.0
    where = f" in {rule.field}" if rule.field else ""
    what = f"number of {_COUNTED.get(str(rule.metric), str(rule.metric))}{where}"
    amount = f"{share:.4g}" if rule.percent else f"{count:,}"
    return broken_rule(rule, share if rule.percent else count, what, amount)


def broken_rule(rule: QualityRule, measured: Any, what: str, amount: str) -> FileProblem | None:
    """What to say of a rule that does not hold for what was measured; None if it holds.

    Args:
        what: Was measured, for people.
        amount: The measure, for people.
    """
    said, holds = _SAYS[rule.operator or "mustBe"]
    if holds(measured, exact(rule.limit) if isinstance(measured, Decimal) else rule.limit):
        return None
    limits = rule.limit if isinstance(rule.limit, list) else [rule.limit]
    limit = " and ".join(_shown(one) for one in limits)
    unit = f" {rule.unit}" if rule.unit else ""
    named = f"{rule.name}: t" if rule.name else "T"
    return FileProblem(
        rule="quality",
        message=f"{named}he {what} {said} {limit}{unit}; it is {amount}{unit}.",
        remedy=f"Correct the file, or the rule at {rule.pointer} of the contract.",
    )


def _shown(limit: Any) -> str:
    return str(limit).lower() if isinstance(limit, bool) else str(limit)
