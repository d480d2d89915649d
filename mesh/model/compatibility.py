"""Whether a new version of a contract keeps what the old one promised, and to whom.

The modes are the Schema Registry's. *Backward*: what was written by the old contract is valid under
the new one, so nobody who writes is broken. *Forward*: what is written by the new contract is valid
under the old one, so nobody who reads is broken. *Full*: both. *Transitive*: against all versions,
not only the latest. Records are closed: a new optional field is compatible, for readers pass by
what they do not know; removing a field breaks everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from mesh.model.compatibility_promises import quality_steps, relationship_steps, service_steps
from mesh.model.compatibility_schema import Step, schema_steps
from mesh.model.contract import DataContract, Field, SchemaObject
from mesh.model.contract_profile import Dialect
from mesh.model.file_set import SetRule
from mesh.model.value_paths import schema_at

Mode = Literal[
    "none",
    "backward",
    "forward",
    "full",
    "backward_transitive",
    "forward_transitive",
    "full_transitive",
]
MODES: tuple[Mode, ...] = get_args(Mode)


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
        pointer: JSON Pointer of what changed in the newer contract, or of what holds it there.
    """

    object_name: str
    field: str
    rule: str
    message: str
    breaks_producers: bool
    breaks_consumers: bool
    verdict: Literal["compatible", "breaking"]
    pointer: str = ""

    @property
    def breaks(self) -> str:
        """Whom it breaks, in words."""
        sides = [("producers", self.breaks_producers), ("consumers", self.breaks_consumers)]
        return " and ".join(name for name, broken in sides if broken) or "nobody"

    def to_data(self) -> dict[str, Any]:
        """The change as the API and the command tell it (`Change` in `schemas/openapi.json`)."""
        sides = (("producers", self.breaks_producers), ("consumers", self.breaks_consumers))
        return {
            "object": self.object_name,
            "field": self.field,
            "rule": self.rule,
            "path": self.pointer,
            "message": self.message,
            "breaks": [name for name, breaks in sides if breaks],
            "verdict": self.verdict,
        }


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
            pointer=_pointer(new, name, step),
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


def _pointer(contract: DataContract, name: str, step: Step) -> str:
    item = contract.objects.get(name)
    if item is None:
        place = "slaProperties" if step.rule == "slaProperties" else "schema"
        return f"/{place}" if place in contract.document else ""
    within = [
        field
        for field in item.fields
        if step.field == field.name or step.field.startswith((f"{field.name}.", f"{field.name}["))
    ]
    return max(within, key=lambda field: len(field.name)).pointer if within else item.pointer


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
    for step in service_steps(old.document, new.document):
        yield "", step


def _object_steps(old: SchemaObject, new: SchemaObject) -> Iterator[Step]:
    yield from schema_steps(old.record, new.record)
    keys = _key_step(old.primary_key, new.primary_key)
    if keys is not None:
        yield keys
    fields = {item.name: item for item in old.fields}
    for item in new.fields:
        if item.name in fields:
            yield from _unique(fields[item.name], item, old, new, keys)
            yield from _classification(fields[item.name], item)
    yield from _unique_within(old, new)
    yield from quality_steps(old.quality, new.quality)
    yield from relationship_steps(old.relationships, new.relationships)
    yield from _dialect(old.dialect, new.dialect)
    yield from _acceptance(old, new)
    yield from _partitions(old.partition_keys, new.partition_keys)
    yield from _file_set(old.file_set, new.file_set)


def _key_step(old: tuple[str, ...], new: tuple[str, ...]) -> Step | None:
    """A key of fewer fields demands more: what (a) tells apart, (a, b) tells apart as well."""
    if set(old) == set(new):
        return None
    names = [", ".join(key) or "none" for key in (old, new)]
    text = f"The primary key is now {names[1]} instead of {names[0]}."
    tightens = bool(new) and not (old and set(old) <= set(new))
    loosens = bool(old) and not (new and set(new) <= set(old))
    return Step("", "primaryKey", text, tightens, loosens)


def _unique(
    old: Field, new: Field, before: SchemaObject, after: SchemaObject, keys: Step | None
) -> Iterator[Step]:
    """A change that the primary key's change has told already is not told again."""
    told = keys is not None and (
        (new.unique and keys.tightens and after.primary_key == (new.name,))
        or (old.unique and keys.loosens and before.primary_key == (old.name,))
    )
    if old.unique != new.unique and not told:
        text = f"{new.name} must now be unique." if new.unique else f"{new.name} may now repeat."
        yield Step(new.name, "unique", text, new.unique, old.unique)


def _unique_within(old: SchemaObject, new: SchemaObject) -> Iterator[Step]:
    """The same within objects, lists and maps; of what only one version has, nothing is told."""
    before = {one.label: one for one in old.unique_paths}
    after = {one.label: one for one in new.unique_paths}
    for label, one in after.items():
        if label not in before and schema_at(old.record, one.steps) is not None:
            yield Step(label, "unique", f"{label} must now be unique.", True, False)
    for label, one in before.items():
        if label not in after and schema_at(new.record, one.steps) is not None:
            yield Step(label, "unique", f"{label} may now repeat.", False, True)


def _classification(old: Field, new: Field) -> Iterator[Step]:
    """Readers who were entitled to a field may not be entitled to it when it is sensitive."""
    if (old.classification, old.sensitive) == (new.classification, new.sensitive):
        return
    said = [
        item.classification or ("by its parts" if item.sensitive else "not at all")
        for item in (old, new)
    ]
    text = f"{new.name} is now classified {said[1]} instead of {said[0]}."
    yield Step(new.name, "classification", text, False, new.sensitive and not old.sensitive)


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


def _partitions(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Step]:
    """Readers find published data elsewhere; by more fields, a file may have too many parts."""
    if old != new:
        said = [", ".join(keys) or "nothing" for keys in (old, new)]
        text = f"Published data is now parted by {said[1]} instead of {said[0]}."
        yield Step("", "partitioned", text, not set(new) <= set(old), True)


def _file_set(old: SetRule | None, new: SetRule | None) -> Iterator[Step]:
    """Which files consumers are told of together, and how late a set may be."""
    if old is None or new is None:
        if old != new:
            how = "in sets" if new else "each by itself"
            yield Step("", "fileSet", f"Files are now delivered {how}.", True, True)
        return
    if replace(old, deadline=None) != replace(new, deadline=None):
        yield Step("", "fileSet", "A set is now made of other files.", True, True)
    if old.deadline != new.deadline:
        later = old.deadline is not None and (new.deadline is None or new.deadline > old.deadline)
        ends = (old.deadline, new.deadline)
        said = [f"late {end} after its first file" if end else "never late" for end in ends]
        text = f"A set is now {said[1]}; it was {said[0]}."
        yield Step("", "fileSet", text, False, later)
