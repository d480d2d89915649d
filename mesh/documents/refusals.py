"""Why a document cannot be read: the bounds, the rules, and how a refusal is worded."""

from __future__ import annotations

from collections.abc import Mapping

from mesh.model.findings import Finding

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_VALUES = 100_000

RULES: Mapping[str, str] = {
    "document.too-large": f"A document has at most {MAX_BYTES} bytes.",
    "document.not-utf-8": "A document is encoded as UTF-8.",
    "document.syntax": "A document is well-formed YAML 1.2 or JSON.",
    "document.several": "A file holds exactly one document.",
    "document.not-an-object": "A document is an object with keys, not a list or a single value.",
    "document.duplicate-key": "A key stands only once in its object.",
    "document.key-not-text": "A key is text.",
    "document.unsupported": "A document uses no tags but YAML's core ones, and no merge keys.",
    "document.not-json": "A document holds nothing that JSON cannot hold.",
    "document.too-deep": f"A document is nested at most {MAX_DEPTH} levels deep.",
    "document.too-many-values": f"A document has at most {MAX_VALUES} values, aliases written out.",
}
"""What each rule asks."""


class Refused(Exception):
    """Ends the reading of a document, and becomes its finding."""

    def __init__(self, rule: str, message: str, remedy: str, path: str = "") -> None:
        super().__init__(message)
        self.rule = f"document.{rule}"
        self.remedy = remedy
        self.path = path

    def finding(self, file: str) -> Finding:
        """The refusal of the document in `file`."""
        return Finding(
            file=file, path=self.path, rule=self.rule, message=str(self), remedy=self.remedy
        )


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of the character at `offset`."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def duplicate(key: str, line: int, column: int, path: str = "") -> Refused:
    """The refusal of a key that stands twice in one object."""
    message = f"The key {key!r} at line {line}, column {column} stands there a second time."
    return Refused("duplicate-key", message, "Keep one of the two.", path)


def too_deep(line: int, column: int) -> Refused:
    """The refusal of a document that is nested deeper than `MAX_DEPTH`."""
    message = (
        f"The document is nested more than {MAX_DEPTH} levels deep at line {line}, column {column}."
    )
    return Refused("too-deep", message, "Flatten the document.")


def too_many_values() -> Refused:
    """The refusal of a document of more than `MAX_VALUES` values."""
    message = f"The document has more than {MAX_VALUES} values once its aliases are written out."
    return Refused("too-many-values", message, "Use fewer aliases, or split the document.")


def not_json(found: str, path: str = "") -> Refused:
    """The refusal of a value that JSON cannot hold."""
    return Refused("not-json", f"{found} cannot be held by JSON.", "Write it as a text.", path)
