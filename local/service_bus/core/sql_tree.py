"""The SQL of rules as a tree."""

from __future__ import annotations

from dataclasses import dataclass

from local.service_bus.core.message import Value


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal."""

    value: Value


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named parameter, `@name` included."""

    name: str


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the message: `scope` is `sys` or `user`."""

    scope: str
    name: str


@dataclass(frozen=True, slots=True)
class Named:
    """`property(name)`: the user property whose name an expression gives."""

    name: Node


@dataclass(frozen=True, slots=True)
class NewId:
    """`newid()`: a fresh GUID."""


@dataclass(frozen=True, slots=True)
class Unary:
    """`+x`, `-x` or `NOT x`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, comparison, AND, OR."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class IsNull:
    """`x IS NULL`."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Exists:
    """`EXISTS(x)`."""

    operand: Property


@dataclass(frozen=True, slots=True)
class In:
    """`x IN (a, b, …)`."""

    operand: Node
    choices: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """`x LIKE pattern [ESCAPE c]`."""

    operand: Node
    pattern: Node
    escape: Node | None


Node = (
    Constant | Parameter | Property | Named | NewId | Unary | Binary | IsNull | Exists | In | Like
)


@dataclass(frozen=True, slots=True)
class SetProperty:
    """`SET property = expression`."""

    target: Property
    value: Node


@dataclass(frozen=True, slots=True)
class RemoveProperty:
    """`REMOVE property`."""

    target: Property


Statement = SetProperty | RemoveProperty
