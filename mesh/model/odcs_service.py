"""Whether the service levels of a contract are about something that it describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.model.odcs_problem import Problem
from mesh.model.service_levels import (
    LONGEST,
    SHORTEST,
    UNITS,
    ServiceLevel,
    elements_of,
    is_understood,
    known_elements,
    service_levels,
)


def service_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Elements that are none of the contract's, and periods that say nothing."""
    known = known_elements(document)
    for path, text in _named(document):
        for name in elements_of(text):
            if name not in known:
                yield Problem(
                    path,
                    "odcs.sla.element",
                    f"The contract describes no {name!r} for the service level to be about.",
                    "Write object, or object.property; or leave `element` out for all of them.",
                )
    for level in service_levels(document):
        planned = level.name == "frequency" and level.schedule
        if not planned and not is_understood(level):
            yield Problem(
                f"{level.pointer}/value",
                "contract.period",
                f"{_wrong(level)}, not {level.said}.",
                f"Write a number greater than 0, and its unit: {UNITS}.",
            )


def _named(document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    levels = document.get("slaProperties")
    for index, entry in enumerate(levels if isinstance(levels, list) else ()):
        if isinstance(entry, Mapping):
            yield f"/slaProperties/{index}/element", entry.get("element")
    yield "/slaDefaultElement", document.get("slaDefaultElement")


def _wrong(level: ServiceLevel) -> str:
    if level.period is None:
        return f"A {level.name} is a time"
    if level.period > LONGEST:
        return f"A {level.name} is at most {LONGEST.days} days"
    return f"A {level.name} is at least {SHORTEST.total_seconds():.0f} seconds"
