"""What references of a contract lead to: `object.property`, or `schema/ID/properties/ID`.

Either may go on into objects: `accounts.address.street`, or `…/properties/ID/properties/ID`. What
is within lists and maps has no such name in the standard.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.model.contract_schema import column_name

_IDS = re.compile(r"/?schema/([^/]+)((?:/properties/[^/]+)+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a relationship points at, found in a contract.

    Attributes:
        columns: Names in files; of properties within objects, joined by dots.
        steps: The names one by one, from the top of a record.
        types: ODCS logical types.
        is_key: Whether no two records can share the values: a primary key, or a unique field.
        partitioned: Those of the columns whose values stand in names of folders.
        classifications: Of the columns, and of the objects they are in, in lower case.
    """

    object_name: str
    columns: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]
    types: tuple[str | None, ...]
    is_key: bool
    partitioned: tuple[str, ...] = ()
    classifications: frozenset[str] = frozenset()


def find_target(
    document: Mapping[str, Any], object_name: str, properties: Sequence[str]
) -> Target | None:
    """What a relationship points at, by ids or names, in a contract; None when it is not there."""
    element = called(document.get("schema"), object_name)
    if element is None:
        return None
    ways = [way for name in properties if (way := find_way(element, name))]
    if len(ways) < len(properties):
        return None
    key = {(column_name(item),) for item in element["properties"] if item.get("primaryKey")}
    steps = tuple(tuple(map(column_name, way)) for way in ways)
    tops = (way[0] for way in ways if len(way) == 1)
    labels = (item.get("classification") for way in ways for item in way)
    return Target(
        object_name=str(element["name"]),
        columns=tuple(".".join(names) for names in steps),
        steps=steps,
        types=tuple(way[-1].get("logicalType") for way in ways),
        is_key=(bool(key) and set(steps) == key)
        or any(bool(way[-1].get("unique")) for way in ways),
        partitioned=tuple(column_name(item) for item in tops if item.get("partitioned")),
        classifications=frozenset(str(label).lower() for label in labels if label),
    )


def find_way(element: Mapping[str, Any], path: str) -> tuple[Mapping[str, Any], ...]:
    """The properties that lead to one, by ids or names joined by dots; empty when it is not there.

    All but the last are objects.
    """
    way: list[Mapping[str, Any]] = []
    for name in path.split("."):
        item = called((way[-1] if way else element).get("properties"), name)
        if item is None:
            return ()
        way.append(item)
    return tuple(way)


def split_reference(reference: str) -> tuple[str, str, str]:
    """File, object and property of a reference; object and property are empty if it is neither.

    The property is ids or names joined by dots.
    """
    file, _, path = reference.rpartition("#")
    found = _IDS.fullmatch(path)
    if found:
        return file, found[1], found[2].removeprefix("/properties/").replace("/properties/", ".")
    object_name, _, name = path.partition(".")
    return (file, object_name, name) if name and "/" not in path else (file, "", "")


def called(elements: Any, name: str) -> Mapping[str, Any] | None:
    """The element with this id, else the one with this name."""
    for key in ("id", "name"):
        for element in elements or ():
            if element.get(key) == name:
                assert isinstance(element, Mapping)
                return element
    return None
