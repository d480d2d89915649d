"""Variables in the texts of an ODCS 3.2 contract: `${NAME}`, `${NAME:-default}`.

The standard leaves it to tools where values come from. Here they are declared, by whoever runs the
mesh, or come from the contract's own defaults; never from the environment of a process, which
holds secrets. What cannot be resolved stays as it is written, and is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mesh.model.odcs_problem import Problem
from mesh.model.odcs_schema import minor_version
from mesh.model.pointers import pointer

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_PLACES = frozenset({"object", "property", "table", "column"})
"""What stands in queries for the names of what a rule is about, and is no variable."""


def resolved(document: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """The document with its variables replaced; itself, if its version knows none.

    Args:
        variables: Values by name; an empty one counts as none.
    """
    if not _has_variables(document):
        return document
    made = _replaced(document, variables, key="")
    assert isinstance(made, dict)
    return made


def variable_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """The variables of a document that were not resolved."""
    if not _has_variables(document):
        return
    for path, name in _unresolved(document, "", key=""):
        yield Problem(
            path,
            "odcs.variable",
            f"The variable {name} has neither a value nor a default.",
            f"Give it a default, ${{{name}:-…}}, or have it declared in the mesh's policy "
            f"(contracts.variables); offline, give it with --var {name}=VALUE.",
        )


def _has_variables(document: Mapping[str, Any]) -> bool:
    """Since 3.2; in older contracts, such a text is just a text."""
    return minor_version(document.get("apiVersion")) not in {None, "v3.0", "v3.1"}


def _replaced(node: Any, variables: Mapping[str, str], *, key: str) -> Any:
    if isinstance(node, dict):
        return {name: _replaced(value, variables, key=name) for name, value in node.items()}
    if isinstance(node, list):
        return [_replaced(value, variables, key=key) for value in node]
    if not isinstance(node, str):
        return node

    def value(found: re.Match[str]) -> str:
        if _is_place(found, key):
            return found[0]
        return variables.get(found[1]) or (found[0] if found[2] is None else found[2])

    return _VARIABLE.sub(value, node)


def _unresolved(node: Any, path: str, *, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _unresolved(value, pointer(path, name), key=str(name))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _unresolved(value, f"{path}/{index}", key=key)
    elif isinstance(node, str):
        for found in _VARIABLE.finditer(node):
            if not _is_place(found, key):
                yield path, found[1]


def _is_place(found: re.Match[str], key: str) -> bool:
    return key == "query" and found[2] is None and found[1] in _PLACES
