"""Whether the names within a contract tell its elements apart and lead to something."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mesh.model.odcs_problem import Problem
from mesh.model.pointers import pointer


def identifier_problems(node: Any, path: str = "") -> Iterator[Problem]:
    """Ids that two elements of one list share; a reference by such an id would lead to both."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from identifier_problems(value, pointer(path, name))
    elif isinstance(node, list):
        seen: set[str] = set()
        for index, item in enumerate(node):
            identity = item.get("id") if isinstance(item, Mapping) else None
            if isinstance(identity, str) and identity in seen:
                yield Problem(
                    f"{path}/{index}/id",
                    "odcs.id.duplicate",
                    f"Another element of the same list has the id {identity!r}, too.",
                    "Give each an id of its own, or none.",
                )
            seen.add(str(identity))
            yield from identifier_problems(item, f"{path}/{index}")


def element_problems(element: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """What an object or a property says of itself that cannot be: fields and values it demands."""
    options = element.get("logicalTypeOptions")
    required = options.get("required") if isinstance(options, Mapping) else None
    items = element.get("properties")
    names = {
        item.get(key)
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, Mapping)
        for key in ("name", "physicalName")
        if isinstance(item.get(key), str)
    }
    for name in required if isinstance(required, list) and items else ():
        if isinstance(name, str) and name not in names:
            yield Problem(
                f"{path}/logicalTypeOptions/required",
                "odcs.required.unknown",
                f"{name!r} is required and no property of the object: no record could have it.",
                "Describe it under `properties`, or do not require it.",
            )
    values = element.get("enum")
    seen: set[str] = set()
    for index, entry in enumerate(values if isinstance(values, list) else ()):
        value = json.dumps(entry.get("value")) if isinstance(entry, Mapping) else ""
        if value in seen and value:
            yield Problem(
                f"{path}/enum/{index}/value",
                "odcs.enum.duplicate",
                f"The enum has the value {value} twice.",
                "Remove one of them.",
            )
        seen.add(value)
