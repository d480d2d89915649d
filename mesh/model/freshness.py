"""How new the data of an object is promised to be, told by a field that says when things were."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mesh.model.contract_schema import ISO_LAYOUT
from mesh.model.expectation import time_zone
from mesh.model.jdk_dates import tells_time
from mesh.model.service_levels import Element, is_understood, known_elements, service_levels

RULE = "latency"
_QUOTED = re.compile(r"'[^']*'")
_ORDERED = re.compile(
    r"[^a-zA-Z]*(?:yyyy|uuuu)[^a-zA-Z]*MM[^a-zA-Z]*dd"
    r"(?:[^a-zA-Z]*HH(?:[^a-zA-Z]*mm(?:[^a-zA-Z]*ss(?:[^a-zA-Z]*S+)?)?)?)?[^a-zA-Z]*"
)
"""Layouts whose texts are in the order of what they say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Freshness:
    """A `latency` of a field: how old its newest value may be when a file comes.

    Attributes:
        pointer: JSON Pointer of the service level in the contract.
        field: Name of the field in files.
        longest: The age.
        said: The same for people, as the contract writes it.
        zone: IANA name of the time zone of values that have none.
        obstacle: Why it cannot be checked; empty when it can.
    """

    pointer: str
    field: str
    longest: timedelta
    said: str
    zone: str
    obstacle: str = ""


def freshness(document: Mapping[str, Any], object_name: str) -> Iterator[Freshness]:
    """What a contract promises of the age of an object's data."""
    known = known_elements(document)
    zone = time_zone(document)
    for level in service_levels(document):
        if level.name != "latency" or level.period is None or not is_understood(level):
            continue
        for name in level.elements:
            element = known.get(name)
            if element is None or element.object_name != object_name or not _is_moment(element):
                continue
            yield Freshness(
                pointer=level.pointer,
                field=element.field,
                longest=level.period,
                said=level.said,
                zone=_options(element).get("defaultTimezone") or zone,
                obstacle=_obstacle(element),
            )


def _is_moment(element: Element) -> bool:
    if not element.way:
        return False
    kind, format_name = element.way[-1].get("logicalType"), _options(element).get("format")
    return kind in {"date", "timestamp"} or (
        kind == "string" and format_name in {"date", "date-time"}
    )


def _obstacle(element: Element) -> str:
    if len(element.way) > 1:
        return "it is within an object"
    layout, kind = _options(element).get("format"), element.way[-1].get("logicalType")
    if kind == "string" or not layout or ISO_LAYOUT.fullmatch(layout):
        return ""
    if kind == "date" and not tells_time(layout):
        return ""
    if _ORDERED.fullmatch(_QUOTED.sub("", layout)):
        return ""
    return f"its values, written as {layout}, are published as texts, which do not tell the newest"


def _options(element: Element) -> Mapping[str, Any]:
    return element.way[-1].get("logicalTypeOptions") or {}
