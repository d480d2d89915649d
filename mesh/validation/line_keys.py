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

    from mesh.validation.seen_runs import Numbers

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

    def cut(self, lines: pl.DataFrame) -> pl.DataFrame:
        """The `cell` of each line, and whether it stands there `plain`."""
        import polars as pl

        line, cell = pl.col("line"), pl.col("cell")
        if self.position == self.count - 1:
            line = line.str.strip_suffix("\n").str.strip_suffix("\r")
        if self.position == 0 < self.count - 1:
            ends = lines.with_columns(end=line.str.find(self.separator, literal=True))
            cut = ends.select(pl.col("end"), cell=line.str.head(pl.col("end")))
            # Characters are not bytes everywhere.
            plain = cell.str.len_bytes() == pl.col("end")
            cells = [cell]
        else:
            parts = line.str.splitn(self.separator, self.position + 2).struct
            names = [f"field_{place}" for place in range(self.position)]
            cut = lines.select(
                *map(parts.field, names), parts.field(f"field_{self.position}").alias("cell")
            )
            plain = cell.is_not_null()
            cells = [*map(pl.col, names), cell]
        if self.quote:
            for each in cells:
                plain &= ~each.str.starts_with(self.quote)
        if self.kind == "number":
            plain &= cell.str.contains(rf"\A(?:{_WHOLE})\z")
        plain &= ~cell.is_in([*self.nulls, ""])
        return cut.select(cell, plain=plain)


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonKey:
    """A member of a flat object."""

    name: str
    kind: Literal["text", "number"]

    def cut(self, lines: pl.DataFrame) -> pl.DataFrame:
        """The `cell` of each line, without quotes, and whether it stands there `plain`."""
        import polars as pl

        line, cell, end = pl.col("line"), pl.col("cell"), pl.col("end")
        if self.kind == "number":
            number = line.str.extract(rf'"{self.name}": ?({_WHOLE})[,}}]', 1)
            return lines.select(cell=number).with_columns(plain=cell.is_not_null())
        before = f'{{"{self.name}": "'
        rests = lines.select("line", rest=line.str.slice(len(before)))
        ends = rests.with_columns(end=pl.col("rest").str.find('"', literal=True))
        cut = ends.select(line, end, cell=pl.col("rest").str.head(end))
        plain = line.str.starts_with(before) & (cell.str.len_bytes() == end) & (end > 0)
        return cut.select(cell, plain=plain & ~cell.str.contains("\\", literal=True))


LineKey = CsvKey | JsonKey


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyQuestion:
    """A key whose digests are wanted."""

    key: LineKey
    seeds: DigestSeeds

    def digests(self, lines: pl.DataFrame, good: pl.Series) -> Numbers | None:
        """The digest of each line; None when a good line's key does not stand plainly."""
        import polars as pl

        cell = pl.col("cell")
        cut = self.key.cut(lines)
        plain = pl.col("plain") & (cell.str.len_bytes() <= LONGEST)
        if (good & ~cut.select(plain.fill_null(value=False)).to_series()).any():
            return None
        seeds = self.seeds.text if self.key.kind == "text" else self.seeds.other
        return DigestSeeds.of(cut, cell.cast(pl.Binary), seeds)


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
