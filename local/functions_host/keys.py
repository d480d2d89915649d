"""Access keys of the host and its functions, kept as the host keeps them in its storage.

The folder holds `host.json` (master key, function keys of the whole host, system keys of the
webhook extensions) and one `<function>.json` each. Missing keys are made on first use.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.process import LocalError

SYSTEM_KEYS = ("eventgrid_extension", "blobs_extension")


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """All keys: `master`; of the host by name; of each function by name; of extensions by name."""

    master: str
    host: Mapping[str, str]
    functions: Mapping[str, Mapping[str, str]]
    system: Mapping[str, str]

    def opens_function(self, function: str, key: str) -> bool:
        """Tell whether a key opens a function of the level `function`."""
        allowed = [self.master, *self.host.values(), *self.functions.get(function, {}).values()]
        return any(_same(key, candidate) for candidate in allowed)

    def opens_admin(self, key: str) -> bool:
        return _same(key, self.master)

    def opens_webhook(self, extension: str, key: str) -> bool:
        allowed = [self.master, self.system.get(extension, self.master)]
        return any(_same(key, candidate) for candidate in allowed)


def load_keys(folder: Path, functions: Iterable[str], given: Path | None = None) -> Keys:
    """Read the keys of a state folder and make those that are missing.

    `given` is a JSON object with keys to use instead, under the names that Azure uses for
    Kubernetes secrets: `host.master`, `host.function.{name}`, `host.systemKey.{name}`,
    `functions.{function}.{name}`.

    Raises:
        LocalError: a file cannot be read as keys.
    """
    stored = _Stored(folder)
    flat = _given(given)
    host = stored.read("host")
    master = flat.get("host.master") or _value(host, "masterKey", folder) or _new()
    keys = Keys(
        master=master,
        host=_merge("host.function.", flat, _named(host, "functionKeys", folder), ("default",)),
        system=_merge("host.systemKey.", flat, _named(host, "systemKeys", folder), SYSTEM_KEYS),
        functions={
            name: _merge(
                f"functions.{name}.", flat, _named(stored.read(name), "keys", folder), ("default",)
            )
            for name in functions
        },
    )
    stored.write(
        "host",
        {
            "masterKey": _entry("master", keys.master),
            "functionKeys": _entries(keys.host),
            "systemKeys": _entries(keys.system),
        },
    )
    for name, values in keys.functions.items():
        stored.write(name, {"keys": _entries(values)})
    return keys


class _Stored:
    """The folder of secrets: one JSON file for the host and one for each function."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def read(self, name: str) -> Mapping[str, Any]:
        path = self._folder / f"{name.lower()}.json"
        if not path.exists():
            return {}
        return _read(path)

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        path = self._folder / f"{name.lower()}.json"
        text = json.dumps(document, indent=2) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        temporary = path.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


def _given(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    document = _read(path)
    if not all(isinstance(value, str) and value for value in document.values()):
        raise LocalError(f"{path}: every key must be a string that is not empty.")
    return dict(document)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as broken:
        raise LocalError(
            f"{path}: cannot be read as keys: {broken}. Correct the file; a file of the state "
            "folder may also be deleted: then new keys are made."
        ) from None
    if not isinstance(document, dict):
        raise LocalError(f"{path}: must hold a JSON object of keys.")
    return document


def _value(document: Mapping[str, Any], member: str, folder: Path) -> str | None:
    entry = document.get(member)
    return None if entry is None else _named({member: [entry]}, member, folder).get("master")


def _named(document: Mapping[str, Any], member: str, folder: Path) -> dict[str, str]:
    try:
        entries = {str(e["name"]): str(e["value"]) for e in document.get(member, [])}
        encrypted = any(e.get("encrypted") for e in document.get(member, []))
    except (TypeError, KeyError, AttributeError):
        raise LocalError(
            f"{folder}: '{member}' of a key file is not a list of names and values. Delete the "
            "file: then new keys are made."
        ) from None
    if encrypted:
        raise LocalError(f"{folder}: '{member}' holds encrypted keys, which only Azure can read.")
    return entries


def _merge(
    prefix: str, flat: Mapping[str, str], stored: Mapping[str, str], needed: Iterable[str]
) -> dict[str, str]:
    given = {name[len(prefix) :]: key for name, key in flat.items() if name.startswith(prefix)}
    merged = {**stored, **given}
    for name in needed:
        merged.setdefault(name, _new())
    return merged


def _entries(keys: Mapping[str, str]) -> list[dict[str, Any]]:
    return [_entry(name, value) for name, value in sorted(keys.items())]


def _entry(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value, "encrypted": False}


def _new() -> str:
    return secrets.token_urlsafe(40)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
