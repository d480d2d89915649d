"""What a validation says: values that a caller can store, show and count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mesh.validation.origins import Origin

MASK = "***"


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One reason why one record is refused.

    Attributes:
        row: Record number, from 1; a header is not counted.
        line: Physical line on which the record starts, from 1.
        byte_start: Offset of the record in the (decompressed) file.
        byte_end: Offset after the record and its line end.
        field: Path of the field (`amount`, `lines[2].sku`); empty for the record as a whole.
        rule: The JSON Schema keyword that failed, or one of `cells`, `quote`, `nul`, `json`,
            `duplicateKey`, `surrogate`, `unique`, `primaryKey`.
        path: JSON Pointer of the rule in the contract.
        value: What stands there, at most 256 characters, masked in sensitive fields; None when
            nothing stands there.
        message: A sentence for people.
        raw: Text of the record, at most 1,024 characters, sensitive fields masked.
        fix: What is to stand there instead, where that is certain; never of sensitive fields.
    """

    row: int
    line: int
    byte_start: int
    byte_end: int
    field: str
    rule: str
    path: str
    value: str | None
    message: str
    raw: str
    fix: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FileProblem:
    """Why a file cannot be judged, or not further.

    Attributes:
        rule: Stable name: `format`, `compression`, `encoding`, `empty`, `header`, `columns`,
            `separator`, `openQuote`, `recordSize`, `jsonArray`, `json`, `parquet`, `avro`, `xlsx`,
            `encrypted`, `fileSize`, `sheet`, `quality`.
        message: What is wrong and where, in one sentence.
        remedy: What to do about it.
    """

    rule: str
    message: str
    remedy: str


class FileRefusedError(Exception):
    """Carries the problem that ends the reading of a file; never leaves this package."""

    def __init__(self, rule: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.problem = FileProblem(rule=rule, message=message, remedy=remedy)


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectedRecord:
    """A bad record, and all that is wrong with it.

    Attributes:
        raw: Of text and JSON arrays, its bytes as they came; of other formats, a line of JSON.
        origin: The row as its file held it; None for text.
    """

    row: int
    raw: bytes
    violations: tuple[Violation, ...]
    origin: Origin | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationReport:
    """The verdict on one file and what it rests on.

    Attributes:
        verdict: By the contract's acceptance.
        rows: Records seen; after a file problem, those before it.
        accepted: Records without a violation.
        rejected: Records with at least one.
        violations: All violations; a record may have several.
        by_rule: How many violations each rule has, most frequent first.
        by_field: How many violations each field has, most frequent first.
        sample: The first violations, at most `Limits.sample`.
        problems: Why the file as a whole is refused.
        warnings: Quality rules of lesser severity that were broken.
        byte_size: Of the (decompressed) file, as far as it was read.
    """

    verdict: Literal["accepted", "rejected"]
    rows: int
    accepted: int
    rejected: int
    violations: int
    by_rule: Mapping[str, int]
    by_field: Mapping[str, int]
    sample: tuple[Violation, ...]
    problems: tuple[FileProblem, ...]
    warnings: tuple[FileProblem, ...] = ()
    byte_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds that keep memory flat whatever the file holds.

    Attributes:
        record_bytes: Longest record.
        sample: Most violations kept in the report; the sink is given all of them.
        violations_per_record: Most violations told of one record.
        fields_counted: Most distinct fields in `ValidationReport.by_field`.
        fast: Whether the fast path may be taken; without it the reference judges every record.
        helpers: How many threads or processes look for good records in a large file, beside the
            one that judges; None for as many as there are processors.
        lines: Whether polars, where it is installed, does that in threads; else processes do.
        large: From how many bytes on (decompressed) a file is large; where polars is loaded
            already, from its second block on.
        block_bytes: How much of a text is looked at at a time.
    """

    record_bytes: int = 4 << 20
    sample: int = 100
    violations_per_record: int = 100
    fields_counted: int = 1000
    fast: bool = True
    helpers: int | None = None
    lines: bool = True
    large: int = 8 << 20
    block_bytes: int = 1 << 20


class ColumnRows(Protocol):
    """Good records that came as columns.

    Attributes:
        count: How many.
        size: Bytes that they have in memory, about.
    """

    count: int
    size: int

    def batch(self) -> Any:
        """As one Arrow record batch, typed as the file says."""

    def lines(self) -> bytes:
        """As JSON Lines."""


class Sink(Protocol):
    """Where the records go: the good ones, and the bad ones, in the order of the file."""

    def header(self, data: bytes) -> None:
        """The header with its line end, as it came; at most once, before any record."""

    def accepted(self, data: bytes) -> None:
        """One or more good records with their line ends, as they came."""

    def accepted_columns(self, rows: ColumnRows) -> None:
        """The same of a file of columns."""

    def rejected(self, record: RejectedRecord) -> None:
        """One bad record."""
