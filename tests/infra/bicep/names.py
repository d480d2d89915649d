"""Names: each is declared once, used, and known; in every branch, taken or not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from tests.infra.bicep.functions import ALL
from tests.infra.bicep.tree import Declaration, File, Node, Problem

_READS_KEYS = re.compile(r"list[A-Z]\w*")


def check_names(file: File, module: Callable[[str], File | None]) -> list[Problem]:
    """What is wrong with the names of a file.

    Args:
        module: the file of a module that this one names; None when there is none.
    """
    checker = _Checker(file, module)
    return [*checker.duplicates(), *checker.unknown(), *checker.unused()]


class _Checker:
    def __init__(self, file: File, module: Callable[[str], File | None]) -> None:
        self._file = file
        self._module = module
        self._declared = {
            declared.name: declared
            for declared in file.of("parameter", "variable", "resource", "module")
        }
        self._members = {
            member
            for declared in file.of("type")
            if isinstance(declared.target, dict)
            for member in declared.target
        }
        self._used: Counter[str] = Counter()

    def duplicates(self) -> Iterator[Problem]:
        counted = Counter(one.name for one in self._file.declarations if one.kind != "output")
        for declared in self._file.declarations:
            if declared.kind != "output" and counted[declared.name] > 1:
                counted[declared.name] = 0
                yield _problem("duplicate", f"{declared.name} is declared twice", declared)

    def unknown(self) -> Iterator[Problem]:
        for declared in self._file.declarations:
            if declared.kind == "type":
                continue
            yield from self._node(declared.body, frozenset(), declared.body)

    def unused(self) -> Iterator[Problem]:
        """Parameters and variables that nothing reads; run after `unknown`."""
        for declared in self._file.of("parameter", "variable"):
            if not self._used[declared.name]:
                yield _problem("unused", f"{declared.name} is never used", declared)

    def _node(self, node: Node, local: frozenset[str], within: Node) -> Iterator[Problem]:
        if node.kind == "name":
            yield from self._name(node, local)
            return
        if node.kind == "call":
            yield from self._call(node)
            parts = node.parts[1:]
        else:
            parts = node.parts
        if node.kind == "nested":
            yield from self._nested(node)
        if node.kind == "member":
            yield from self._output(node)
            if node.is_safe and node.value not in self._members:
                text = f"no type of this file has {node.value}, which `.?` asks for"
                yield Problem(code="member", text=text, place=node.place)
        inner = local | set(node.names)
        for position, part in enumerate(parts):
            # The source of a loop is outside of it.
            outer = node.kind == "for" and position == 0
            yield from self._node(part, local if outer else inner, within)
        for key, value in node.entries:
            yield from self._node(key, inner, within)
            yield from self._node(value, inner, within)
        for resource in node.resources:
            yield from self._node(resource.body, inner, within)

    def _name(self, node: Node, local: frozenset[str]) -> Iterator[Problem]:
        name = str(node.value)
        self._used[name] += 1
        if name not in local and name not in self._declared:
            yield Problem(code="name", text=f"{name} is not declared", place=node.place)

    def _call(self, node: Node) -> Iterator[Problem]:
        function = node.parts[0]
        name = str(function.value)
        if _READS_KEYS.fullmatch(name):
            text = f"{name} reads keys, and only identities are used here"
            yield Problem(code="keys", text=text, place=node.place)
        elif function.kind != "name" or name not in ALL:
            yield Problem(code="function", text=f"there is no function {name}", place=node.place)

    def _nested(self, node: Node) -> Iterator[Problem]:
        known = self._resources_in(node.parts[0])
        if known is not None and node.value not in {one.name for one in known}:
            text = f"there is no nested resource {node.value}"
            yield Problem(code="name", text=text, place=node.place)

    def _resources_in(self, node: Node) -> tuple[Declaration, ...] | None:
        if node.kind == "name":
            declared = self._declared.get(str(node.value))
        elif node.kind == "nested":
            around = self._resources_in(node.parts[0]) or ()
            declared = next((one for one in around if one.name == node.value), None)
        else:
            return None
        return None if declared is None else _object_of(declared.body).resources

    def _output(self, node: Node) -> Iterator[Problem]:
        """`module.outputs.name`, also of a module that is not always deployed."""
        outputs = node.parts[0]
        if outputs.kind != "member" or outputs.value != "outputs":
            return
        owner = outputs.parts[0]
        while owner.kind == "index":
            owner = owner.parts[0]
        declared = self._declared.get(str(owner.value))
        if declared is None or declared.kind != "module":
            return
        file = self._module(str(declared.target))
        if file is not None and node.value not in {one.name for one in file.of("output")}:
            text = f"{declared.target} has no output {node.value}"
            yield Problem(code="output", text=text, place=node.place)


def _object_of(node: Node) -> Node:
    while node.kind in {"for", "if"}:
        node = node.parts[-1]
    return node


def _problem(code: str, text: str, declared: Declaration) -> Problem:
    return Problem(code=code, text=text, place=declared.place)
