"""Bicep files as trees that are easy to walk: tree-sitter's, with its grammar's slips mended.

The grammar binds `x => x.name` as `(x => x).name`, `a ? b : c.d` as `(a ? b : c).d`, and `a ?? b.c`
as `(a ?? b).c`; `_bind` hands the rest of such an expression to the part that it belongs to.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import tree_sitter
import tree_sitter_bicep

from tests.infra.bicep.tree import BicepError, Declaration, File, Node, Place


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language()))


def parse(path: Path, text: bytes | None = None) -> File:
    """Parse a file.

    Raises:
        BicepError: the syntax is wrong.
    """
    root = _parser().parse(path.read_bytes() if text is None else text).root_node
    reader = _Reader(path)
    wrong = _first_error(root)
    if wrong is not None:
        shown = _text(wrong)[:40]
        raise BicepError("syntax", f"syntax error at {shown!r}", reader.place(wrong))
    scope, declarations = "resourceGroup", []
    decorators: list[tree_sitter.Node] = []
    for node in _named(root):
        if node.type == "decorators":
            decorators += _named(node)
        elif node.type == "target_scope_assignment":
            scope = str(reader.node(_named(node)[0]).value)
        else:
            declarations.append(reader.declaration(node, decorators))
            decorators = []
    return File(path=path, scope=scope, declarations=tuple(declarations))


def _first_error(node: tree_sitter.Node) -> tree_sitter.Node | None:
    if node.is_error or node.is_missing:
        return node
    if not node.has_error:
        return None
    return next(filter(None, map(_first_error, node.children)), node)


def _named(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    return [child for child in node.children if child.is_named and child.type != "comment"]


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode()


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def place(self, node: tree_sitter.Node) -> Place:
        line = node.start_point[0] + 1
        return Place(file=self._path, line=line, start=node.start_byte, end=node.end_byte)

    def declaration(
        self, node: tree_sitter.Node, decorators: list[tree_sitter.Node]
    ) -> Declaration:
        kind = node.type.partition("_")[0]
        name, *rest = _named(node)
        target: object = None
        if kind in {"resource", "module"}:
            target = self.node(rest.pop(0)).value
        elif kind in {"parameter", "output", "type"}:
            target = self.type(rest.pop(0))
        elif kind != "variable":
            raise BicepError("syntax", f"{node.type} is not for this project", self.place(node))
        place = self.place(name)
        body = self.node(rest[-1]) if rest else Node(kind="literal", place=place)
        return Declaration(
            kind=kind,
            name=_text(name),
            place=place,
            target=target,
            body=body,
            has_body=bool(rest),
            is_existing=any(child.type == "existing" for child in node.children),
            decorators=tuple(map(self._decorator, decorators)),
        )

    def _decorator(self, node: tree_sitter.Node) -> tuple[str, tuple[Node, ...]]:
        call = self.node(_named(node)[0])
        return str(call.parts[0].value), call.parts[1:]

    def type(self, node: tree_sitter.Node) -> object:
        """A type: a name, `[item]`, `{member: type}`, `('union', values)` or `('null', type)`."""
        parts = _named(node)
        if node.type in {"type", "parenthesized_type"} and parts:
            return self.type(parts[0])
        if node.type == "array_type":
            return [self.type(parts[0])]
        if node.type == "nullable_type":
            return ("null", self.type(parts[0]))
        if node.type == "union_type":
            return ("union", tuple(self.node(part).value for part in parts))
        if node.type == "object":
            members = [part for part in parts if part.type == "object_property"]
            pairs = (_named(member)[:2] for member in members)
            return {_text(key): self.type(value) for key, value in pairs}
        return _text(node)

    def node(self, node: tree_sitter.Node) -> Node:
        made: Node = getattr(self, f"_{node.type}", self._unknown)(node)
        return made

    def _unknown(self, node: tree_sitter.Node) -> Node:
        raise BicepError("syntax", f"{node.type} is not understood", self.place(node))

    def _make(self, node: tree_sitter.Node, kind: str, **more: object) -> Node:
        return Node(kind=kind, place=self.place(node), **more)  # type: ignore[arg-type]

    def _string(self, node: tree_sitter.Node) -> Node:
        parts: list[Node] = []
        text = ""
        for child in _named(node):
            if child.type == "interpolation":
                parts.append(self._make(child, "literal", value=text))
                parts.append(self.node(_named(child)[0]))
                text = ""
            else:
                text += _unescaped(child)
        if _text(node).startswith("'''"):
            text = text.removeprefix("\n")
        if not parts:
            return self._make(node, "literal", value=text)
        parts.append(self._make(node, "literal", value=text))
        return self._make(node, "string", parts=tuple(parts))

    def _number(self, node: tree_sitter.Node) -> Node:
        return self._make(node, "literal", value=int(_text(node)))

    def _boolean(self, node: tree_sitter.Node) -> Node:
        return self._make(node, "literal", value=_text(node) == "true")

    def _null(self, node: tree_sitter.Node) -> Node:
        return self._make(node, "literal")

    def _identifier(self, node: tree_sitter.Node) -> Node:
        return self._make(node, "name", value=_text(node))

    def _array(self, node: tree_sitter.Node) -> Node:
        return self._make(node, "array", parts=tuple(map(self.node, _named(node))))

    def _object(self, node: tree_sitter.Node) -> Node:
        entries, resources, decorators = [], [], []
        for child in _named(node):
            if child.type == "decorators":
                decorators += _named(child)
                continue
            inner = _named(child)
            if inner[0].type == "resource_declaration":
                resources.append(self.declaration(inner[0], decorators))
                decorators = []
                continue
            key, value = inner
            name = self.node(key)
            if name.kind == "name":
                name = replace(name, kind="literal")
            entries.append((name, self.node(value)))
        return self._make(node, "object", entries=tuple(entries), resources=tuple(resources))

    def _parenthesized_expression(self, node: tree_sitter.Node) -> Node:
        return replace(self.node(_named(node)[0]), is_closed=True)

    def _member_expression(self, node: tree_sitter.Node) -> Node:
        inner, member = _named(node)
        made = self._make(
            node,
            "member",
            value=_text(member),
            parts=(self.node(inner), self._make(member, "literal", value=_text(member))),
            is_safe=any(child.type == ".?" for child in node.children),
        )
        return _bind(made)

    def _subscript_expression(self, node: tree_sitter.Node) -> Node:
        return _bind(self._make(node, "index", parts=tuple(map(self.node, _named(node)))))

    def _resource_expression(self, node: tree_sitter.Node) -> Node:
        inner, name = _named(node)
        return self._make(node, "nested", value=_text(name), parts=(self.node(inner),))

    def _call_expression(self, node: tree_sitter.Node) -> Node:
        function, arguments = _named(node)
        parts = (self.node(function), *map(self.node, _named(arguments)))
        return _bind(self._make(node, "call", parts=parts))

    def _ternary_expression(self, node: tree_sitter.Node) -> Node:
        return _bind(self._make(node, "ternary", parts=tuple(map(self.node, _named(node)))))

    def _binary_expression(self, node: tree_sitter.Node) -> Node:
        left, right = _named(node)
        operator = next(child.type for child in node.children if not child.is_named)
        parts = (self.node(left), self.node(right))
        return _bind(self._make(node, "binary", value=operator, parts=parts))

    def _unary_expression(self, node: tree_sitter.Node) -> Node:
        operator = node.children[0].type
        return self._make(node, "unary", value=operator, parts=(self.node(_named(node)[0]),))

    def _lambda_expression(self, node: tree_sitter.Node) -> Node:
        head, body = _named(node)
        names = [head] if head.type == "identifier" else _named(head)
        told = tuple(_text(name) for name in names)
        return self._make(node, "lambda", names=told, parts=(self.node(body),))

    def _if_statement(self, node: tree_sitter.Node) -> Node:
        return self._make(node, "if", parts=tuple(map(self.node, _named(node))))

    def _for_statement(self, node: tree_sitter.Node) -> Node:
        head, *rest = _named(node)
        names = [head] if head.type == "identifier" else _named(head)
        told = tuple(_text(name) for name in names)
        return self._make(node, "for", names=told, parts=tuple(map(self.node, rest)))


def _unescaped(node: tree_sitter.Node) -> str:
    text = _text(node)
    if node.type != "escape_sequence":
        return text
    return {"\\n": "\n", "\\t": "\t", "\\r": "\r"}.get(text, text[1:])


def _bind(made: Node) -> Node:
    """Give what follows a lambda, or the last branch of a ternary, to its body."""
    inner = made.parts[0]
    looser = {"lambda", "ternary"}
    if made.kind in {"member", "index", "call"}:
        looser |= {"binary", "unary"}
    if inner.is_closed or inner.kind not in looser or made.kind == inner.kind == "ternary":
        return made
    body = _bind(replace(made, parts=(inner.parts[-1], *made.parts[1:])))
    return replace(inner, parts=(*inner.parts[:-1], body))
