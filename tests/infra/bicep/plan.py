"""What a deployment comes to, and the files that it is made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.infra.bicep.syntax import parse
from tests.infra.bicep.tree import File, Problem
from tests.infra.bicep.values import Resource


@dataclass(kw_only=True)
class Plan:
    """What a deployment comes to.

    Attributes:
        seen: the declarations that made something, as file and name.
    """

    resources: list[Resource] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    seen: set[tuple[Path, str]] = field(default_factory=set)

    def deployed(self, kind: str = "") -> list[Resource]:
        """Resources that are made, of one type or of all."""
        made = (found for found in self.resources if found.is_deployed and not found.is_existing)
        return [found for found in made if not kind or found.kind == kind]

    def config(self, name: str) -> dict[str, Any]:
        """The properties of one of the app's configurations, `appsettings` or another."""
        [found] = (
            one for one in self.deployed("Microsoft.Web/sites/config") if one.name.endswith(name)
        )
        properties: dict[str, Any] = found.body["properties"]
        return properties


class Sources:
    """Parsed files, each read once; `replaced` stands in for what is on disk."""

    def __init__(self, replaced: Mapping[Path, bytes] | None = None) -> None:
        self._replaced = replaced or {}
        self._parsed: dict[Path, File] = {}
        self._loaded: dict[tuple[Path, bool], Any] = {}

    def file(self, path: Path) -> File:
        """A parsed file.

        Raises:
            BicepError: its syntax is wrong.
            OSError: it is not there.
        """
        path = path.resolve()
        if path not in self._parsed:
            self._parsed[path] = parse(path, self._replaced.get(path))
        return self._parsed[path]

    def load(self, path: Path, *, is_json: bool) -> Any:
        """What a file holds, as text or as JSON.

        Raises:
            OSError: it is not there.
            ValueError: it is no JSON.
        """
        path = path.resolve()
        if (path, is_json) not in self._loaded:
            data = self._replaced.get(path)
            text = (path.read_bytes() if data is None else data).decode()
            self._loaded[path, is_json] = json.loads(text) if is_json else text
        return self._loaded[path, is_json]

    def replacing(self, path: Path, text: bytes) -> Sources:
        """These sources, with another text for one file."""
        path = path.resolve()
        made = Sources({**self._replaced, path: text})
        made._parsed = {key: file for key, file in self._parsed.items() if key != path}
        made._loaded = {key: found for key, found in self._loaded.items() if key[0] != path}
        return made
