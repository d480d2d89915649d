"""Copies of what is in a world, as deep as things change."""

from __future__ import annotations

from copy import copy
from dataclasses import fields, is_dataclass, replace
from itertools import count
from typing import Any

from tests.chaos.broker import Waiting


def take_over(port: Any, other: Any) -> None:
    """Copy the contents: lists, dictionaries, sets and counters; not locks and clocks."""
    for name, value in vars(other).items() if hasattr(other, "__dict__") else ():
        if isinstance(value, list | dict | set | count):
            setattr(port, name, _copied(value))


def _copied(value: Any) -> Any:
    """A copy as deep as things change; nouns do not."""
    if isinstance(value, dict):
        made = copy(value)  # a defaultdict remains one
        made.update((key, _copied(held)) for key, held in value.items())
        return made
    if isinstance(value, list):
        return [_copied(held) for held in value]
    if isinstance(value, Waiting):
        return replace(value)
    if isinstance(value, set | count):
        return copy(value)
    if is_dataclass(value) and type(value).__name__ == "_Partition":
        kept = {part.name: _copied(getattr(value, part.name)) for part in fields(value)}
        return type(value)(**kept)
    return value
