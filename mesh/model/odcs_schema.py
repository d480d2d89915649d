"""The official JSON Schema of each version of the Open Data Contract Standard (ODCS).

The newest schema is read from the standard's own package; older ones are that schema with the
patches of `schemas/odcs/` applied, newest first.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesh.model.pointers import steps_of

_FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "odcs"
_PATCHES: Mapping[str, tuple[str, ...]] = {
    "v3.2": (),
    "v3.1": ("v3.1.patch.json",),
    "v3.0": ("v3.1.patch.json", "v3.0.patch.json"),
}
SUPPORTED: tuple[str, ...] = tuple(_PATCHES)
"""Minor versions of ODCS that can be checked, newest first."""


def minor_version(api_version: object) -> str | None:
    """The minor version (`v3.1`) of an `apiVersion` (`v3.1.0`); None when not supported."""
    found = re.fullmatch(r"(v\d+\.\d+)\.\d+", api_version) if isinstance(api_version, str) else None
    return found[1] if found and found[1] in _PATCHES else None


@functools.cache
def official_schema(minor: str) -> dict[str, Any]:
    """The JSON Schema (draft 2019-09) of one supported minor version; not to be changed."""
    package = importlib.resources.files("open_data_contract_standard")
    schema = json.loads((package / "schema.json").read_text(encoding="utf-8"))
    for patch in _PATCHES[minor]:
        _apply(schema, json.loads((_FOLDER / patch).read_text(encoding="utf-8")))
    assert isinstance(schema, dict)
    return schema


@functools.cache
def profile_schema() -> dict[str, Any]:
    """The JSON Schema of the custom properties of `docs/contract-profile.md`."""
    schema = json.loads((_FOLDER / "profile-v1.json").read_text(encoding="utf-8"))
    assert isinstance(schema, dict)
    return schema


def _apply(document: Any, operations: Sequence[Mapping[str, Any]]) -> None:
    """Apply the `add`, `remove` and `replace` operations of RFC 6902 in place."""
    for operation in operations:
        parts = steps_of(operation["path"])
        target = document
        for part in parts[:-1]:
            target = target[int(part) if isinstance(target, list) else part]
        last: Any = int(parts[-1]) if isinstance(target, list) else parts[-1]
        if operation["op"] == "remove":
            del target[last]
        elif operation["op"] == "add" and isinstance(target, list):
            target.insert(last, operation["value"])
        else:
            target[last] = operation["value"]
