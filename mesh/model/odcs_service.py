"""Whether the service levels of a contract are about something that it describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.model.odcs_problem import Problem


def service_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Elements of service levels that are none of the contract's objects and properties."""
    known = set(_elements(document))
    levels = document.get("slaProperties")
    for index, entry in enumerate(levels if isinstance(levels, list) else ()):
        text = entry.get("element") if isinstance(entry, Mapping) else None
        for name in (part.strip() for part in text.split(",")) if isinstance(text, str) else ():
            if name not in known:
                yield Problem(
                    f"/slaProperties/{index}/element",
                    "odcs.sla.element",
                    f"The contract describes no {name!r} for the service level to be about.",
                    "Write object, or object.property; or leave `element` out for all of them.",
                )


def _elements(document: Mapping[str, Any]) -> Iterator[str]:
    schema = document.get("schema")
    for element in schema if isinstance(schema, list) else ():
        if isinstance(element, Mapping):
            yield from _within(element, "")


def _within(element: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key in ("name", "physicalName"):
        if not isinstance(element.get(key), str):
            continue
        name = f"{prefix}{element[key]}"
        yield name
        items = element.get("properties")
        for item in items if isinstance(items, list) else ():
            if isinstance(item, Mapping):
                yield from _within(item, f"{name}.")
