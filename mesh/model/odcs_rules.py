"""What a contract must hold beyond the official JSON Schema, so that its files can be judged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mesh.model.contract import major_version
from mesh.model.contract_schema import column_name
from mesh.model.odcs_names import element_problems, identifier_problems
from mesh.model.odcs_nested import nested_problems
from mesh.model.odcs_options import key_problems, option_problems
from mesh.model.odcs_problem import Problem
from mesh.model.odcs_profile import place_problems, profile_problems
from mesh.model.odcs_quality import quality_problems
from mesh.model.odcs_service import service_problems
from mesh.model.partitioning import partition_problems
from mesh.model.server_dialect import server_problems

_OBJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def text_problems(document: Mapping[str, Any], profile: Mapping[str, Any]) -> Iterator[Problem]:
    """What the standard's text and this project's profile demand of an ODCS document.

    Tolerates a document that breaks the JSON Schema anywhere: those findings are another's.
    """
    version = document.get("version")
    if isinstance(version, str) and major_version(version) is None:
        yield Problem(
            "/version",
            "contract.version",
            f"Version {version!r} does not start with a major number.",
            "Use a semantic version such as 1.0.0: consumers are told by it what breaks.",
        )
    yield from profile_problems(document, "", profile)
    yield from place_problems(document)
    objects = document.get("schema")
    if objects is None or objects == []:
        yield Problem(
            "/schema" if objects == [] else "",
            "odcs.schema",
            "The contract describes no data: it has no `schema`, which the standard demands.",
            "Describe at least one object with its properties under `schema`.",
        )
        return
    elements = [
        (element, f"/schema/{index}")
        for index, element in enumerate(_list(objects))
        if isinstance(element, Mapping)
    ]
    yield from _duplicates(elements, "name", "odcs.object.duplicate", "objects")
    yield from service_problems(document)
    yield from server_problems(document)
    yield from identifier_problems(document)
    for element, path in elements:
        yield from _object_problems(element, path)
        yield from partition_problems(element, path, document)
        yield from profile_problems(element, path, profile)


def _object_problems(element: Mapping[str, Any], path: str) -> Iterator[Problem]:
    name = element.get("name")
    if isinstance(name, str) and not _OBJECT_NAME.fullmatch(name):
        yield Problem(
            f"{path}/name",
            "contract.object.name",
            f"Object name {name!r} cannot stand in the path of a file.",
            "Use letters, digits, '-', '_' and '.', starting with a letter or digit, 128 at most.",
        )
    if not element.get("properties"):
        yield Problem(
            path,
            "odcs.properties",
            f"Object {name!r} has no properties: no record could be checked.",
            "List its fields under `properties`.",
        )
    properties = [item for item in _list(element.get("properties")) if isinstance(item, Mapping)]
    fields = [str(item.get("name")) for item in properties]
    yield from quality_problems(element, path, fields=fields)
    yield from element_problems(element, path)
    yield from _properties_problems(element, path)
    yield from nested_problems(element, path)


def _properties_problems(element: Mapping[str, Any], path: str) -> Iterator[Problem]:
    items = [
        (item, f"{path}/properties/{index}")
        for index, item in enumerate(_list(element.get("properties")))
        if isinstance(item, Mapping)
    ]
    yield from _duplicates(items, "name", "odcs.property.duplicate", "properties")
    yield from _key_problems(items)
    for item, at in items:
        yield from _property_problems(item, at)


def _duplicates(
    elements: Sequence[tuple[Mapping[str, Any], str]], key: str, rule: str, plural: str
) -> Iterator[Problem]:
    named = [(column_name(item), at) for item, at in elements if isinstance(item.get(key), str)]
    counts = Counter(name for name, _ in named)
    seen: set[str] = set()
    for name, at in named:
        if counts[name] > 1 and name in seen:
            yield Problem(
                f"{at}/{key}",
                rule,
                f"Two {plural} are called {name!r} in files.",
                "Give each a name of its own; in files, a physicalName goes before the name.",
            )
        seen.add(name)


def _key_problems(items: Sequence[tuple[Mapping[str, Any], str]]) -> Iterator[Problem]:
    taken: dict[int, str] = {}
    for item, at in items:
        position = item.get("primaryKeyPosition")
        if not item.get("primaryKey") or not isinstance(position, int) or position < 0:
            continue
        if position in taken:
            yield Problem(
                f"{at}/primaryKeyPosition",
                "odcs.primaryKey.position",
                f"{taken[position]!r} already has position {position} in the primary key.",
                "Number the fields of the key 1, 2, 3, … in their order.",
            )
        taken[position] = str(item.get("name"))


def _property_problems(item: Mapping[str, Any], path: str) -> Iterator[Problem]:
    yield from option_problems(item, path)
    yield from quality_problems(item, path, fields=None)
    yield from element_problems(item, path)
    yield from _properties_problems(item, path)
    entry = item.get("map")
    nested = [(item.get("items"), f"{path}/items")]
    if isinstance(entry, Mapping):
        if isinstance(key := entry.get("key"), Mapping):
            yield from key_problems(key, f"{path}/map/key")
        nested += [(entry.get("key"), f"{path}/map/key"), (entry.get("value"), f"{path}/map/value")]
    for inner, at in nested:
        if isinstance(inner, Mapping):
            yield from _property_problems(inner, at)


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
