"""Datums (what passes between host and worker) as JSON and back. Standard library only."""

from __future__ import annotations

import base64
from http.cookies import SimpleCookie
from types import SimpleNamespace
from typing import Any


def to_json(datum: Any) -> Any:
    """Describe a datum: `[type, value]`, bytes in Base64, cookies as text; None stays None."""
    if datum is None:
        return None
    return [datum.type, _value(datum.type, datum.value)]


def _value(kind: str | None, value: Any) -> Any:
    if kind == "bytes":
        return base64.b64encode(value).decode()
    if kind == "http":
        return {name: _http(entry) for name, entry in value.items()}
    if kind == "collection_bytes":
        return [base64.b64encode(entry).decode() for entry in value.bytes]
    if kind == "collection_string":
        return list(value.string)
    if kind == "collection_sint64":
        return list(value.sint64)
    return value


def _http(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {"": {name: to_json(datum) for name, datum in entry.items()}}
    if isinstance(entry, list):
        return {"cookies": [cookie.OutputString() for c in entry for cookie in c.values()]}
    return to_json(entry)


def from_json(described: Any, datum: Any) -> Any:
    """Make a datum of the class `datum` from its description."""
    if described is None:
        return None
    kind, value = described
    if kind == "bytes":
        value = base64.b64decode(value)
    elif kind == "http":
        value = {name: _http_back(entry, datum) for name, entry in value.items()}
    elif kind == "collection_bytes":
        value = SimpleNamespace(bytes=[base64.b64decode(entry) for entry in value])
    elif kind == "collection_string":
        value = SimpleNamespace(string=value)
    elif kind == "collection_sint64":
        value = SimpleNamespace(sint64=value)
    return datum(value=value, type=kind)


def _http_back(entry: Any, datum: Any) -> Any:
    if isinstance(entry, dict) and "" in entry:
        return {name: from_json(described, datum) for name, described in entry[""].items()}
    if isinstance(entry, dict):
        return [SimpleCookie(cookie) for cookie in entry["cookies"]]
    return from_json(entry, datum)
