"""JSON Pointers (RFC 6901): where in a document a finding is."""

from __future__ import annotations

from collections.abc import Iterable


def pointer(parent: str, step: str | int) -> str:
    """The pointer to the member `step` of the value at `parent`; the root is the empty text."""
    return f"{parent}/{str(step).replace('~', '~0').replace('/', '~1')}"


def pointer_of(steps: Iterable[str | int]) -> str:
    """The pointer that takes `steps` from the root."""
    place = ""
    for step in steps:
        place = pointer(place, step)
    return place


def steps_of(place: str) -> list[str]:
    """The steps that a pointer takes from the root, all of them as text."""
    return [step.replace("~1", "/").replace("~0", "~") for step in place.split("/")[1:]]
