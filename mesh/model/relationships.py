"""Foreign keys of a contract: which records of which object their fields must point at.

ODCS writes what is referred to in two notations: `object.property` by names, within the contract
itself, and `FILE#/schema/ID/properties/ID` by ids, in any contract. In a mesh the folder of FILE
says whose contract it is, for declarations lie in `DOMAIN/PRODUCT/`: see
`docs/contract-profile.md`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from mesh.model.contract_profile import REFERENCE, custom_value
from mesh.model.contract_schema import column_name
from mesh.model.relationship_targets import find_way, split_reference
from mesh.model.value_paths import Steps, nested_elements

RULE: Literal["relationship"] = "relationship"
_MAP_KEY = "the keys of a map are no field"
_SCHEME = re.compile(r"[a-z]+://[^/]*/?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Relationship:
    """One foreign key.

    Attributes:
        pointer: JSON Pointer of it in the contract.
        fields: Names, in files, of the fields that point, as people read them: `customer.id`, or
            `lines[].sku`, each entry of which points by itself.
        steps: The way to each of them from the top of a record.
        types: Their ODCS logical types.
        product: `DOMAIN/PRODUCT` of the contract that is pointed at; None for the same contract.
        object_name: Id or name of the object that is pointed at.
        properties: Ids or names of its properties, one for each field; joined by dots where they
            are within objects.
        file: The contract that is pointed at, as the reference names it; empty for the same one.
        major: Of the output port; None takes the lowest that offers the object.
        severity: `error`: a record that points at nothing is refused. `warning`: it is reported.
        when_unpublished: What to do with files as long as nothing is published to point at.
        obstacle: Why it cannot be checked; empty when it can.
    """

    pointer: str
    fields: tuple[str, ...]
    steps: tuple[Steps, ...]
    types: tuple[str | None, ...]
    product: str | None
    object_name: str
    properties: tuple[str, ...]
    file: str = ""
    major: int | None = None
    severity: Literal["error", "warning"] = "error"
    when_unpublished: Literal["reject", "accept"] = "reject"
    obstacle: str = ""

    @property
    def is_nested(self) -> bool:
        """Whether a field is within an object, a list or a map."""
        return any(len(steps) > 1 for steps in self.steps)

    @property
    def target(self) -> str:
        """What is pointed at, for people: `geography/countries countries (code)`."""
        owner = f"{self.product} " if self.product else ""
        return f"{owner}{self.object_name} ({', '.join(self.properties)})"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferredVersion:
    """The published data that a file's relationship was checked against.

    Attributes:
        path: JSON Pointer of the relationship in the file's contract.
        product: `DOMAIN/PRODUCT` that was pointed at.
        contract: `PORT:VERSION` of the data.
        properties: names, in published data, of the fields that were pointed at.
        drop: whose rows they are.
        sequence: of the event that announced the data; 0 for the rows of the file itself.
    """

    path: str
    fields: tuple[str, ...]
    product: str
    contract: str
    object_name: str
    properties: tuple[str, ...]
    drop: str
    sequence: int

    @property
    def label(self) -> str:
        """For people."""
        columns = ", ".join(self.properties)
        where = f"sequence {self.sequence}" if self.sequence else "in the file itself"
        return f"{self.product} {self.object_name} ({columns}), {where}"


def relationships(
    element: Mapping[str, Any], pointer: str, contract: Mapping[str, Any]
) -> Iterator[Relationship]:
    """The foreign keys of a schema object: its own, those of its properties, those within these."""
    yield from _of(element, element, pointer, None, contract)
    for index, item in enumerate(element.get("properties") or ()):
        name = column_name(item)
        own = _Own((name,), ((name,),), (item.get("logicalType"),))
        yield from _of(element, item, f"{pointer}/properties/{index}", own, contract)
    for inner in nested_elements(element, pointer):
        kind = inner.element.get("logicalType")
        own = _Own((inner.label,), (inner.steps,), (kind,), _MAP_KEY if inner.is_key else "")
        yield from _of(element, inner.element, inner.pointer, own, contract)


def relationship_elements(
    element: Mapping[str, Any], pointer: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every relationship within a schema object, as it is written, with its pointer."""
    tops = enumerate(element.get("properties") or ())
    holders = [(pointer, element), *((f"{pointer}/properties/{at}", item) for at, item in tops)]
    holders += [(inner.pointer, inner.element) for inner in nested_elements(element, pointer)]
    for at, holder in holders:
        for index, entry in enumerate(holder.get("relationships") or ()):
            yield f"{at}/relationships/{index}", entry


def is_foreign_key(entry: object) -> bool:
    return isinstance(entry, Mapping) and entry.get("type", "foreignKey") == "foreignKey"


class _Own(NamedTuple):
    """What a relationship starts from."""

    fields: tuple[str, ...] = ()
    steps: tuple[Steps, ...] = ()
    types: tuple[str | None, ...] = ()
    obstacle: str = ""


def _of(
    element: Mapping[str, Any],
    holder: Mapping[str, Any],
    pointer: str,
    fields: _Own | None,
    contract: Mapping[str, Any],
) -> Iterator[Relationship]:
    for index, entry in enumerate(holder.get("relationships") or ()):
        if not is_foreign_key(entry):
            continue
        told = custom_value(entry, REFERENCE)
        targets = [split_reference(one) for one in _list(entry.get("to"))]
        own = fields or _own(element, entry)
        file = targets[0][0] if targets else ""
        yield Relationship(
            pointer=f"{pointer}/relationships/{index}",
            fields=own.fields,
            steps=own.steps,
            types=own.types,
            product=told.get("product") or _product(file, contract),
            object_name=targets[0][1] if targets else "",
            properties=tuple(name for _, _, name in targets),
            file=file,
            major=told.get("major"),
            severity=told.get("severity", "error"),
            when_unpublished=told.get("whenUnpublished", "reject"),
            obstacle=own.obstacle or _obstacle(own.fields, targets),
        )


def _own(element: Mapping[str, Any], entry: Mapping[str, Any]) -> _Own:
    """The fields that a relationship of the object as a whole starts from."""
    parts = [split_reference(one) for one in _list(entry.get("from"))]
    names = {element.get("id"), element.get("name")}
    if any(name not in names for _, name, _ in parts):
        return _Own(obstacle="it starts from another object")
    ways = [way for _, _, path in parts if (way := find_way(element, path))]
    if len(ways) < len(parts):
        return _Own(obstacle="it starts from no field of the object")
    steps = tuple(tuple(map(column_name, way)) for way in ways)
    types = tuple(way[-1].get("logicalType") for way in ways)
    return _Own(tuple(".".join(names) for names in steps), steps, types)


def _obstacle(fields: tuple[str, ...], targets: Sequence[tuple[str, str, str]]) -> str:
    if any(not name for _, _, name in targets):
        return "it does not name an object and its properties"
    if len({target[:2] for target in targets}) > 1:
        return "it points at several objects"
    if len(fields) != len(targets):
        return "it has not as many fields on both sides"
    return ""


def _product(file: str, contract: Mapping[str, Any]) -> str | None:
    """Whose contract a file is: its folder, seen from the contract's own, is `DOMAIN/PRODUCT`."""
    if not file:
        return None
    path = _SCHEME.sub("", file, count=1)
    own = f"{contract.get('domain') or ''}/{contract.get('dataProduct') or ''}"
    folder = posixpath.normpath(posixpath.join(own, posixpath.dirname(path)))
    parts = [part for part in folder.split("/") if part not in {"", ".", ".."}]
    return "/".join(parts[-2:])


def _list(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []
