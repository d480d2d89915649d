"""Which formats a file can have, told by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mesh.validation.report import FileProblem

_KINDS: dict[str, tuple[Literal["csv", "jsonl"], str | None]] = {
    "csv": ("csv", ","),
    "tsv": ("csv", "\t"),
    "tab": ("csv", "\t"),
    "jsonl": ("jsonl", None),
    "ndjson": ("jsonl", None),
}
_COMPRESSIONS: dict[str, Literal["gzip", "zstd"]] = {"gz": "gzip", "zst": "zstd"}
SUPPORTED = (".csv", ".tsv", ".jsonl", ".ndjson")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFormat:
    """How the records of a file are laid out.

    Attributes:
        kind: `csv` (delimited text of any separator) or `jsonl` (one JSON object per line).
        separator: The usual one of the format; a contract's dialect goes before it.
        compression: As the name tells it.
    """

    kind: Literal["csv", "jsonl"]
    separator: str | None = None
    compression: Literal["none", "gzip", "zstd"] = "none"

    @classmethod
    def from_name(cls, name: str) -> FileFormat | FileProblem:
        """The format of a file of this name, or why it cannot be read."""
        base = name.rsplit("/", 1)[-1].lower()
        parts = base.split(".")
        compression: Literal["none", "gzip", "zstd"] = "none"
        if len(parts) > 2 and parts[-1] in _COMPRESSIONS:
            compression = _COMPRESSIONS[parts.pop()]
        if len(parts) < 2 or parts[-1] not in _KINDS:
            ending = f".{parts[-1]}" if len(parts) > 1 else "no ending"
            return FileProblem(
                rule="format",
                message=f"The format of {base!r} cannot be told by its name ({ending}).",
                remedy=f"Name the file by its format: {', '.join(SUPPORTED)}; .gz may follow.",
            )
        kind, separator = _KINDS[parts[-1]]
        return cls(kind=kind, separator=separator, compression=compression)
