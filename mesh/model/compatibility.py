"""Whether a new version of a contract keeps what the old one promised, and to whom.

The modes are the Schema Registry's. *Backward*: what was written by the old contract is valid under
the new one, so nobody who writes is broken. *Forward*: what is written by the new contract is valid
under the old one, so nobody who reads is broken. *Full*: both. *Transitive*: against all versions,
not only the latest. Records are closed: a new optional field is compatible, for readers pass by
what they do not know; removing a field breaks everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mesh.model.compatibility_schema import Step, schema_steps
from mesh.model.contract import DataContract, Field, SchemaObject
from mesh.model.contract_profile import Dialect
from mesh.model.contract_quality import QualityRule

Mode = Literal[
    "none",
    "backward",
    "forward",
    "full",
    "backward_transitive",
    "forward_transitive",
    "full_transitive",
]
_LESS_IS_BETTER = frozenset(
    {"latency", "frequency", "errorRate", "timeToDetect", "timeToNotify", "timeToRepair"}
)
_MORE_IS_BETTER = frozenset({"availability", "throughput", "retention"})
_SEVERE = "error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference between two versions of a contract.

    Attributes:
        object_name: The object it is in; empty for the contract as a whole.
        field: Path of the field; empty for the object as a whole.
        rule: The keyword or property that changed.
        message: What changed, in one sentence.
        breaks_producers: Whether files that were right can now be wrong.
        breaks_consumers: Whether readers can meet what they could rely on not to meet.
        verdict: In the mode that was asked for.
    """

    object_name: str
    field: str
    rule: str
    message: str
    breaks_producers: bool
    breaks_consumers: bool
    verdict: Literal["compatible", "breaking"]


def compare(old: DataContract, new: DataContract, mode: Mode = "full") -> list[Change]:
    """The changes from one version to another, in the order of the contract."""
    return [
        Change(
            object_name=name,
            field=step.field,
            rule=step.rule,
            message=step.message,
            breaks_producers=step.tightens,
            breaks_consumers=step.loosens,
            verdict="breaking" if _breaks(step, mode) else "compatible",
        )
        for name, step in _steps(old, new)
    ]


def compare_all(
    olds: Sequence[DataContract], new: DataContract, mode: Mode = "full_transitive"
) -> list[Change]:
    """The changes from the last of these versions; in a transitive mode, from each of them.

    A change that several versions show is listed once.
    """
    asked = olds if mode.endswith("_transitive") else olds[-1:]
    return list(dict.fromkeys(change for old in asked for change in compare(old, new, mode)))


def _breaks(step: Step, mode: Mode) -> bool:
    direction = mode.removesuffix("_transitive")
    return (step.tightens and direction in {"backward", "full"}) or (
        step.loosens and direction in {"forward", "full"}
    )


def _steps(old: DataContract, new: DataContract) -> Iterator[tuple[str, Step]]:
    for name, before in old.objects.items():
        after = new.objects.get(name)
        if after is None:
            yield name, Step("", "removed", f"Object {name} is removed.", True, True)
            continue
        for step in _object_steps(before, after):
            yield name, step
    for name in new.objects:
        if name not in old.objects:
            yield name, Step("", "added", f"Object {name} is new.", False, False)
    for step in _service_levels(old.document, new.document):
        yield "", step


def _object_steps(old: SchemaObject, new: SchemaObject) -> Iterator[Step]:
    yield from schema_steps(old.record, new.record)
    if old.primary_key != new.primary_key:
        keys = [", ".join(key) or "none" for key in (old.primary_key, new.primary_key)]
        text = f"The primary key is now {keys[1]} instead of {keys[0]}."
        yield Step("", "primaryKey", text, bool(new.primary_key), bool(old.primary_key))
    fields = {item.name: item for item in old.fields}
    for item in new.fields:
        if item.name in fields:
            yield from _field_steps(fields[item.name], item, old.primary_key == new.primary_key)
    yield from _quality(old.quality, new.quality)
    yield from _dialect(old.dialect, new.dialect)
    yield from _acceptance(old, new)


def _field_steps(old: Field, new: Field, same_key: bool) -> Iterator[Step]:
    if old.unique != new.unique and same_key:
        text = f"{new.name} must now be unique." if new.unique else f"{new.name} may now repeat."
        yield Step(new.name, "unique", text, new.unique, old.unique)
    if old.classification != new.classification:
        text = (
            f"{new.name} is now classified {new.classification or 'not at all'} instead of "
            f"{old.classification or 'not at all'}."
        )
        # Readers who were entitled to a field may not be entitled to it when it is sensitive.
        yield Step(new.name, "classification", text, False, new.sensitive and not old.sensitive)


def _quality(old: Sequence[QualityRule], new: Sequence[QualityRule]) -> Iterator[Step]:
    """Rules match by what they count and where; a rule for people promises nothing to machines."""
    before = {_identity(rule): rule for rule in old if rule.operator and rule.severity == _SEVERE}
    after = {_identity(rule): rule for rule in new if rule.operator and rule.severity == _SEVERE}
    for identity in {**before, **after}:
        was, now = before.get(identity), after.get(identity)
        rule = now or was
        assert rule
        where = f"on {rule.field}" if rule.field else "on the object"
        label = f"The quality rule {rule.name or rule.metric} {where}"
        if was is None:
            yield Step(rule.field or "", "quality", f"{label} is new.", True, False)
        elif now is None:
            yield Step(rule.field or "", "quality", f"{label} is gone.", False, True)
        elif was.limit != now.limit:
            tightens, loosens = _limit_moves(was.operator or "", was.limit, now.limit)
            text = f"{label} now says {now.operator} {now.limit} instead of {was.limit}."
            yield Step(rule.field or "", "quality", text, tightens, loosens)


def _identity(rule: QualityRule) -> tuple[object, ...]:
    return (rule.kind, rule.metric, rule.field, rule.operator, rule.percent, repr(rule.arguments))


def _limit_moves(operator: str, old: Any, new: Any) -> tuple[bool, bool]:
    if operator in {"mustBeLessThan", "mustBeLessOrEqualTo"}:
        return new < old, new > old
    if operator in {"mustBeGreaterThan", "mustBeGreaterOrEqualTo"}:
        return new > old, new < old
    if operator == "mustBeBetween":
        return new[0] > old[0] or new[1] < old[1], new[0] < old[0] or new[1] > old[1]
    return True, True


def _dialect(old: Dialect, new: Dialect) -> Iterator[Step]:
    for name in Dialect.__slots__:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            text = f"Files are written in another way: {name} is {after!r} instead of {before!r}."
            yield Step("", "fileDialect", text, True, True)


def _acceptance(old: SchemaObject, new: SchemaObject) -> Iterator[Step]:
    before = old.acceptance.max_rejected_share if old.acceptance.mode == "split" else None
    after = new.acceptance.max_rejected_share if new.acceptance.mode == "split" else None
    if before == after:
        return
    loosens = before is None or (after is not None and after > before)
    shares = [
        "no bad row" if share is None else f"{share:.2%} bad rows" for share in (before, after)
    ]
    text = f"Files are accepted with {shares[1]} instead of {shares[0]}."
    yield Step("", "fileAcceptance", text, not loosens, loosens)


def _service_levels(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Step]:
    before, after = _levels(old), _levels(new)
    for key, was in before.items():
        name, now = key[0], after.get(key)
        if now is None:
            text = f"The service level {name} is no longer promised."
            yield Step("", "slaProperties", text, False, True)
        elif was != now:
            text = f"The service level {name} is now {now[0]} instead of {was[0]}."
            yield Step("", "slaProperties", text, False, _is_worse(name, was, now))
    for key in (key for key in after if key not in before):
        text = f"The service level {key[0]} is newly promised."
        yield Step("", "slaProperties", text, False, False)


def _levels(document: Mapping[str, Any]) -> dict[tuple[str, str], tuple[Any, Any]]:
    return {
        (str(entry["property"]), str(entry.get("element") or "")): (
            entry["value"],
            entry.get("unit"),
        )
        for entry in document.get("slaProperties") or ()
    }


def _is_worse(name: str, old: tuple[Any, Any], new: tuple[Any, Any]) -> bool:
    """Whether readers get less; what cannot be compared counts as less."""
    try:
        was, now = float(old[0]), float(new[0])
    except (TypeError, ValueError):
        return True
    if old[1] != new[1] or name not in _LESS_IS_BETTER | _MORE_IS_BETTER:
        return True
    return now > was if name in _LESS_IS_BETTER else now < was
