"""The service levels of a contract about its data: how often it comes, and how new it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from mesh.model.contract_schema import column_name

SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=3660)
"""Of a `frequency`; a `latency` may be shorter."""

UNITS = "s, min, h, d, w, mo or y"
"""Of time, in the shortest of the forms that are understood; `m` is a minute, too."""

_UNITS: Mapping[str, timedelta] = {
    name: one
    for names, one in (
        ("s sec second", timedelta(seconds=1)),
        ("m min minute", timedelta(minutes=1)),
        ("h hr hour", timedelta(hours=1)),
        ("d day", timedelta(days=1)),
        ("w wk week", timedelta(weeks=1)),
        ("mo mon month", timedelta(days=31)),
        ("y yr year", timedelta(days=366)),
    )
    for name in names.split()
}
"""Of those whose length varies, the longest."""

_NAMES: Mapping[str, Literal["frequency", "latency"]] = {
    "frequency": "frequency",
    "f": "frequency",
    "fy": "frequency",
    "latency": "latency",
    "ly": "latency",
    "freshness": "latency",
}
"""By what the standard calls them, in lower case; `freshness` is what it prefers `latency` to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceLevel:
    """One entry of `slaProperties` that is about how often data comes, or how new it is.

    Attributes:
        pointer: JSON Pointer of it in the contract.
        period: That it says; None when it says none that can be understood.
        said: The same for people, as the contract writes it.
        schedule: A cron expression; empty when it has none.
        elements: What it is about, as the contract names it; empty for all objects.
    """

    pointer: str
    name: Literal["frequency", "latency"]
    period: timedelta | None
    said: str
    schedule: str
    elements: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    """An object of a contract, or a property of it, as service levels name it.

    Attributes:
        object_name: Of the object.
        way: The properties that lead to it from the object; empty for the object itself.
    """

    object_name: str
    way: tuple[Mapping[str, Any], ...] = ()

    @property
    def field(self) -> str:
        """Its name in files; of what is within an object, with dots."""
        return ".".join(map(column_name, self.way))


def service_levels(document: Mapping[str, Any]) -> Iterator[ServiceLevel]:
    """The entries of a contract by which it is told when data comes, and how new it is."""
    entries, default = document.get("slaProperties"), document.get("slaDefaultElement")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, Mapping):
            continue
        name = _NAMES.get(str(entry.get("property", "")).lower())
        if name is None:
            continue
        yield ServiceLevel(
            pointer=f"/slaProperties/{index}",
            name=name,
            period=_period(entry),
            said=f"{entry.get('value')} {entry.get('unit') or 'd'}",
            schedule=str(entry.get("schedule") or ""),
            elements=elements_of(entry.get("element") or default),
        )


def elements_of(text: object) -> tuple[str, ...]:
    """The names in an `element` of the standard, where commas part them."""
    parts = text.split(",") if isinstance(text, str) else ()
    return tuple(name for part in parts if (name := part.strip()))


def known_elements(document: Mapping[str, Any]) -> dict[str, Element]:
    """What service levels may be about: objects, and properties, by `object.property`.

    In a contract of a single object, by `property` alone, too.
    """
    schema = document.get("schema")
    objects = [item for item in _list(schema) if isinstance(item.get("name"), str)]
    found: dict[str, Element] = {}
    for item in objects:
        whole = Element(object_name=item["name"])
        for name in _names(item):
            found.setdefault(name, whole)
            for inner, way in _within(item, f"{name}."):
                found.setdefault(inner, Element(object_name=item["name"], way=way))
    if len(objects) == 1:
        for inner, way in _within(objects[0], ""):
            found.setdefault(inner, Element(object_name=objects[0]["name"], way=way))
    return found


def is_understood(level: ServiceLevel) -> bool:
    """Whether it says a period that has bounds to be held against."""
    if level.period is None or level.period > LONGEST:
        return False
    return level.name != "frequency" or level.period >= SHORTEST


def _period(entry: Mapping[str, Any]) -> timedelta | None:
    unit = str(entry.get("unit") or "d").lower()
    one = _UNITS.get(unit) or _UNITS.get(unit[:-1] if unit.endswith("s") and unit[2:] else "")
    value = entry.get("value")
    if one is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not value > 0:
        return None
    try:
        return one * value
    except OverflowError:
        return timedelta.max


def _within(
    element: Mapping[str, Any], prefix: str, way: tuple[Mapping[str, Any], ...] = ()
) -> Iterator[tuple[str, tuple[Mapping[str, Any], ...]]]:
    for item in _list(element.get("properties")):
        for name in _names(item):
            yield f"{prefix}{name}", (*way, item)
            yield from _within(item, f"{prefix}{name}.", (*way, item))


def _names(element: Mapping[str, Any]) -> set[str]:
    found = (element.get(key) for key in ("name", "physicalName"))
    return {name for name in found if isinstance(name, str)}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
