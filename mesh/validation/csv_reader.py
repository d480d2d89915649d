"""Reads delimited text record by record and has each judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from mesh.validation.csv_cells import CsvGrammar, without_line_end
from mesh.validation.csv_faults import no_record, open_quote, shown_record, structure_faults
from mesh.validation.csv_header import Layout, read_header
from mesh.validation.csv_values import CellReader
from mesh.validation.fast_csv import CellQuestions, CsvExpressions, csv_expressions
from mesh.validation.faults import Fault
from mesh.validation.held import Held, Judged, Repeated, held_block
from mesh.validation.judge import Judge
from mesh.validation.keys import KeyIndex
from mesh.validation.line_keys import KeyQuestion, csv_questions
from mesh.validation.lines import before_long, marked, record_too_long
from mesh.validation.plan import Plan
from mesh.validation.report import FileRefusedError, Limits
from mesh.validation.run_finders import FoundRuns
from mesh.validation.sentences import shown
from mesh.validation.tally import Tally


class CsvReader:
    """Takes blocks of text, cuts them into records, and tells the tally about each.

    Attributes:
        key_questions: Keys whose digests spare the cutting out of runs.
    """

    def __init__(
        self,
        plan: Plan,
        separator: str,
        tally: Tally,
        limits: Limits,
        keys: KeyIndex | None = None,
    ) -> None:
        self._plan, self._tally, self._limits = plan, tally, limits
        self._grammar = CsvGrammar(plan.dialect, separator)
        self._rest = b""
        self._runs: FoundRuns | None = None
        self._before = 0
        self._offset = 0
        self._line = 1
        self._started = False
        self._layout: Layout | None = None
        self._cells: CellReader | None = None
        self._judge: Judge | None = None
        self._keys = keys or KeyIndex(plan)
        self._quality = tally.quality
        self._fast: CsvExpressions | None = None
        self._questions: CellQuestions | None = None
        self.key_questions: tuple[KeyQuestion, ...] = ()
        self._held: Held | None = None
        if not plan.dialect.header:
            self._use(Layout.of_columns(plan))

    @property
    def expressions(self) -> CsvExpressions | None:
        """What finds runs of good records, once that is known."""
        return self._fast

    def feed(self, block: bytes, runs: FoundRuns | None = None) -> None:
        """Judge all records that end in what has come so far."""
        if not self._started and block:
            self._started = True
            if block.startswith(b"\xef\xbb\xbf"):
                block, runs = block[3:], None
                self._offset = 3
        self._runs, self._before = runs, len(self._rest)
        data = self._rest + block if self._rest else block
        self._held = held_block(self._keys, self._fast, self.key_questions, runs)
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
                at = self._run(data, at)
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
        if bare or (self._layout and len(self._layout.columns) == 1):
            if self._layout is None:
                self._use(read_header(self._plan, self._grammar, bare))
                self._tally.header(raw)
                self._passed(raw)
            else:
                self._record(raw, bare)
        elif self._held:
            self._held.records(0, (), partial(self._blank, raw))
        else:
            self._blank(raw)

    def _blank(self, raw: bytes, _: Repeated | None = None) -> None:
        if self._layout is not None:
            self._tally.blank(raw)
        self._passed(raw)

    def _tell_held(self) -> None:
        held, self._held = self._held, None
        if held:
            held.tell(self._tally.rows + 1)

    def _passed(self, raw: bytes) -> None:
        self._offset += len(raw)
        self._line += raw.count(b"\n")

    def _use(self, layout: Layout) -> None:
        self._layout = layout
        self._cells = CellReader(self._plan, layout)
        if not self._limits.fast:
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

    def _run(self, data: bytes, at: int) -> int:
        """Take the good records that follow each other; returns where they end."""
        assert self._fast
        end, known = self._end_of_run(data, at, len(data))
        if end - at > self._limits.record_bytes:
            end = before_long(data, at, end, self._limits.record_bytes)
        if end == at:
            return end
        if not self._held:
            self._tell_run(data, at, end, self._cut_out(data, at, end) if self._fast.cut else {})
        elif known:
            tell = partial(self._tell_held_run, data, at, end)
            self._held.run(at - self._before, end - self._before, tell)
        else:
            cells = self._fast.cells(data, at, end)
            assert self._questions
            parts = [self._questions.keys(place, cells[place]) for place in self._places]
            tell = partial(self._tell_held_run, data, at, end)
            self._held.records(len(parts[0]), parts, tell)
        return end

    def _tell_run(self, data: bytes, at: int, end: int, odd: Mapping[int, Sequence[Fault]]) -> None:
        """Tell of a run; of its odd records (by number within it) what their keys are."""
        for index, start, stop in marked(data, at, end, sorted(odd)):
            if index is None:
                self._good(data, start, stop)
            else:
                raw = data[start:stop]
                self._record(raw, without_line_end(raw), odd[index])

    def _tell_held_run(self, data: bytes, at: int, end: int, repeated: Repeated) -> None:
        assert self._cells
        odd: dict[int, list[Fault]] = {}
        lines = data[at:end].split(b"\n") if repeated else []
        for index, firsts in repeated.items():
            cells = self._grammar.cells(without_line_end(lines[index]))
            for number, first in firsts:
                place = self._places[number]
                text, key = shown(self._cells.value(place, cells[place])), self._keys.keys[number]
                odd.setdefault(index, []).append(self._keys.fault(key, text, first))
        self._tell_run(data, at, end, odd)

    def _end_of_run(self, data: bytes, at: int, stop: int) -> tuple[int, bool]:
        """Where the run ends, and whether it was found already."""
        assert self._fast
        if self._runs and self._runs.expression is self._fast.run and at >= self._before:
            known = self._runs.end(at - self._before)
            if known is not None:
                return min(self._before + known, stop), True
            later = self._runs.next(at - self._before)
            stop = stop if later is None else min(self._before + later, stop)
        found = self._fast.run.match(data, at, stop)
        assert found
        return found.end(), False

    def _good(self, data: bytes, start: int, stop: int) -> None:
        lines = data.count(b"\n", start, stop)
        whole = start == 0 and stop == len(data)
        self._tally.good(data if whole else data[start:stop], lines)
        self._offset += stop - start
        self._line += lines

    def _cut_out(self, data: bytes, start: int, stop: int) -> dict[int, list[Fault]]:
        """Records of a run (by number within it) that are not good after all, and their keys."""
        assert self._fast
        assert self._fast.cut
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

    def _record(self, raw: bytes, bare: bytes, known: Sequence[Fault] | None = None) -> None:
        """Judge one record; `known` are faults of its keys, when those were looked at before."""
        assert self._cells
        assert self._layout
        if self._judge is None:
            self._judge = Judge(self._plan, fast=self._limits.fast)
        cells = self._grammar.cells(bare)
        faults, record = structure_faults(self._judge, self._layout, bare, cells), None
        if not faults:
            record = self._cells.record(cells)
            faults = self._judge.faults(record, most=self._limits.violations_per_record)
        told = Judged(raw=raw, cells=cells, record=record, faults=faults)
        if known is not None:
            self._tell(told, known if record is not None else ())
        elif self._held:
            parts = [None] * len(self._keys.keys) if record is None else self._keys.parts(record)
            self._held.records(1, [[part] for part in parts], partial(self._tell_held_one, told))
        elif record is None:
            self._tell(told, ())
        else:
            self._quality.add({name: [record.get(name)] for name in self._quality.fields})
            self._tell(told, self._keys.faults(record, self._tally.rows + 1))

    def _tell_held_one(self, told: Judged, repeated: Repeated) -> None:
        firsts = repeated.get(0, ())
        self._tell(told, [self._keys.fault_of(told.record, *first) for first in firsts])

    def _tell(self, told: Judged, known: Sequence[Fault]) -> None:
        faults, raw = [*told.faults, *known], told.raw
        if faults:
            assert self._layout
            text = shown_record(self._plan, self._layout, self._grammar, told)
            self._tally.bad(raw, line=self._line, start=self._offset, text=text, faults=faults)
        else:
            self._tally.good(raw, 1)
        self._passed(raw)

    def _open_quote(self) -> FileRefusedError:
        self._tell_held()
        return open_quote(self._tally.rows + 1, self._line)

    def _too_long(self, data: bytes) -> FileRefusedError:
        self._tell_held()
        found = self._grammar.record.match(data)
        if found and found.end() < len(data) and data[found.end()] != 10:
            return self._open_quote()
        return record_too_long(self._tally.rows + 1, self._line, self._limits)
