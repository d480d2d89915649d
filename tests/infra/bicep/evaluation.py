"""Expressions of a Bicep file, computed: what a deployment would hand to Azure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from tests.infra.bicep import functions
from tests.infra.bicep.schema import Schemas
from tests.infra.bicep.tree import BicepError, Node
from tests.infra.bicep.values import (
    Module,
    Resource,
    Runtime,
    RuntimeObject,
    is_runtime,
    kind_of,
)

Locals = Mapping[str, Any]

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "%": operator.mod,
}


class Names(Protocol):
    """What a file's names stand for, in one deployment of it."""

    path: Path
    schemas: Schemas

    def value(self, name: str, node: Node) -> Any: ...

    def load(self, file: Path, *, is_json: bool) -> Any:
        """What a file holds."""

    def place_function(self, name: str, arguments: list[Any]) -> Any:
        """A function whose value depends on where it is deployed; NotImplemented when not ours."""

    def child(self, parent: Any, name: str, node: Node) -> Any:
        """The nested resource `name` of `parent`."""


class Evaluator:
    """Computes expressions in one deployment of one file."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def value(self, node: Node, local: Locals) -> Any:
        """The value of an expression.

        Raises:
            BicepError: it has none.
        """
        return getattr(self, f"_{node.kind}")(node, local)

    def _literal(self, node: Node, local: Locals) -> Any:  # noqa: ARG002 - a form of `value`
        return node.value

    def _string(self, node: Node, local: Locals) -> str:
        parts = [self.value(part, local) for part in node.parts]
        for part, value in zip(node.parts, parts, strict=True):
            if isinstance(value, Resource | Module | RuntimeObject | dict | list):
                raise _wrong("type", f"{kind_of(value)} in a string", part)
        text = "".join(_text(part) for part in parts)
        return Runtime(text) if any(map(is_runtime, parts)) else text

    def _array(self, node: Node, local: Locals) -> list[Any]:
        return [self.value(part, local) for part in node.parts]

    def _object(self, node: Node, local: Locals) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in node.entries:
            name = str(self.value(key, local))
            if name in made:
                raise _wrong("duplicate", f"{name} stands twice in an object", key)
            made[name] = self.value(value, local)
        return made

    def _name(self, node: Node, local: Locals) -> Any:
        name = str(node.value)
        return local[name] if name in local else self._names.value(name, node)

    def _nested(self, node: Node, local: Locals) -> Any:
        parent = self.value(node.parts[0], local)
        return self._names.child(parent, str(node.value), node)

    def _member(self, node: Node, local: Locals) -> Any:
        inner = self.value(node.parts[0], local)
        name = str(node.value)
        if node.is_safe and (inner is None or (isinstance(inner, dict) and name not in inner)):
            return None
        return self.member(inner, name, node)

    def member(self, inner: Any, name: str, node: Node) -> Any:
        """`inner.name`."""
        if isinstance(inner, dict) and name in inner:
            return inner[name]
        if isinstance(inner, Resource):
            return self._of_resource(inner, name, node)
        if isinstance(inner, RuntimeObject):
            return self._later(inner.resource, inner.kind, f"{inner.path}.{name}", name, node)
        if isinstance(inner, Module) and name == "outputs":
            if not inner.is_deployed:
                raise _wrong("undeployed", f"the module {inner.name} is not deployed", node)
            return _Outputs(inner.outputs)
        shown = f"{', '.join(sorted(inner))}" if isinstance(inner, dict) else kind_of(inner)
        raise _wrong("member", f"there is no {name!r} in {shown}", node)

    def _of_resource(self, resource: Resource, name: str, node: Node) -> Any:
        if name in {"id", "name", "type", "apiVersion"}:
            told = {"id": resource.id, "name": resource.name.rpartition("/")[2]}
            return (told | {"type": resource.kind, "apiVersion": resource.version})[name]
        if not resource.is_deployed:
            raise _wrong("undeployed", f"{resource.id} is not deployed", node)
        if name in resource.body and not isinstance(resource.body[name], dict):
            return resource.body[name]
        return self._later(resource, "", name, name, node)

    def _later(self, resource: Resource, kind: str, path: str, name: str, node: Node) -> Any:
        found = self._names.schemas.member(resource.kind, kind, name)
        if found is None:
            raise _wrong("member", f"{resource.kind} has no {path}", node)
        if self._names.schemas.is_object(resource.kind, found):
            return RuntimeObject(resource=resource, path=path, kind=found)
        return Runtime(f"{resource.id}#{path}")

    def _index(self, node: Node, local: Locals) -> Any:
        inner, key = (self.value(part, local) for part in node.parts)
        if isinstance(inner, list) and isinstance(key, int):
            if 0 <= key < len(inner):
                return inner[key]
            raise _wrong("index", f"there is no item {key} of {len(inner)}", node)
        if isinstance(key, str):
            return self.member(inner, key, node)
        raise _wrong("index", f"{kind_of(key)} as index of {kind_of(inner)}", node)

    def _ternary(self, node: Node, local: Locals) -> Any:
        condition, yes, no = node.parts
        return self.value(yes if self.truth(condition, local) else no, local)

    def truth(self, node: Node, local: Locals) -> bool:
        """The value of a condition.

        Raises:
            BicepError: it is neither true nor false.
        """
        held = self.value(node, local)
        if not isinstance(held, bool):
            raise _wrong("type", f"a condition is {kind_of(held)}, not true or false", node)
        return held

    def _binary(self, node: Node, local: Locals) -> Any:
        left, right = node.parts
        symbol = str(node.value)
        if symbol == "??":
            value = self.value(left, local)
            return self.value(right, local) if value is None else value
        if symbol in {"&&", "||"}:
            held = self.truth(left, local)
            return held if held == (symbol == "||") else self.truth(right, local)
        values = self.value(left, local), self.value(right, local)
        if symbol in {"==", "!="} or all(isinstance(value, int) for value in values):
            return _OPERATORS[symbol](*values)
        raise _wrong("type", f"{kind_of(values[0])} {symbol} {kind_of(values[1])}", node)

    def _unary(self, node: Node, local: Locals) -> Any:
        if node.value == "!":
            return not self.truth(node.parts[0], local)
        value = self.value(node.parts[0], local)
        if not isinstance(value, int):
            raise _wrong("type", f"-{kind_of(value)}", node)
        return -value

    def _lambda(self, node: Node, local: Locals) -> Callable[..., Any]:
        def call(*values: Any) -> Any:
            given = dict(zip(node.names, values, strict=False))
            return self.value(node.parts[0], {**local, **given})

        return call

    def _for(self, node: Node, local: Locals) -> list[Any]:
        return [self.value(body, inner) for body, inner in self.turns(node, local)]

    def turns(self, node: Node, local: Locals) -> list[tuple[Node, Locals]]:
        """The body of a loop, with the names of each turn."""
        source, body = node.parts
        items = self.value(source, local)
        if not isinstance(items, list):
            raise _wrong("type", f"a loop over {kind_of(items)}", source)
        if any(isinstance(item, Runtime) for item in items):
            raise _wrong("runtime", "a loop over what is known only after deployment", source)
        item, index = (*node.names, "")[:2]
        return [(body, {**local, item: value, index: at}) for at, value in enumerate(items)]

    def _call(self, node: Node, local: Locals) -> Any:
        name = str(node.parts[0].value)
        arguments = [self.value(part, local) for part in node.parts[1:]]
        if name in {"loadJsonContent", "loadTextContent"}:
            return self._load(name, arguments, node)
        try:
            found = self._names.place_function(name, arguments)
            if found is NotImplemented:
                function = functions.KNOWN.get(name)
                if function is None:
                    raise _wrong("function", f"{name} cannot be computed by the tests (yet)", node)
                found = function(*arguments)
        except (functions.WrongArguments, TypeError) as wrong:
            raise _wrong("argument", f"{name}: {wrong}", node) from None
        if isinstance(found, str) and any(map(is_runtime, arguments)):
            return Runtime(found)
        return found

    def _load(self, name: str, arguments: list[Any], node: Node) -> Any:
        file = self._names.path.parent / str(arguments[0])
        try:
            return self._names.load(file, is_json=name == "loadJsonContent")
        except (OSError, ValueError) as wrong:
            raise _wrong("file", f"{arguments[0]} cannot be read: {wrong}", node) from None


class _Outputs(dict[str, Any]):
    """A module's outputs; a class of its own for the message only."""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _wrong(code: str, text: str, node: Node) -> BicepError:
    return BicepError(code, text, node.place)
