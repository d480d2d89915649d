"""Reads delimited text record by record and has each judged."""

from __future__ import annotations

from collections.abc import Sequence

from mesh.validation.csv_cells import CsvGrammar, without_line_end
from mesh.validation.csv_faults import no_record, open_quote, shown_record, structure_faults
from mesh.validation.csv_header import Layout, read_header
from mesh.validation.csv_values import CellReader
from mesh.validation.fast_csv import CellQuestions, CsvExpressions, csv_expressions
from mesh.validation.faults import Fault
from mesh.validation.held import Judged
from mesh.validation.keys import KeyIndex
from mesh.validation.line_keys import csv_questions
from mesh.validation.lines import record_too_long
from mesh.validation.odd_cells import OddCells
from mesh.validation.plan import Plan
from mesh.validation.report import FileRefusedError, Limits
from mesh.validation.run_finders import FoundRuns
from mesh.validation.run_reader import RunReader
from mesh.validation.sentences import shown
from mesh.validation.tally import Tally


class CsvReader(RunReader[CsvExpressions]):
    """Takes blocks of text, cuts them into records, and tells the tally about each."""

    def __init__(
        self,
        plan: Plan,
        separator: str,
        tally: Tally,
        limits: Limits,
        keys: KeyIndex | None = None,
    ) -> None:
        super().__init__(plan, tally, limits, keys)
        self._grammar, self._secret = CsvGrammar(plan.dialect, separator), plan.sensitive
        self._layout: Layout | None = None
        self._cells: CellReader | None = None
        self._questions: CellQuestions | None = None
        self._odd_cells: OddCells | None = None
        if not plan.dialect.header:
            self._use(Layout.of_columns(plan))

    def feed(self, block: bytes, runs: FoundRuns | None = None) -> None:
        """Judge all records that end in what has come so far."""
        data = self._next(block, runs)
        self._rest = data[self._records(data, final=False) :]
        self._tell_held()
        if len(self._rest) > self._limits.record_bytes:
            raise self._too_long(self._rest)

    def finish(self) -> None:
        """Judge what the last line end has left."""
        self._runs = None
        self._records(self._rest, final=True)
        self._rest = b""
        if self._layout is None:
            raise no_record(only_blank=self._line > 1)

    def _records(self, data: bytes, *, final: bool) -> int:
        """Take all complete records of the data; returns where the incomplete one starts."""
        at, size, match = 0, len(data), self._grammar.record.match
        while at < size:
            if self._fast:
                at = self._run(data, at, size)
                if at == size:
                    break
            found = match(data, at)
            assert found
            end = found.end()
            if end < size and data[end] != 10:
                if not final:
                    return at
                raise self._open_quote()
            if end == size and not final:
                return at
            end += end < size
            self._take(data[at:end])
            at = end
        return at

    def _take(self, raw: bytes) -> None:
        if len(raw) > self._limits.record_bytes:
            raise self._too_long(raw)
        bare = without_line_end(raw)
        if self._layout is None:
            if bare:
                self._use(read_header(self._plan, self._grammar, bare))
                self._tally.header(raw)
            self._passed(raw)
        elif bare or len(self._layout.columns) == 1:
            self._record(raw)
        else:
            self._blank(raw)

    def _use(self, layout: Layout) -> None:
        self._layout = layout
        self._cells = CellReader(self._plan, layout)
        if not self._limits.fast or self._plan.looks_within:
            return
        kept = self._plan.compiled
        key = ("csv", layout, self._grammar.separator)
        if key not in kept:
            kept[key] = csv_expressions(self._plan, layout, self._grammar.separator)
        self._fast = kept[key]
        self._questions = CellQuestions(self._plan, self._grammar, self._cells)
        self._places = [
            layout.columns.index(key.fields[0])
            for key in self._keys.keys
            if key.fields[0] in layout.columns
        ]
        if self._fast and self._fast.lines and not self._fast.asked and not self._quality.fields:
            mark = self._grammar.separator.decode()
            self.key_questions = csv_questions(
                self._keys, self._places, self._cells, self._plan.dialect, mark
            )

    def _keys_of_run(self, data: bytes, start: int, stop: int) -> Sequence[Sequence[bytes | None]]:
        assert self._fast
        assert self._questions
        cells = self._fast.cells(data, start, stop)
        return [self._questions.keys(place, cells[place]) for place in self._places]

    def _repeated(self, line: bytes, firsts: Sequence[tuple[int, int]]) -> list[Fault]:
        assert self._cells
        cells = self._grammar.cells(without_line_end(line))
        faults = []
        for number, first in firsts:
            place = self._places[number]
            text = shown(self._cells.value(place, cells[place]))
            faults.append(self._keys.fault(self._keys.keys[number], text, first))
        return faults

    def _cut_out(self, data: bytes, start: int, stop: int) -> dict[int, list[Fault]]:
        assert self._fast
        if not self._fast.cut:
            return {}
        assert self._questions
        assert self._layout
        cells = self._fast.cells(data, start, stop)
        odd: dict[int, list[Fault]] = {}
        for position in self._fast.asked:
            bad = self._questions.unknown(position, cells[position])
            if bad:
                odd.update({i: [] for i, cell in enumerate(cells[position]) if cell in bad})
        for number, key in enumerate(self._keys.keys):
            if not set(key.fields) <= set(self._layout.columns):
                continue
            places = [self._layout.columns.index(name) for name in key.fields]
            parts = [self._questions.keys(place, cells[place]) for place in places]
            twice = self._keys.repeated(number, parts, self._tally.rows + 1)
            for i, first in twice.items():
                texts = (shown(self._questions.value(place, cells[place][i])) for place in places)
                odd.setdefault(i, []).append(self._keys.fault(key, ", ".join(texts), first))
        looked_at = self._quality.fields & set(self._layout.columns)
        if looked_at:
            positions = {name: self._layout.columns.index(name) for name in looked_at}
            self._quality.add(
                {
                    name: self._questions.values(place, cells[place])
                    for name, place in positions.items()
                }
            )
        return odd

    def _odd_parts(self) -> OddCells | None:
        if not self._fast:
            return None
        if self._odd_cells is None:
            assert self._layout
            assert self._cells
            self._odd_cells = OddCells(self._plan, self._layout, self._grammar, self._cells)
        return self._odd_cells

    def _whole(self, raw: bytes) -> Judged:
        assert self._cells
        assert self._layout
        bare = without_line_end(raw)
        cells = self._grammar.cells(bare)
        faults, record = structure_faults(self._judge, self._layout, bare, cells), None
        if not faults:
            record = self._cells.record(cells)
            faults = self._judge.faults(record, most=self._limits.violations_per_record)
        return Judged(raw=raw, record=record, faults=faults)

    def _shown(self, told: Judged) -> str:
        assert self._layout
        return shown_record(self._secret, self._layout, self._grammar, told.raw)

    def _open_quote(self) -> FileRefusedError:
        self._tell_held()
        return open_quote(self._tally.rows + 1, self._line)

    def _too_long(self, data: bytes) -> FileRefusedError:
        self._tell_held()
        found = self._grammar.record.match(data)
        if found and found.end() < len(data) and data[found.end()] != 10:
            return self._open_quote()
        return record_too_long(self._tally.rows + 1, self._line, self._limits)
