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
from typing import Any, Literal

from mesh.model.contract_profile import REFERENCE, custom_value
from mesh.model.contract_schema import column_name

RULE: Literal["relationship"] = "relationship"
NESTED = "only fields at the top of a record can be checked"
"""The obstacle of relationships that are right and cannot be checked all the same."""

_SCHEME = re.compile(r"[a-z]+://[^/]*/?")
_IDS = re.compile(r"/?schema/([^/]+)/properties/([^/]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Relationship:
    """One foreign key.

    Attributes:
        pointer: JSON Pointer of it in the contract.
        fields: Names, in files, of the fields that point.
        product: `DOMAIN/PRODUCT` of the contract that is pointed at; None for the same contract.
        object_name: Id or name of the object that is pointed at.
        properties: Ids or names of its properties, one for each field.
        file: The contract that is pointed at, as the reference names it; empty for the same one.
        major: Of the output port; None takes the lowest that offers the object.
        severity: `error`: a record that points at nothing is refused. `warning`: it is reported.
        when_unpublished: What to do with files as long as nothing is published to point at.
        obstacle: Why it cannot be checked; empty when it can.
    """

    pointer: str
    fields: tuple[str, ...]
    product: str | None
    object_name: str
    properties: tuple[str, ...]
    file: str = ""
    major: int | None = None
    severity: Literal["error", "warning"] = "error"
    when_unpublished: Literal["reject", "accept"] = "reject"
    obstacle: str = ""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a relationship points at, found in a contract.

    Attributes:
        columns: Names in files.
        types: ODCS logical types.
        is_key: Whether no two records can share the values: a primary key, or a unique field.
        partitioned: Those of the columns whose values stand in names of folders.
        classifications: Of the columns, in lower case.
    """

    object_name: str
    columns: tuple[str, ...]
    types: tuple[str | None, ...]
    is_key: bool
    partitioned: tuple[str, ...] = ()
    classifications: frozenset[str] = frozenset()


def relationships(
    element: Mapping[str, Any], pointer: str, contract: Mapping[str, Any]
) -> Iterator[Relationship]:
    """The foreign keys of a schema object: its own, then those of its properties."""
    yield from _of(element, element, pointer, None, contract)
    for index, item in enumerate(element.get("properties") or ()):
        at = f"{pointer}/properties/{index}"
        yield from _of(element, item, at, (column_name(item),), contract)
        for nested, inner in _nested(item, at):
            yield from _of(element, inner, nested, (), contract)


def relationship_elements(
    element: Mapping[str, Any], pointer: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every relationship within a schema object, as it is written, with its pointer."""
    for at, holder in [(pointer, element), *_nested(element, pointer)]:
        for index, entry in enumerate(holder.get("relationships") or ()):
            yield f"{at}/relationships/{index}", entry


def find_target(
    document: Mapping[str, Any], object_name: str, properties: Sequence[str]
) -> Target | None:
    """What a relationship points at, by ids or names, in a contract; None when it is not there."""
    element = _called(document.get("schema"), object_name)
    if element is None:
        return None
    items = element.get("properties") or ()
    found = [_called(items, name) for name in properties]
    columns = [item for item in found if item is not None]
    if len(columns) < len(found):
        return None
    key = {column_name(item) for item in items if item.get("primaryKey")}
    names = tuple(column_name(item) for item in columns)
    return Target(
        object_name=str(element["name"]),
        columns=names,
        types=tuple(item.get("logicalType") for item in columns),
        is_key=(bool(key) and set(names) == key)
        or any(bool(item.get("unique")) for item in columns),
        partitioned=tuple(column_name(item) for item in columns if item.get("partitioned")),
        classifications=frozenset(
            str(item["classification"]).lower() for item in columns if item.get("classification")
        ),
    )


def split_reference(reference: str) -> tuple[str, str, str]:
    """File, object and property of a reference; object and property are empty if it is neither."""
    file, _, path = reference.rpartition("#")
    found = _IDS.fullmatch(path)
    if found:
        return file, found[1], found[2]
    object_name, _, name = path.partition(".")
    return (file, object_name, name) if name and "/" not in path else (file, "", "")


def is_foreign_key(entry: object) -> bool:
    return isinstance(entry, Mapping) and entry.get("type", "foreignKey") == "foreignKey"


def _of(
    element: Mapping[str, Any],
    holder: Mapping[str, Any],
    pointer: str,
    fields: tuple[str, ...] | None,
    contract: Mapping[str, Any],
) -> Iterator[Relationship]:
    for index, entry in enumerate(holder.get("relationships") or ()):
        if not is_foreign_key(entry):
            continue
        told = custom_value(entry, REFERENCE)
        targets = [split_reference(one) for one in _list(entry.get("to"))]
        own, obstacle = (fields, "") if fields is not None else _own(element, entry)
        file = targets[0][0] if targets else ""
        yield Relationship(
            pointer=f"{pointer}/relationships/{index}",
            fields=own,
            product=told.get("product") or _product(file, contract),
            object_name=targets[0][1] if targets else "",
            properties=tuple(name for _, _, name in targets),
            file=file,
            major=told.get("major"),
            severity=told.get("severity", "error"),
            when_unpublished=told.get("whenUnpublished", "reject"),
            obstacle=obstacle or _obstacle(own, targets),
        )


def _own(element: Mapping[str, Any], entry: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The fields that a relationship of the object as a whole starts from."""
    parts = [split_reference(one) for one in _list(entry.get("from"))]
    names = {element.get("id"), element.get("name")}
    items = [_called(element.get("properties"), name) for _, _, name in parts]
    if any(name not in names for _, name, _ in parts):
        return (), "it starts from another object"
    found = tuple(column_name(item) for item in items if item is not None)
    return found, "" if len(found) == len(parts) else "it starts from no field of the object"


def _obstacle(fields: tuple[str, ...], targets: Sequence[tuple[str, str, str]]) -> str:
    if not fields or any("." in name for _, _, name in targets):
        return NESTED
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


def _nested(element: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The properties within a property, however deep, with their pointers."""
    inner = [
        (f"{pointer}/properties/{index}", item)
        for index, item in enumerate(element.get("properties") or ())
    ]
    if isinstance(element.get("items"), Mapping):
        inner.append((f"{pointer}/items", element["items"]))
    for at, item in inner:
        yield at, item
        yield from _nested(item, at)


def _called(elements: Any, name: str) -> Mapping[str, Any] | None:
    """The element with this id, else the one with this name."""
    for key in ("id", "name"):
        for element in elements or ():
            if element.get(key) == name:
                assert isinstance(element, Mapping)
                return element
    return None


def _list(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []
