"""Values within objects, lists and maps of a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Place = tuple[str | int, ...]
"""Where in a record a value stands: names of members, and indices from 0."""


def values_at(
    value: Any, steps: Sequence[str | None], place: Place = ()
) -> Iterator[tuple[Place, Any]]:
    """The values at the end of a way, with their places.

    A member that is not there is null; what is no list and no map has no entries.
    """
    if not steps:
        yield place, value
        return
    step, rest = steps[0], steps[1:]
    if step is not None:
        inner = value.get(step) if isinstance(value, Mapping) else None
        yield from values_at(inner, rest, (*place, step))
        return
    entries: Any = ()
    if isinstance(value, Mapping):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for name, inner in entries:
        yield from values_at(inner, rest, (*place, name))
