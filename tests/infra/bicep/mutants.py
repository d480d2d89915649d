"""Mistakes made on purpose, one at a time, all over the Bicep files: what share is noticed?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.infra.bicep.syntax import parse
from tests.infra.bicep.tree import File, Node

TEXT_FOR_NUMBER = b"'text'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A file with one mistake."""

    kind: str
    file: Path
    line: int
    text: bytes
    was: str


def mutants(path: Path) -> Iterator[Mutant]:
    """The mutants of one file.

    Left out is what no checker could call a mistake: names of tags and of settings, which are free,
    and texts that people read.
    """
    before = path.read_bytes()
    file = parse(path)
    for kind, node, replacement in _mutations(file):
        start, end = node.place.start, node.place.end
        yield Mutant(
            kind=kind,
            file=path,
            line=node.place.line,
            text=before[:start] + replacement + before[end:],
            was=before[start:end].decode()[:60],
        )


def _mutations(file: File) -> Iterator[tuple[str, Node, bytes]]:
    for declared in file.declarations:
        if declared.kind == "type":
            continue
        in_resource = declared.kind in {"resource", "module"}
        for node in declared.body.walk():
            if node.kind == "name":
                yield "name misspelt", node, f"{node.value}q".encode()
            elif node.kind == "member":
                yield "member misspelt", node.parts[1], f"{node.value}q".encode()
            elif node.kind == "object" and in_resource:
                yield from _of_object(node)


def _of_object(node: Node) -> Iterator[tuple[str, Node, bytes]]:
    for key, value in node.entries:
        name = str(key.value)
        if key.kind != "literal" or not name.isidentifier() or _is_free(name, node):
            continue
        yield "property misspelt", key, f"{name}q".encode()
        if value.kind != "literal":
            continue
        if isinstance(value.value, bool):
            yield "text for a switch", value, f"'{str(value.value).lower()}'".encode()
        elif isinstance(value.value, int):
            yield "text for a number", value, TEXT_FOR_NUMBER
        elif isinstance(value.value, str):
            yield "number for a text", value, b"7"


def _is_free(name: str, node: Node) -> bool:
    """Whether the object takes any name: app settings are held to `Settings` by another test."""
    names = {str(key.value) for key, _ in node.entries}
    return "AZURE_CLIENT_ID" in names or name == "runbook"
