"""What changed between two contracts besides the records: quality rules, service, relationships."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mesh.model.canonical import canonical_json
from mesh.model.compatibility_schema import Step
from mesh.model.contract_quality import QualityRule
from mesh.model.relationships import Relationship

_LESS_IS_BETTER = frozenset(
    {"latency", "frequency", "errorRate", "timeToDetect", "timeToNotify", "timeToRepair"}
)
_MORE_IS_BETTER = frozenset({"availability", "throughput", "retention"})
_EARLIER_IS_BETTER = frozenset({"generalAvailability"})
_LATER_IS_BETTER = frozenset({"endOfSupport", "endOfLife"})
_SECONDS: Mapping[str, float] = {
    name: seconds
    for names, seconds in (
        (("s", "sec", "second", "seconds"), 1),
        (("min", "minute", "minutes"), 60),
        (("h", "hr", "hour", "hours"), 3600),
        (("d", "day", "days"), 86400),
        (("w", "week", "weeks"), 604800),
        (("y", "yr", "year", "years"), 31557600),
    )
    for name in names
}
_SEVERE = "error"


def quality_steps(old: Sequence[QualityRule], new: Sequence[QualityRule]) -> Iterator[Step]:
    """Rules match by what they count and where; a rule that rejects nothing promises nothing."""
    before, after = _grouped(old), _grouped(new)
    for identity in {**before, **after}:
        was, now = before.get(identity, []), after.get(identity, [])
        rule = (now or was)[0]
        where = f"on {rule.field}" if rule.field else "on the object"
        label = f"The quality rule {rule.name or rule.metric} {where}"
        field = rule.field or ""
        limits = [sorted({repr(one.limit) for one in rules}) for rules in (was, now)]
        if not was:
            yield Step(field, "quality", f"{label} is new.", True, False)
        elif not now:
            yield Step(field, "quality", f"{label} is gone.", False, True)
        elif limits[0] != limits[1]:
            alone = len(was) == len(now) == 1
            moves = _limit_moves(rule.operator or "", was[0].limit, now[0].limit)
            said = [" and ".join(texts) for texts in limits]
            text = f"{label} now says {rule.operator} {said[1]} instead of {said[0]}."
            yield Step(field, "quality", text, *(moves if alone else (True, True)))


def _grouped(rules: Iterable[QualityRule]) -> dict[tuple[object, ...], list[QualityRule]]:
    groups: dict[tuple[object, ...], list[QualityRule]] = defaultdict(list)
    for rule in rules:
        if rule.operator and rule.severity == _SEVERE:
            arguments = canonical_json(dict(rule.arguments))
            where = (rule.kind, rule.metric, rule.field, rule.operator, rule.percent, arguments)
            groups[where].append(rule)
    return groups


def _limit_moves(operator: str, old: Any, new: Any) -> tuple[bool, bool]:
    """Whether another limit tightens the rule, and whether it loosens it."""
    if operator in {"mustBeLessThan", "mustBeLessOrEqualTo"}:
        return new < old, new > old
    if operator in {"mustBeGreaterThan", "mustBeGreaterOrEqualTo"}:
        return new > old, new < old
    if operator == "mustBeBetween":
        return new[0] > old[0] or new[1] < old[1], new[0] < old[0] or new[1] > old[1]
    return True, True


def relationship_steps(old: Sequence[Relationship], new: Sequence[Relationship]) -> Iterator[Step]:
    """The foreign keys of an object and of its fields; one that only warns promises nothing."""
    before, after = _demanded(old), _demanded(new)
    for key, was in before.items():
        field, who, points = _points(was)
        now = after.get(key)
        if now is None:
            text = f"{who} no longer has to {points}."
            yield Step(field, "relationships", text, False, True)
        elif now.when_unpublished != was.when_unpublished:
            lenient = now.when_unpublished == "accept"
            text = f"{who} need not {points} as long as nothing is published there."
            text = text if lenient else f"{who} must {points} from the first file."
            yield Step(field, "relationships", text, not lenient, lenient)
    for key in (key for key in after if key not in before):
        field, who, points = _points(after[key])
        yield Step(field, "relationships", f"{who} must now {points}.", True, False)


def _demanded(found: Sequence[Relationship]) -> dict[tuple[object, ...], Relationship]:
    return {
        (one.fields, one.product, one.object_name, one.properties, one.major): one
        for one in found
        if one.severity == _SEVERE
    }


def _points(one: Relationship) -> tuple[str, str, str]:
    """The field it is told of, and who points at what."""
    field = one.fields[0] if len(one.fields) == 1 else ""
    return field, ", ".join(one.fields) or "The object", f"point at {one.target}"


def service_steps(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Step]:
    """The service levels; what cannot be compared counts as less than before."""
    before, after = _levels(old), _levels(new)
    for key, was in before.items():
        name, now = key[0], after.get(key)
        if now is None:
            text = f"The service level {name} is no longer promised."
            yield Step("", "slaProperties", text, False, True)
        elif was != now:
            said = [_level(entry) for entry in (was, now)]
            text = f"The service level {name} is now {said[1]} instead of {said[0]}."
            yield Step("", "slaProperties", text, False, _is_worse(name, was, now))
    for key in (key for key in after if key not in before):
        text = f"The service level {key[0]} is newly promised."
        yield Step("", "slaProperties", text, False, False)


def _levels(document: Mapping[str, Any]) -> dict[tuple[str, str], tuple[Any, Any, Any]]:
    """By property and element: the value, its unit, and the schedule of arrivals."""
    return {
        (str(entry["property"]), str(entry.get("element") or "")): (
            entry.get("value"),
            entry.get("unit"),
            entry.get("schedule"),
        )
        for entry in document.get("slaProperties") or ()
    }


def _level(entry: tuple[Any, Any, Any]) -> str:
    value, unit, schedule = entry
    parts = [str(value), str(unit or ""), f"by the schedule {schedule}" if schedule else ""]
    return " ".join(part for part in parts if part)


def _is_worse(name: str, old: tuple[Any, Any, Any], new: tuple[Any, Any, Any]) -> bool:
    if old[2] != new[2]:
        return True
    if name in _EARLIER_IS_BETTER | _LATER_IS_BETTER:
        later = str(new[0]) > str(old[0])
        return later == (name in _EARLIER_IS_BETTER)
    amounts = [_amount(value, unit) for value, unit, _ in (old, new)]
    was, now = amounts
    if was is None or now is None or was[1] != now[1]:
        return True
    if name not in _LESS_IS_BETTER | _MORE_IS_BETTER:
        return True
    return now[0] > was[0] if name in _LESS_IS_BETTER else now[0] < was[0]


def _amount(value: Any, unit: Any) -> tuple[float, str] | None:
    """A number and its unit; times in seconds."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    name = str(unit or "").strip().lower()
    seconds = _SECONDS.get(name)
    return (number, name) if seconds is None else (number * seconds, "s")
