"""Resource types as exported into `infra/schema`, and resources held to them.

`export.py` describes the form of the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.infra.bicep.tree import BicepError, Place
from tests.infra.bicep.values import Runtime, RuntimeObject, kind_of

_SCALARS = {"string", "int", "bool", "object"}
_Found = Iterator[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """One resource type."""

    version: str
    body: Mapping[str, Any]
    types: Mapping[str, Any]


class Schemas:
    """All exported types, by name; names of types are compared without case."""

    def __init__(self, found: Mapping[str, Schema]) -> None:
        self._found = {name.lower(): schema for name, schema in found.items()}

    @classmethod
    def read(cls, folder: Path) -> Schemas:
        found = {}
        for file in sorted(folder.glob("*.json")):
            data = json.loads(file.read_text(encoding="utf-8"))
            found[data["type"]] = Schema(
                version=data["apiVersion"], body=data["body"], types=data["types"]
            )
        return cls(found)

    def check_version(self, kind: str, version: str, place: Place) -> None:
        """Hold a resource's type and version to those that are known.

        Raises:
            BicepError: the type is not known, or only in another version.
        """
        pinned = self.version(kind)
        if pinned is None:
            raise BicepError("kind", f"{kind} is no known type", place)
        if version != pinned:
            text = f"{kind}@{version} is not the checked version {pinned}"
            raise BicepError("version", text, place)

    def version(self, kind: str) -> str | None:
        """The pinned API version; None for a type that is not known."""
        found = self._found.get(kind.lower())
        return None if found is None else found.version

    def member(self, kind: str, inner: str, name: str) -> str | None:
        """The type of a property of the resource type `kind`, or of its type `inner`."""
        schema = self._found.get(kind.lower())
        if schema is None:
            return None
        if inner == "any":
            return "any"
        part = schema.types.get(inner, {}) if inner else schema.body
        found = _all_properties(part).get(name)
        return part.get("others") if found is None else str(found[0])

    def is_object(self, kind: str, inner: str) -> bool:
        schema = self._found.get(kind.lower())
        return inner in {"any", "object"} or (schema is not None and inner in schema.types)

    def has_property(self, kind: str, name: str) -> bool:
        """Whether resources of this type have such a property, as `location` or `tags`."""
        return self.member(kind, "", name) is not None

    def problems(self, kind: str, body: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What is wrong with a resource, as codes and sentences."""
        schema = self._found.get(kind.lower())
        if schema is None:
            return []
        return list(_object(schema, schema.body, body, kind.rpartition("/")[2]))


def _all_properties(part: Mapping[str, Any]) -> dict[str, Any]:
    found = {**part.get("properties", {}), **part.get("common", {})}
    for case in part.get("cases", {}).values():
        found |= case.get("properties", {})
    return found


def _object(schema: Schema, part: Mapping[str, Any], value: Mapping[str, Any], at: str) -> _Found:
    if "by" in part:
        chosen = value.get(part["by"])
        if not isinstance(chosen, str) or chosen not in part["cases"]:
            yield "discriminator", f"{at}.{part['by']} is {chosen!r}, not {_listed(part['cases'])}"
            return
        properties = {**part["common"], **part["cases"][chosen]["properties"]}
    else:
        properties = part.get("properties", {})
    for name, inner in value.items():
        if name not in properties:
            if "others" in part:
                yield from _value(schema, [part["others"]], inner, f"{at}.{name}")
            else:
                yield "property", f"{at} has no property {name!r}"
            continue
        told = properties[name]
        if len(told) > 1 and told[1].get("readOnly"):
            yield "read-only", f"{at}.{name} is read-only"
        else:
            yield from _value(schema, told, inner, f"{at}.{name}")
    for name, told in properties.items():
        flags = told[1] if len(told) > 1 else {}
        if flags.get("required") and not flags.get("readOnly") and value.get(name) is None:
            yield "missing", f"{at}.{name} is missing"


def _value(schema: Schema, told: Sequence[Any], value: Any, at: str) -> _Found:
    kind = told[0]
    if value is None or kind == "any" or isinstance(value, RuntimeObject):
        return
    if kind.endswith("[]"):
        if not isinstance(value, list):
            yield "type", f"{at} is {kind_of(value)}, not array"
            return
        for number, item in enumerate(value):
            yield from _value(schema, [kind.removesuffix("[]")], item, f"{at}[{number}]")
    elif kind in schema.types:
        if isinstance(value, dict):
            yield from _object(schema, schema.types[kind], value, at)
        else:
            yield "type", f"{at} is {kind_of(value)}, not object"
    elif kind in _SCALARS:
        if kind_of(value) != kind:
            yield "type", f"{at} is {kind_of(value)}, not {kind}"
    else:
        yield from _choice(kind.split(" | "), value, at)
    yield from _limits(told[1] if len(told) > 1 else {}, value, at)


def _choice(choices: list[str], value: Any, at: str) -> _Found:
    """One of some values. An open list ends with `string`; new values have to be exported first."""
    named = [choice for choice in choices if choice != "string"]
    if not isinstance(value, str):
        yield "type", f"{at} is {kind_of(value)}, not string"
    elif not isinstance(value, Runtime) and value not in named:
        yield "choice", f"{at} is {value!r}, not {_listed(named)}"


def _limits(limits: Mapping[str, Any], value: Any, at: str) -> _Found:
    if isinstance(value, Runtime):
        return
    size = len(value) if isinstance(value, str | list) else value
    if isinstance(size, bool) or not isinstance(size, int):
        return
    for low, high in (("minValue", "maxValue"), ("minLength", "maxLength")):
        if size < limits.get(low, size) or size > limits.get(high, size):
            yield "limit", f"{at} is {value!r}: {low} {limits.get(low)}, {high} {limits.get(high)}"


def _listed(names: object) -> str:
    return ", ".join(sorted(names))  # type: ignore[call-overload]
