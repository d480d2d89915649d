"""Which fields published data is parted by: ODCS `partitioned` and `partitionKeyPosition`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mesh.model.classification import is_sensitive
from mesh.model.contract_profile import custom_value
from mesh.model.contract_schema import column_name
from mesh.model.file_set import FILE_SET
from mesh.model.odcs_problem import Problem

TYPES = ("string", "integer", "boolean", "date")
_LAST = 1 << 30


def partition_keys(element: Mapping[str, Any]) -> tuple[str, ...]:
    """Names, in files, of the fields to part by, outermost folder first.

    Those without a position (-1 in the standard) come last, as they stand.
    """
    keys = [item for item, _ in _keys(element, "")]
    keys.sort(key=_position)
    return tuple(column_name(item) for item in keys)


def partition_problems(
    element: Mapping[str, Any], path: str, document: Mapping[str, Any]
) -> Iterator[Problem]:
    """What keeps an object's published data from being parted as the contract says."""
    keys = list(_keys(element, path))
    for item, at in keys:
        yield from _field_problems(item, at)
    if keys and len(keys) == len(_properties(element)):
        yield Problem(
            path,
            "contract.partition",
            "Every field is a folder's, and no field is left for the files.",
            "Part by fewer fields.",
        )
    if keys and any(custom_value(one, FILE_SET) for one in (document, element)):
        yield Problem(
            keys[0][1],
            "contract.partition",
            "An object that is delivered in sets of files cannot be parted as well.",
            "Take `partitioned` or the fileSet out.",
        )
    places = [_position(item) for item, _ in keys if _position(item) < _LAST]
    if len(set(places)) < len(places):
        yield Problem(
            path,
            "contract.partition",
            "Two fields have the same partitionKeyPosition.",
            "Number them 1, 2, 3, … from the outermost folder to the innermost.",
        )


def _field_problems(item: Mapping[str, Any], path: str) -> Iterator[Problem]:
    kind = item.get("logicalType")
    if kind not in TYPES:
        yield Problem(
            f"{path}/partitioned",
            "contract.partition",
            f"Published data cannot be parted by {kind or 'any value'}: folders are named by it.",
            f"Part by a field of type {', '.join(TYPES)}.",
        )
    if is_sensitive(item.get("classification")):
        yield Problem(
            f"{path}/partitioned",
            "contract.partition",
            f"The values of {item.get('name')!r} would stand in names of folders, for all to see.",
            "Part by a field whose classification is public.",
        )


def _keys(element: Mapping[str, Any], path: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    for index, item in enumerate(_properties(element)):
        if isinstance(item, Mapping) and item.get("partitioned") is True:
            yield item, f"{path}/properties/{index}"


def _properties(element: Mapping[str, Any]) -> Sequence[Any]:
    properties = element.get("properties")
    return properties if isinstance(properties, list | tuple) else ()


def _position(item: Mapping[str, Any]) -> int:
    place = item.get("partitionKeyPosition")
    return place if isinstance(place, int) and place >= 0 else _LAST
