"""Read a JSON document value by value, so that every complaint names the place it is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


class InvalidDocument(Exception):
    """A JSON document is not what it should be; the message starts with the path of the place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A JSON object with its path inside the whole, e.g. `topics[0].eventSubscriptions[2]`."""

    value: dict[str, Any]
    path: str = ""

    def at(self, key: str) -> str:
        """The path of a member."""
        return f"{self.path}.{key}" if self.path else key

    def complain(self, key: str, problem: str) -> InvalidDocument:
        """An exception about a member; `raise` it."""
        return InvalidDocument(f"{self.at(key)} {problem}")

    def only(self, *known: str) -> None:
        """Refuse members that nobody would read: most of them are misspelt."""
        for key in self.value:
            if key not in known and not key.startswith("$"):
                expected = ", ".join(sorted(known))
                raise self.complain(key, f"is not known here. Expected one of: {expected}.")

    def optional_text(self, key: str) -> str | None:
        value = self.value.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.complain(key, f"must be a text, but is {_shown(value)}.")
        return value

    def text(self, key: str) -> str:
        value = self.optional_text(key)
        if not value:
            raise self.complain(key, "is missing. It must be a text that is not empty.")
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        value = self.optional_text(key) or default
        if value is None or value not in choices:
            shown = "is missing" if value is None else f"is {_shown(value)}"
            raise self.complain(key, f"{shown}. Expected one of: {', '.join(choices)}.")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.value.get(key, default)
        if not isinstance(value, bool):
            raise self.complain(key, f"must be true or false, but is {_shown(value)}.")
        return value

    def integer(self, key: str, *, default: int, low: int, high: int) -> int:
        value = self.value.get(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            problem = f"must be a whole number from {low} to {high}, but is {_shown(value)}."
            raise self.complain(key, problem)
        return value

    def optional_child(self, key: str) -> Document | None:
        value = self.value.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.complain(key, f"must be an object, but is {_shown(value)}.")
        return Document(value=value, path=self.at(key))

    def child(self, key: str) -> Document:
        child = self.optional_child(key)
        if child is None:
            raise self.complain(key, "is missing. It must be an object.")
        return child

    def children(self, key: str) -> Iterator[Document]:
        """The objects of a list; a list that is absent is empty."""
        for position, value in enumerate(self.items(key)):
            place = f"{key}[{position}]"
            if not isinstance(value, dict):
                raise self.complain(place, f"must be an object, but is {_shown(value)}.")
            yield Document(value=value, path=self.at(place))

    def items(self, key: str) -> list[Any]:
        value = self.value.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.complain(key, f"must be a list, but is {_shown(value)}.")
        return value

    def flattened(self) -> Document:
        """The same with the members of `properties`, ARM's envelope, lifted up beside the name."""
        properties = self.optional_child("properties")
        if properties is None:
            return self
        lifted = {key: value for key, value in self.value.items() if key != "properties"}
        return Document(value={**properties.value, **lifted}, path=self.path)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
