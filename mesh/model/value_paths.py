"""Ways from the top of a record to a property within objects, lists and maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Steps = tuple[str | None, ...]
"""Names of fields in files, from the top of a record; None is each entry of a list or map."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NestedElement:
    """A property that is not at the top of a record.

    Attributes:
        steps: The way to its values.
        label: The same for people: `address.code`, `lines[].sku`, `prices.*`.
        pointer: JSON Pointer of it in the contract.
        element: As the contract describes it.
        is_key: Whether it describes the keys of a map.
    """

    steps: Steps
    label: str
    pointer: str
    element: Mapping[str, Any]
    is_key: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class UniquePath:
    """A property within objects, lists or maps whose values may stand only once in a file.

    Attributes:
        steps: The way to the values.
        label: The same for people.
        pointer: JSON Pointer of the property in the contract.
    """

    steps: Steps
    label: str
    pointer: str


def nested_elements(element: Mapping[str, Any], pointer: str) -> Iterator[NestedElement]:
    """Everything within the fields of an object, however deep; passes by what is misshapen."""
    for at, item in _described(element, pointer):
        name = _name(item)
        if name is not None:
            yield from _within(item, at, (name,), name)


def nested_pointers(element: Mapping[str, Any], pointer: str) -> dict[Steps, str]:
    """Where in the contract the properties within the fields of an object stand, by the way."""
    found = nested_elements(element, pointer)
    return {one.steps: one.pointer for one in found if not one.is_key}


def unique_paths(element: Mapping[str, Any], pointer: str) -> tuple[UniquePath, ...]:
    """The nested properties of an object that are `unique`."""
    return tuple(
        UniquePath(steps=one.steps, label=one.label, pointer=one.pointer)
        for one in nested_elements(element, pointer)
        if one.element.get("unique") and not one.is_key
    )


def schema_at(schema: object, steps: Sequence[str | None]) -> Mapping[str, Any] | None:
    """What a JSON Schema of ours says of the values at the end of a way; None: nothing."""
    for step in steps:
        if not isinstance(schema, Mapping):
            return None
        if step is None:
            schema = schema.get("items", schema.get("additionalProperties"))
        else:
            schema = (schema.get("properties") or {}).get(step)
    return schema if isinstance(schema, Mapping) else None


def _within(
    element: Mapping[str, Any], pointer: str, steps: Steps, label: str
) -> Iterator[NestedElement]:
    for at, item in _described(element, pointer):
        name = _name(item)
        if name is not None:
            yield from _one(item, at, (*steps, name), f"{label}.{name}")
    if isinstance(items := element.get("items"), Mapping):
        yield from _one(items, f"{pointer}/items", (*steps, None), f"{label}[]")
    entry = element.get("map")
    parts: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
    if isinstance(key := parts.get("key"), Mapping):
        yield NestedElement(
            steps=steps, label=label, pointer=f"{pointer}/map/key", element=key, is_key=True
        )
    if isinstance(value := parts.get("value"), Mapping):
        yield from _one(value, f"{pointer}/map/value", (*steps, None), f"{label}.*")


def _one(
    element: Mapping[str, Any], pointer: str, steps: Steps, label: str
) -> Iterator[NestedElement]:
    yield NestedElement(steps=steps, label=label, pointer=pointer, element=element)
    yield from _within(element, pointer, steps, label)


def _described(element: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    listed = element.get("properties")
    for index, item in enumerate(listed if isinstance(listed, list | tuple) else ()):
        if isinstance(item, Mapping):
            yield f"{pointer}/properties/{index}", item


def _name(element: Mapping[str, Any]) -> str | None:
    name = element.get("physicalName") or element.get("name")
    return name if isinstance(name, str) else None
