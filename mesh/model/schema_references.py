"""Where references within a JSON Schema lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from mesh.model.odcs_problem import Problem
from mesh.model.pointers import pointer, steps_of

_NO_SCHEMAS = frozenset({"const", "default", "enum", "examples"})
_META = ("https://json-schema.org/", "http://json-schema.org/")


def resolve(reference: str, root: Mapping[str, Any]) -> Any:
    """What a reference leads to in its own document; None for any other reference.

    Understood are `#`, JSON Pointers (`#/$defs/x`), anchors (`#x`), and `$id`s of the document.
    """
    base, _, fragment = reference.partition("#")
    whole = _resource(base, root) if base else root
    fragment = unquote(fragment)
    if whole is None or not fragment:
        return whole
    if not fragment.startswith("/"):
        return next(
            (node for _, node in schemas(whole) if fragment in _anchors(node)),
            None,
        )
    node: Any = whole
    for token in steps_of(fragment):
        if isinstance(node, Mapping):
            node = node.get(token)
        elif isinstance(node, list) and token.isdigit() and int(token) < len(node):
            node = node[int(token)]
        else:
            return None
    return node


def reference_problems(schema: Mapping[str, Any]) -> Iterator[Problem]:
    """References that lead nowhere, out of the document, or to themselves."""
    inner = [path for path, node in schemas(schema) if path and _has_base(node)]
    for path, node in schemas(schema):
        reference = node.get("$ref")
        if not isinstance(reference, str) or reference.startswith(_META):
            continue
        if not _is_absolute(reference) and any(f"{path}/".startswith(f"{at}/") for at in inner):
            yield Problem(
                f"{path}/$ref",
                "jsonschema.ref",
                f"The reference {reference[:80]!r} stands within a schema with an $id of its own, "
                f"and would lead from there.",
                "Take that $id away, or write the whole address that the reference leads to.",
            )
        elif resolve(reference, schema) is None:
            yield Problem(
                f"{path}/$ref",
                "jsonschema.ref",
                f"The reference {reference[:80]!r} leads to nothing in the document.",
                "Write what it is to lead to under $defs; other documents are not read.",
            )
        elif _is_circle(node, schema):
            yield Problem(
                f"{path}/$ref",
                "jsonschema.ref",
                f"The reference {reference[:80]!r} leads back to itself.",
                "Let it lead to a schema that says something.",
            )


def _has_base(node: Mapping[str, Any]) -> bool:
    """Whether references in a schema lead from its own `$id`; one with `#` is an anchor."""
    name = node.get("$id")
    return isinstance(name, str) and not name.startswith("#")


def _is_absolute(reference: str) -> bool:
    try:
        return bool(urlsplit(reference).scheme)
    except ValueError:
        return False


def _is_circle(node: Any, root: Mapping[str, Any]) -> bool:
    seen: set[int] = set()
    while isinstance(node, Mapping) and isinstance(node.get("$ref"), str):
        if id(node) in seen:
            return True
        seen.add(id(node))
        node = resolve(node["$ref"], root)
    return False


def _resource(base: str, root: Mapping[str, Any]) -> Any:
    """The schema with this `$id`, which may be relative to that of the document."""
    own = str(root.get("$id") or "")
    wanted = _joined(own, base)
    for _, node in schemas(root):
        if isinstance(name := node.get("$id"), str) and _joined(own, name) == wanted:
            return node
    return None


def _joined(base: str, name: str) -> str:
    try:
        return urljoin(base, name).rstrip("#")
    except ValueError:  # no URI at all
        return name


def _anchors(node: Mapping[str, Any]) -> set[str]:
    names = {node.get("$anchor"), node.get("$dynamicAnchor")}
    if isinstance(name := node.get("$id"), str) and name.startswith("#"):  # of draft 7
        names.add(name[1:])
    return {name for name in names if isinstance(name, str)}


def schemas(schema: object, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each mapping in a schema that may be one, with its pointer."""
    if isinstance(schema, Mapping):
        yield path, schema
        for key, value in schema.items():
            if key not in _NO_SCHEMAS:
                yield from schemas(value, pointer(path, key))
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from schemas(value, f"{path}/{index}")
