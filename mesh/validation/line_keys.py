"""Digests of the keys that lines hold, made where the lines are matched.

Only of keys that stand plainly in a line: a text without quotes or escapes, a whole number. A
block in which a good line holds its key in another way has no digests, and its keys are cut out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mesh.model.contract_profile import Dialect
from mesh.validation.csv_values import CellReader
from mesh.validation.keys import KeyIndex
from mesh.validation.plan import Plan
from mesh.validation.seen_digests import DigestSeeds
from mesh.validation.types import json_types

if TYPE_CHECKING:
    import polars as pl

LONGEST = 63
"""Bytes of a key that has a digest of its own; see `mesh.validation.seen`."""
_PLAIN = re.compile(r"[A-Za-z0-9_]+")
_WHOLE = r"-?[1-9][0-9]{0,17}|0"


@dataclass(frozen=True, kw_only=True, slots=True)
class CsvKey:
    """A cell of a delimited line.

    Attributes:
        position: Of its column.
        count: How many columns there are.
        nulls: Texts that stand for null.
    """

    position: int
    count: int
    separator: str
    quote: str
    nulls: Collection[str]
    kind: Literal["text", "number"]

    def cell(self) -> tuple[pl.Expr, pl.Expr]:
        """The cell, and whether it stands there plainly."""
        import polars as pl

        line = pl.col("line")
        if self.position == self.count - 1:  # where line ends are mixed, half of one may be left
            line = line.str.strip_suffix("\r")
        if self.count == 1:
            cell, end = line, line.str.len_bytes()
        elif self.position == 0:
            end = line.str.find(self.separator, literal=True)
            cell = line.str.head(end)
        else:
            parts = line.str.splitn(self.separator, self.position + 2).struct
            cells = [parts.field(f"field_{place}") for place in range(self.position + 1)]
            cell = cells[-1]
            end = pl.sum_horizontal(each.str.len_bytes() + 1 for each in cells) - 1
        plain = ~cell.is_in([*self.nulls, ""])
        if self.position == 0:
            plain &= cell.str.len_bytes() == end  # characters are not bytes everywhere
        if self.quote:
            quote = line.str.find(self.quote, literal=True)
            plain &= quote.is_null() | (quote >= end)
        if self.kind == "number":
            plain &= cell.str.contains(rf"\A(?:{_WHOLE})\z")
        return cell, plain


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonKey:
    """A member of a flat object."""

    name: str
    kind: Literal["text", "number"]

    def cell(self) -> tuple[pl.Expr, pl.Expr]:
        """The value as it is written, without quotes, and whether it stands there plainly."""
        import polars as pl

        line = pl.col("line")
        if self.kind == "number":
            cell = line.str.extract(rf'"{self.name}": ?({_WHOLE})[,}}]', 1)
            return cell, cell.is_not_null()
        rest = line.str.slice(len(self.name) + 6)
        end = rest.str.find('"', literal=True)
        cell = rest.str.head(end)
        plain = line.str.starts_with(f'{{"{self.name}": "') & (cell.str.len_bytes() == end)
        return cell, plain & (end > 0) & ~cell.str.contains("\\", literal=True)


LineKey = CsvKey | JsonKey


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyQuestion:
    """A key whose digests are wanted."""

    key: LineKey
    seeds: DigestSeeds

    def digests(self, lines: pl.DataFrame, good: pl.Series) -> pl.DataFrame | None:
        """`high` and `low` for each line; None when a good line's key does not stand plainly."""
        import polars as pl

        cell, plain = self.key.cell()
        plain &= cell.str.len_bytes() <= LONGEST
        seeds = self.seeds.text if self.key.kind == "text" else self.seeds.other
        high, low = DigestSeeds.of(cell.cast(pl.Binary), seeds)
        found = lines.select(high=high, low=low, plain=plain.fill_null(value=False))
        if (good & ~found["plain"]).any():
            return None
        return found.select("high", "low")


def csv_questions(
    keys: KeyIndex, places: Sequence[int], cells: CellReader, dialect: Dialect, separator: str
) -> tuple[KeyQuestion, ...]:
    """The questions for a file of this layout; none when some key needs to be cut out."""
    columns = [cells.column(place) for place in places]
    readings = [column.reading for column in columns if column]
    told = len(places) == len(keys.keys) and len(readings) == len(places)
    if not keys.of_single_fields or not told or set(readings) - {"text", "number"}:
        return ()
    return tuple(
        KeyQuestion(
            key=CsvKey(
                position=place,
                count=cells.width,
                separator=separator,
                quote=dialect.quote or "",
                nulls=dialect.null_tokens,
                kind="text" if reading == "text" else "number",
            ),
            seeds=keys.seen(number).seeds,
        )
        for number, (place, reading) in enumerate(zip(places, readings, strict=True))
    )


def json_questions(keys: KeyIndex, plan: Plan) -> tuple[KeyQuestion, ...]:
    """The questions for flat records; none when some key needs to be cut out."""
    schemas = {column.name: column.schema for column in plan.columns}
    if not keys.of_single_fields:
        return ()
    found = []
    for number, key in enumerate(keys.keys):
        types = json_types(schemas.get(key.fields[0]), plan.record) - {"null"}
        name = key.fields[0]
        if types not in ({"string"}, {"integer"}) or not _PLAIN.fullmatch(name):
            return ()
        kind: Literal["text", "number"] = "text" if types == {"string"} else "number"
        question = KeyQuestion(key=JsonKey(name=name, kind=kind), seeds=keys.seen(number).seeds)
        found.append(question)
    return tuple(found)
