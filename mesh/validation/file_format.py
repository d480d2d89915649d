"""Which formats a file can have, told by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mesh.validation.report import FileProblem

Kind = Literal["csv", "jsonl", "json", "parquet", "avro", "xlsx"]
_KINDS: dict[str, tuple[Kind, str | None]] = {
    "csv": ("csv", ","),
    "tsv": ("csv", "\t"),
    "tab": ("csv", "\t"),
    "jsonl": ("jsonl", None),
    "ndjson": ("jsonl", None),
    "json": ("json", None),
    "parquet": ("parquet", None),
    "avro": ("avro", None),
    "xlsx": ("xlsx", None),
}
_COMPRESSIONS: dict[str, Literal["gzip", "zstd"]] = {"gz": "gzip", "zst": "zstd"}
_UNPACK = "Compress the file with gzip or zstd instead, and name it so: rows.csv.gz, rows.csv.zst."
_REMEDIES = {
    "xls": "Save the workbook as .xlsx, or as .csv.",
    "xlsm": "Save the workbook as .xlsx, or as .csv.",
    "xlsb": "Save the workbook as .xlsx, or as .csv.",
    "txt": "Name delimited text .csv, or .tsv if tabs separate its cells; .gz or .zst may follow.",
} | dict.fromkeys(("zip", "bz2", "xz", "7z", "tgz", "tar", "rar", "lz4"), _UNPACK)
SUPPORTED = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".avro", ".xlsx")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFormat:
    """How the records of a file are laid out.

    Attributes:
        kind: `csv` (delimited text of any separator), `jsonl` (one JSON object per line), `json`
            (one array of objects), `parquet`, `avro` (object container file) or `xlsx`.
        separator: The usual one of the format; a contract's dialect goes before it.
        compression: As the name tells it.
    """

    kind: Kind
    separator: str | None = None
    compression: Literal["none", "gzip", "zstd"] = "none"

    @property
    def records_kind(self) -> Literal["csv", "jsonl"]:
        """How single records of the file are passed on: all but delimited text as JSON Lines."""
        return "csv" if self.kind == "csv" else "jsonl"

    def records_name(self, name: str) -> str:
        """What a file of records of a file of this name is called."""
        for compression in _COMPRESSIONS:
            name = name.removesuffix(f".{compression}")
        if self.kind in {"csv", "jsonl"}:
            return name
        return f"{name.rpartition('.')[0]}.jsonl"

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
            usual = f"Name the file by its format: {', '.join(SUPPORTED)}; .gz or .zst may follow."
            return FileProblem(
                rule="format",
                message=f"The format of {base!r} cannot be told by its name ({ending}).",
                remedy=_REMEDIES.get(parts[-1], usual),
            )
        kind, separator = _KINDS[parts[-1]]
        return cls(kind=kind, separator=separator, compression=compression)
