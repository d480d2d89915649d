"""What an Avro schema must not say, so that few bytes cannot stand for very much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesh.validation.report import FileRefusedError

MOST_DEPTH = 64
_PRIMITIVES = frozenset({"boolean", "int", "long", "float", "double", "bytes", "string"})


def refuse_unsound(schema: Any) -> bool:
    """Look at the schema of a file, as its library has parsed it.

    The library decodes by recursion in C, which ends the process where data are nested too deeply;
    and what takes no bytes may be there any number of times.

    Returns:
        Whether there are lists or maps in it, which take many times their bytes in memory.

    Raises:
        FileRefusedError: A type holds itself, or is nested too deeply; or a record, or what a list
            holds, takes no bytes.
    """
    found = _Types()
    try:
        found.least(schema, 0)
    except RecursionError:
        raise _too_deep() from None
    return found.has_lists


class _Types:
    """The named types so far: how many bytes each takes at least, and how deep it is."""

    def __init__(self) -> None:
        self.has_lists = False
        self._known: dict[str, tuple[int, int]] = {}
        self._around: list[str] = []

    def least(self, schema: Any, depth: int) -> int:
        """The bytes of a value at least; `depth` is how deep it stands."""
        return self._measured(schema, depth)[0]

    def _measured(self, schema: Any, depth: int) -> tuple[int, int]:
        """The bytes of a value at least, and how deep the deepest part of it stands."""
        if depth > MOST_DEPTH:
            raise _too_deep()
        if isinstance(schema, list):
            return 1, max([depth, *(self._measured(one, depth + 1)[1] for one in schema)])
        if not isinstance(schema, Mapping):
            return self._named(str(schema), depth)
        kind = schema["type"]
        if kind in {"record", "error"}:
            return self._record(schema, depth)
        if kind in {"array", "map"}:
            return self._list(schema, depth)
        if kind in {"enum", "fixed"}:
            size = 1 if kind == "enum" else int(schema["size"])
            self._known[str(schema["name"])] = size, 0
            return size, depth
        return self._measured(kind, depth)

    def _named(self, name: str, depth: int) -> tuple[int, int]:
        if name in self._around:
            raise FileRefusedError(
                "avro",
                f"The record type {name!r} of the Avro schema holds itself.",
                "Describe as many levels as there are, each by a type of its own.",
            )
        if name in self._known:
            size, height = self._known[name]
            if depth + height > MOST_DEPTH:
                raise _too_deep()
            return size, depth + height
        return int(name in _PRIMITIVES), depth

    def _record(self, schema: Mapping[str, Any], depth: int) -> tuple[int, int]:
        name = str(schema["name"])
        self._around.append(name)
        fields = [self._measured(field["type"], depth + 1) for field in schema["fields"]]
        self._around.pop()
        size, deepest = sum(one for one, _ in fields), max([depth, *(at for _, at in fields)])
        if not size:
            raise _nothing(f"The record type {name!r}")
        self._known[name] = size, deepest - depth
        return size, deepest

    def _list(self, schema: Mapping[str, Any], depth: int) -> tuple[int, int]:
        self.has_lists = True
        inner = schema["items"] if schema["type"] == "array" else schema["values"]
        size, deepest = self._measured(inner, depth + 1)
        if not size and schema["type"] == "array":
            raise _nothing("What a list holds")
        return 1, deepest


def _too_deep() -> FileRefusedError:
    return FileRefusedError(
        "avro",
        f"The types of the Avro schema are nested more than {MOST_DEPTH} deep.",
        "Nest them less deeply.",
    )


def _nothing(what: str) -> FileRefusedError:
    return FileRefusedError(
        "avro",
        f"{what} takes no bytes in the Avro file, so that any number of them may be meant.",
        "Give it a type that holds something besides null.",
    )
