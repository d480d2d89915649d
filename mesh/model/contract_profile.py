"""How the files of a contract are written, and how many bad rows they may hold.

ODCS has no words for the separator or the null token of a CSV file, nor for what to do with a
file of which a few rows are bad, nor for how a relationship is checked. These stand in custom
properties: see `docs/contract-profile.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

DIALECT = "fileDialect"
ACCEPTANCE = "fileAcceptance"
REFERENCE = "referenceCheck"
VENDOR = "mvmesh"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How a delimited text file is written; the defaults are RFC 4180 in UTF-8.

    Attributes:
        separator: One character between cells; None takes the one usual for the file's format.
        quote: The character around cells that hold separators or line ends; None: no quoting.
        escape: A character that takes away the meaning of the next one; None: a quote within
            quotes is doubled.
        header: Whether the first record names the columns; without it they come in the order of
            the contract.
        null_tokens: Unquoted cells that mean null; the empty cell always does.
        quoted_empty: What a quoted empty cell means.
        true_tokens: Cells that mean true in a boolean field.
        false_tokens: Cells that mean false in a boolean field.
        encoding: IANA name of the text encoding.
        decimal_mark: The character between whole and fraction.
        compression: How the file is compressed; None tells by its name.
        trailing_columns: What to do with cells beyond the last column, and with columns that the
            contract does not know.
        sheet: Name of the sheet of a workbook; None: the first one.
    """

    separator: str | None = None
    quote: str | None = '"'
    escape: str | None = None
    header: bool = True
    null_tokens: tuple[str, ...] = ()
    quoted_empty: Literal["null", "string"] = "null"
    true_tokens: tuple[str, ...] = ("true",)
    false_tokens: tuple[str, ...] = ("false",)
    encoding: str = "utf-8"
    decimal_mark: Literal[".", ","] = "."
    compression: Literal["none", "gzip", "zstd"] | None = None
    trailing_columns: Literal["refuse", "ignore"] = "refuse"
    sheet: str | None = None

    @classmethod
    def from_profile(cls, values: Mapping[str, Any]) -> Dialect:
        """The dialect that the merged `fileDialect` properties describe."""
        known = {field.name for field in fields(cls)}
        given = {_snake(name): _frozen(value) for name, value in values.items()}
        return cls(**{name: value for name, value in given.items() if name in known})


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """When a file with bad rows is taken: never, or while their share is small enough.

    Attributes:
        mode: `allOrNothing`: one bad row rejects the file. `split`: good rows are published.
        max_rejected_share: With `split`, the largest share of bad rows (0 to 1) that is taken.
    """

    mode: Literal["allOrNothing", "split"] = "allOrNothing"
    max_rejected_share: float = 0.0

    @classmethod
    def from_profile(cls, values: Mapping[str, Any]) -> Acceptance:
        """The acceptance that the merged `fileAcceptance` properties describe."""
        return cls(
            mode=values.get("mode", "allOrNothing"),
            max_rejected_share=float(values.get("maxRejectedShare", 0)),
        )

    def admits(self, *, rows: int, rejected: int) -> bool:
        """Whether a file of so many rows, so many of them bad, is accepted."""
        if not rejected:
            return True
        return self.mode == "split" and rejected <= self.max_rejected_share * rows


RFC_4180 = Dialect()
ALL_OR_NOTHING = Acceptance()


def custom_value(element: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The mapping a custom property of this profile holds; empty when the element has none."""
    for entry in element.get("customProperties") or ():
        if is_profile_property(entry, name) and isinstance(entry.get("value"), Mapping):
            value = entry["value"]
            assert isinstance(value, Mapping)
            return value
    return {}


def is_profile_property(entry: object, name: str) -> bool:
    """Whether a custom property is this profile's; another vendor may use the same name."""
    return (
        isinstance(entry, Mapping)
        and entry.get("property") == name
        and entry.get("vendor", VENDOR) == VENDOR
    )


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
