"""What expressions of a deployment can be: JSON, resources, and what Azure will only say later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.infra.bicep.tree import Place


class Runtime(str):
    """A text that is known only once something is deployed.

    Names, conditions, scopes and loops must not depend on one: Azure wants to know them before.
    """

    __slots__ = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeObject:
    """An object of a deployed resource, of a type of its schema."""

    resource: Resource
    path: str
    kind: str


@dataclass(kw_only=True, slots=True, eq=False)
class Resource:
    """One resource of a deployment.

    Attributes:
        kind: its type, `Microsoft.Storage/storageAccounts`.
        scope: id of what it is deployed into, or extends.
        is_deployed: False when its condition does not hold.
        is_existing: whether it is only referred to.
    """

    kind: str
    version: str
    name: str
    scope: str
    id: str
    place: Place
    is_existing: bool
    is_deployed: bool
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True, eq=False)
class Module:
    """One deployment of a module's file."""

    name: str
    place: Place
    is_deployed: bool
    outputs: Mapping[str, Any] = field(default_factory=dict)


def is_runtime(value: object) -> bool:
    """Whether any text in it is known only later."""
    if isinstance(value, Runtime | RuntimeObject):
        return True
    if isinstance(value, dict):
        return any(is_runtime(item) for item in value.values())
    return isinstance(value, list) and any(map(is_runtime, value))


def known(value: Any) -> Any:
    """The value with its texts known: what a module's parameter holds once the module runs."""
    if isinstance(value, dict):
        return {key: known(item) for key, item in value.items()}
    if isinstance(value, list):
        return [known(item) for item in value]
    return str(value) if isinstance(value, Runtime) else value


def later(value: Any) -> Any:
    """The value with its texts known only later: what a module's output is to others."""
    if isinstance(value, dict):
        return {key: later(item) for key, item in value.items()}
    if isinstance(value, list):
        return [later(item) for item in value]
    return Runtime(value) if isinstance(value, str) else value


def kind_of(value: object) -> str:
    """The name of its type in Bicep."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    return "null" if value is None else "object"


def plain(value: Any) -> Any:
    """The value with resources and modules, which no property holds, shown as such."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return (
        {"(not a value)": type(value).__name__} if isinstance(value, Resource | Module) else value
    )
