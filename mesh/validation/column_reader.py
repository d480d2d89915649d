"""Judges the rows of typed columns: all at once where that is certain, the others one by one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mesh.validation.arrow_text import batch_lines, column_texts
from mesh.validation.beside import ahead
from mesh.validation.column_blocks import ColumnBlock, ParquetColumns, is_known
from mesh.validation.column_keys import column_keys
from mesh.validation.column_questions import ColumnQuestions
from mesh.validation.column_rules import column_rule, total
from mesh.validation.fast_csv import is_plain
from mesh.validation.json_values import parse_json
from mesh.validation.line_judges import FirstRows, LineJudges
from mesh.validation.origins import ParquetRows
from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.plan import Plan
from mesh.validation.record_lines import PlacedTally, RecordLines
from mesh.validation.report import FileRefusedError, Limits

if TYPE_CHECKING:
    import polars as pl

    from mesh.validation.seen_runs import Numbers

_AT_ONCE = 1 << 13


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Answers:
    """What can be told of a block without the blocks before it.

    Attributes:
        good: Of each column, by its position, which values are.
        size: Bytes that the JSON of a row has at most.
        keys: Of each key, what `ColumnKey.digests` says.
    """

    good: pl.DataFrame
    size: int
    keys: Sequence[tuple[Numbers, Numbers]]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Rules:
    """What is looked at in blocks of the same types.

    Attributes:
        good: One rule per column that has one, by its name in the frame.
        size: Bytes that the JSON of these columns has at most.
    """

    good: Mapping[str, pl.Expr]
    size: pl.Expr


class GoodRows:
    """Good rows of one block (`mesh.validation.report.ColumnRows`)."""

    def __init__(self, block: ColumnBlock, names: Sequence[str], good: pl.Series) -> None:
        self.count = int(good.sum())
        self.size = block.batch.nbytes * self.count // max(block.rows, 1)
        self._block, self._names = block, names
        self._good = None if self.count == block.rows else good

    def batch(self) -> Any:
        return self._block.taken(self._good)

    def lines(self) -> bytes:
        return batch_lines(self.batch(), self._names)


class ColumnReader:
    """Reads the rows of a file block by block and tells the tally about each.

    What the rules say of a block is found out beside, while the block before it is judged.

    A row that the rules do not accept, and one whose key an earlier row has, is judged as the line
    of JSON that it is: `JsonLinesReader` says what is wrong with it, if anything.
    """

    def __init__(
        self,
        plan: Plan,
        columns: ParquetColumns,
        codec: Callable[[], str],
        tally: PlacedTally,
        limits: Limits,
    ) -> None:
        names = columns.names
        self._plan, self._names, self._codec = plan, names, codec
        self._columns = columns
        self._keys = column_keys(_remembered(plan, columns))
        self._tally, self._limits = tally, limits
        self._judges = LineJudges(plan, names, tally, limits)
        self._schemas = {column.name: column.schema for column in plan.columns}
        self._rules: dict[tuple[tuple[str, pl.DataType], ...], _Rules] = {}
        self._questions: dict[int, ColumnQuestions] = {}
        self._fixed = sum(len(json.dumps(name)) + 4 for name in names) + 2

    def judge(self) -> None:
        """Judge all rows.

        Raises:
            FileRefusedError: One of them is longer than a record may be.
        """
        with ahead(self._answered()) as blocks:
            for block, answers in blocks:
                self._feed(block, answers)

    def _answered(self) -> Generator[tuple[ColumnBlock, _Answers], None, None]:
        for block in self._columns.blocks():
            good, size = self._answers(block)
            keys = [key.digests(block) for key in self._keys]
            yield block, _Answers(good=good, size=size, keys=keys)

    def _feed(self, block: ColumnBlock, answers: _Answers) -> None:
        """Judge the rows of a block."""
        import polars as pl

        first = self._tally.rows
        repeated = self._repeated(answers, first)
        good = self._accepted(answers, repeated)
        problem: FileRefusedError | None = None
        with self._tally.apart() as refused:
            try:
                self._ask(block, good, answers, repeated)
                self._tally.rows = first + block.rows
            except FileRefusedError as error:
                problem = error
        kept = pl.int_range(block.rows, eager=True) < self._tally.rows - first
        if self._tally.quality.fields:
            self._count(block, good & kept)
        if refused:
            kept = kept.scatter([row - first - 1 for row in refused], values=False)
        rows = GoodRows(block, self._names, kept)
        if rows.count:
            self._tally.columns(rows)
        if problem:
            raise problem

    def _answers(self, block: ColumnBlock) -> tuple[pl.DataFrame, int]:
        """Of each column, which values are good; and how long a row's JSON is at most."""
        import polars as pl

        plain = block.plain()
        told, size = self._ruled(block.frame(plain)) if plain else (pl.DataFrame(), 0)
        answers = told.get_columns()
        for place in range(len(self._names)):
            if str(place) not in told.columns:
                answer, longest = self._asked(place, block.batch.column(place))
                answers.append(answer.alias(str(place)))
                size += longest
        return pl.DataFrame(answers), size + self._fixed

    def _ruled(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """What rules say of the columns that have one, and the bytes of a row at most."""
        import polars as pl

        rules = self._rules_of(frame)
        if not rules.good:
            return pl.DataFrame(), 0
        told = frame.select(
            *(rule.fill_null(value=False).alias(place) for place, rule in rules.good.items()),
            size=rules.size.max().fill_null(0),
            row=pl.int_range(pl.len()),  # a rule may say the same of all rows
        )
        size = told.item(0, "size") if told.height else 0
        return told.drop("size", "row"), size

    def _asked(self, place: int, column: Any) -> tuple[pl.Series, int]:
        """Which values of a column without a rule are good; each distinct one is looked at once."""
        import polars as pl
        import pyarrow as pa
        from pyarrow import types

        if not types.is_dictionary(column.type):
            return self._question(place).answers(column_texts(column))
        values = pa.concat_arrays([column.dictionary, pa.nulls(1, column.type.value_type)])
        told, longest = pl.DataFrame(), 0
        if is_known(values.type):
            frame = pl.DataFrame([pl.Series(str(place), values)])
            told, longest = self._ruled(frame)
        if told.width:
            good = told.to_series()
        else:
            good, longest = self._question(place).answers(column_texts(values))
        if good.all():
            return pl.repeat(value=True, n=len(column), eager=True), longest
        codes = pl.Series(column.indices).cast(pl.UInt32).fill_null(len(values) - 1)
        return good.gather(codes), longest

    def _repeated(self, answers: _Answers, before: int) -> Mapping[int, FirstRows]:
        """Of each position with keys that earlier rows have, what these are.

        Args:
            answers: About the block.
            before: How many rows stand before it.
        """
        found: dict[int, FirstRows] = {}
        for key, told in zip(self._keys, answers.keys, strict=True):
            for position, first in key.first_rows(*told, before + 1).items():
                found[position] = (*found.get(position, ()), (key.number, first))
        return found

    def _accepted(self, answers: _Answers, repeated: Mapping[int, FirstRows]) -> pl.Series:
        """Which rows are good in all columns, and have keys that no earlier row has."""
        import polars as pl

        places = [str(place) for place in range(len(self._names))]
        good = answers.good.select(pl.all_horizontal(places)).to_series()
        if answers.size > self._limits.record_bytes:
            good &= False  # a line may be too long: each has to be measured
        return good.scatter(list(repeated), values=False) if repeated else good

    def _ask(
        self,
        block: ColumnBlock,
        good: pl.Series,
        answers: _Answers,
        repeated: Mapping[int, FirstRows],
    ) -> None:
        """Have the rows judged that are not sure to be good; `rows` of the tally goes with them."""
        places, first = [str(place) for place in range(len(self._names))], self._tally.rows
        for part in (~good).arg_true().to_frame().iter_slices(_AT_ONCE):
            numbers = part.to_series()
            batch = block.taken(numbers)
            origin = ParquetRows(batch=batch, codec=self._codec())
            lines = batch_lines(batch, self._names).split(b"\n")[:-1]
            told = answers.good[numbers].select(places).rows()
            for index, number in enumerate(numbers.to_list()):
                self._tally.rows = first + number
                self._tally.place(RecordLines(data=b"", origin=origin), index)
                line = lines[index] + b"\n"
                self._judges.judge(line, told[index], repeated.get(number, ()))

    def _count(self, block: ColumnBlock, good: pl.Series) -> None:
        """Count good rows for the quality rules, as `JsonLinesReader` does for the others."""
        batch = block.taken(good)
        counted = {}
        for name in self._tally.quality.fields & set(self._names):
            texts = column_texts(batch.column(self._names.index(name))).to_pylist()
            told = {text: parse_json(text) for text in set(texts)}
            counted[name] = [told[text] for text in texts]
        self._tally.quality.add(counted)

    def _question(self, place: int) -> ColumnQuestions:
        if place not in self._questions:
            schema = self._schemas.get(self._names[place], True)
            self._questions[place] = ColumnQuestions(schema, self._plan.record)
        return self._questions[place]

    def _rules_of(self, frame: pl.DataFrame) -> _Rules:
        key = tuple(frame.schema.items())
        if key not in self._rules:
            self._rules[key] = self._compiled(frame)
        return self._rules[key]

    def _compiled(self, frame: pl.DataFrame) -> _Rules:
        import polars as pl

        good: dict[str, pl.Expr] = {}
        sizes: list[pl.Expr | int] = []
        for name, kind in frame.schema.items():
            schema = self._schemas.get(self._names[int(name)], True)
            with suppress(BeyondSubsetError):
                rule = column_rule(schema, self._plan.record, kind, pl.col(name))
                good[name] = rule.good
                sizes.append(rule.size)
        return _Rules(good=good, size=total(sizes))


def can_judge(plan: Plan, columns: ParquetColumns) -> bool:
    """Whether rows can be judged by their columns.

    Not where a rule spans fields, rows cannot be taken apart, a key has no hash or stands within a
    field, or keys have to be looked up elsewhere.
    """
    looked_up = plan.looks_within or any(key.path in plan.references for key in plan.keys)
    hashed = all(map(columns.can_be_hashed, _remembered(plan, columns).values()))
    apart = columns.can_be_taken and is_plain(plan)
    return bool(columns.names) and apart and hashed and not looked_up


def _remembered(plan: Plan, columns: ParquetColumns) -> dict[int, list[int]]:
    """The positions of keys that no two rows may share, by the numbers of the keys."""
    found = {
        number: columns.places(key)
        for number, key in enumerate(plan.keys)
        if key.rule != "relationship"
    }
    return {number: places for number, places in found.items() if places is not None}
