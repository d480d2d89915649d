"""What a Bicep file consists of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where something stands; `start` and `end` are offsets in the file's bytes."""

    file: Path
    line: int
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something wrong: `code` names the kind of mistake."""

    code: str
    text: str
    place: Place

    def __str__(self) -> str:
        return f"{self.place.file.name}:{self.place.line}: {self.code}: {self.text}"


class BicepError(Exception):
    """A mistake after which nothing sensible can be said about the rest."""

    def __init__(self, code: str, text: str, place: Place) -> None:
        super().__init__(text)
        self.problem = Problem(code=code, text=text, place=place)


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """An expression, or part of one.

    Attributes:
        kind: literal, string, array, object, name, member, index, call, ternary, binary, unary,
            lambda, for, if, nested.
        value: of a literal; the name of a name, member, operator, or nested resource (`a::b`).
        parts: what it is made of, in an order that depends on its kind.
        names: parameters of a lambda, variables of a loop.
        is_safe: whether a member is read by `.?`.
    """

    kind: str
    place: Place
    value: object = None
    parts: tuple[Node, ...] = ()
    names: tuple[str, ...] = ()
    entries: tuple[tuple[Node, Node], ...] = ()
    resources: tuple[Declaration, ...] = ()
    is_safe: bool = False
    is_closed: bool = False

    @property
    def members(self) -> dict[str, Node]:
        """The members of an object, by name."""
        return {str(key.value): value for key, value in self.entries}

    def walk(self) -> Iterator[Node]:
        """This node and all below it, nested resources' too."""
        yield self
        for part in self.parts:
            yield from part.walk()
        for key, value in self.entries:
            yield from key.walk()
            yield from value.walk()
        for resource in self.resources:
            yield from resource.body.walk()


@dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
    """A parameter, variable, resource, module, output or type.

    Attributes:
        target: type and version of a resource, or file of a module, or type of a param or output.
        body: value, or None where a parameter has no default.
        decorators: name and arguments.
    """

    kind: str
    name: str
    place: Place
    target: object
    body: Node
    has_body: bool
    is_existing: bool
    decorators: tuple[tuple[str, tuple[Node, ...]], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A parsed file."""

    path: Path
    scope: str
    declarations: tuple[Declaration, ...]

    def of(self, *kinds: str) -> list[Declaration]:
        return [declared for declared in self.declarations if declared.kind in kinds]
