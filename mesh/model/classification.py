"""Which fields of a contract hold what not everybody may see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_PUBLIC = frozenset({"public", "open", "internal", "unrestricted", "unclassified", "none"})


def classified(element: Mapping[str, Any]) -> dict[str, Any]:
    """The `classification` of a property, and whether it, or what is within it, is `sensitive`."""
    label = element.get("classification")
    return {
        "classification": label if isinstance(label, str) else None,
        "sensitive": any(is_sensitive(value) for value in _classifications(element)),
    }


def _classifications(element: object) -> Iterable[object]:
    """The classification of an element and of everything within it."""
    if isinstance(element, Mapping):
        yield element.get("classification")
        for name in ("properties", "items", "map"):
            yield from _classifications(element.get(name))
        for name in ("key", "value"):
            yield from _classifications(element.get(name))
    elif isinstance(element, Sequence) and not isinstance(element, str):
        for item in element:
            yield from _classifications(item)


def is_sensitive(label: object) -> bool:
    """Any classification that does not plainly say otherwise: a doubt is a mask."""
    return isinstance(label, str) and bool(label.strip()) and label.strip().lower() not in _PUBLIC
