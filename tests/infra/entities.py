"""Entities, as the app's functions name them and as a deployment makes them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.indexed import functions

ROOT = Path(__file__).parents[2]


def bindings() -> list[dict[str, Any]]:
    """Every binding of every function of the real app; `function` names the function."""
    return [
        {**binding.get_dict_repr(), "function": function.get_function_name()}
        for function in functions()
        for binding in function.get_bindings()
    ]


def service_bus_entities(found: Iterable[dict[str, Any]]) -> set[str]:
    """What bindings listen to or send to: `queues/NAME`, `topics/NAME/subscriptions/NAME`."""
    named = set()
    for binding in found:
        if str(binding["type"]).startswith("serviceBus"):
            topic, subscription = binding.get("topicName"), binding.get("subscriptionName")
            if topic:
                named.add(f"topics/{topic}/subscriptions/{subscription}")
            else:
                named.add(f"queues/{binding['queueName']}")
    return named


def literals(folder: Path, call: str) -> set[str]:
    """First arguments of calls of `….call("text", …)` in Python files, constants followed."""
    found: set[str] = set()
    for file in sorted(folder.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        constants = {
            node.targets[0].id: str(node.value.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr == call and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.add(first.value)
                elif isinstance(first, ast.Name) and first.id in constants:
                    found.add(constants[first.id])
    return found
