"""What a contract asks of properties within objects, lists and maps that no file can be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.model.odcs_problem import Problem
from mesh.model.value_paths import NestedElement, nested_elements


def nested_problems(element: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """What is wrong with the keys and rules of an object's nested properties."""
    for one in nested_elements(element, path):
        if one.element.get("primaryKey"):
            yield Problem(
                f"{one.pointer}/primaryKey",
                "odcs.primaryKey.nested",
                f"{_named(one)} is within a field: a primary key is made of fields at the top of "
                f"a record.",
                "Write `required: true` and `unique: true`, which are checked over the whole file; "
                "or move the property to the top.",
            )
        if one.element.get("partitioned"):
            yield Problem(
                f"{one.pointer}/partitioned",
                "odcs.partitioned.nested",
                f"{_named(one)} is within a field: data is parted by fields at the top of records.",
                "Part by another field, or move the property to the top.",
            )
        if one.is_key and one.element.get("unique"):
            yield Problem(
                f"{one.pointer}/unique",
                "odcs.unique.map",
                f"{_named(one)} never repeat within a map, and are not compared between maps.",
                "Leave `unique` out, or describe a list of objects with the key as a property.",
            )
        if one.is_key and one.element.get("quality"):
            yield Problem(
                f"{one.pointer}/quality",
                "odcs.quality.map",
                f"{_named(one)} are not counted by quality rules.",
                "Say what keys may be with logicalTypeOptions or an enum; or write the rule at the "
                "map itself, in SQL.",
            )


def _named(one: NestedElement) -> str:
    return f"The keys of {one.label!r}" if one.is_key else f"{one.label!r}"
