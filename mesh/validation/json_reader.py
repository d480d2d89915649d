"""Reads JSON Lines record by record and has each judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mesh.validation.fast_json import JsonExpressions, RunValues, json_expressions
from mesh.validation.faults import Fault
from mesh.validation.held import Held, Judged, Repeated, held_block
from mesh.validation.json_values import JsonFaultError, parse_json
from mesh.validation.judge import Judge
from mesh.validation.keys import KeyIndex
from mesh.validation.line_keys import KeyQuestion, json_questions
from mesh.validation.lines import before_long, marked, record_too_long
from mesh.validation.plan import Plan
from mesh.validation.report import MASK, FileRefusedError, Limits
from mesh.validation.run_finders import FoundRuns
from mesh.validation.sentences import shown, to_json
from mesh.validation.tally import Tally

_LESSONS = 4


class JsonLinesReader:
    """Takes blocks of text, cuts them into lines, and tells the tally about each.

    Attributes:
        key_questions: Keys whose digests spare the cutting out of runs.
    """

    def __init__(
        self, plan: Plan, tally: Tally, limits: Limits, keys: KeyIndex | None = None
    ) -> None:
        self._plan, self._tally, self._limits = plan, tally, limits
        self._rest = b""
        self._runs: FoundRuns | None = None
        self._before = 0
        self._offset = 0
        self._line = 1
        self._started = False
        self._judge: Judge | None = None
        self._fast: JsonExpressions | None = None
        self._order: tuple[str, ...] = ()
        self._lessons = 0
        self._keys = keys or KeyIndex(plan)
        self._quality = tally.quality
        self.key_questions: tuple[KeyQuestion, ...] = ()
        self._held: Held | None = None

    @property
    def expressions(self) -> JsonExpressions | None:
        """What finds runs of good records, once that is known."""
        return self._fast

    def feed(self, block: bytes, runs: FoundRuns | None = None) -> None:
        """Judge all lines that end in what has come so far."""
        if not self._started and block:
            self._started = True
            if block.startswith(b"\xef\xbb\xbf"):
                block, runs = block[3:], None
                self._offset = 3
        self._runs, self._before = runs, len(self._rest)
        data = self._rest + block if self._rest else block
        self._held = held_block(self._keys, self._fast, self.key_questions, runs)
        end = data.rfind(b"\n") + 1
        at = 0
        while at < end:
            at = self._run(data, at, end)
            if at < end:
                stop = data.index(b"\n", at) + 1
                self._take(data[at:stop])
                at = stop
        self._rest = data[end:]
        self._tell_held()
        if len(self._rest) > self._limits.record_bytes:
            raise record_too_long(self._tally.rows + 1, self._line, self._limits)

    def finish(self) -> None:
        """Judge what the last line end has left."""
        self._runs = None
        if self._rest:
            self._take(self._rest)
        self._rest = b""
        if not self._tally.rows:
            raise FileRefusedError(
                "empty",
                "The file is empty: it holds no record.",
                "Send a file with one JSON object per line.",
            )

    def _run(self, data: bytes, at: int, stop: int) -> int:
        """Take the good records that follow each other; returns where they end."""
        if not self._fast:
            return at
        end, known = self._end_of_run(data, at, stop)
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
            values = RunValues(self._fast)
            columns = values.columns(data, at, end)
            parts = [values.parts(columns[key.fields[0]]) for key in self._keys.keys]
            tell = partial(self._tell_held_run, data, at, end)
            self._held.records(len(parts[0]), parts, tell)
        return end

    def _tell_run(self, data: bytes, at: int, end: int, odd: Mapping[int, Sequence[Fault]]) -> None:
        """Tell of a run; of its odd records (by number within it) what their keys are."""
        for index, start, to in marked(data, at, end, sorted(odd)):
            if index is None:
                self._good(data, start, to)
            else:
                self._record(data[start:to], odd[index])

    def _tell_held_run(self, data: bytes, at: int, end: int, repeated: Repeated) -> None:
        lines = data[at:end].split(b"\n") if repeated else []
        odd: dict[int, list[Fault]] = {}
        for index, firsts in repeated.items():
            record = parse_json(lines[index].decode())
            odd[index] = [self._keys.fault_of(record, *first) for first in firsts]
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

    def _tell_held(self) -> None:
        held, self._held = self._held, None
        if held:
            held.tell(self._tally.rows + 1)

    def _good(self, data: bytes, start: int, stop: int) -> None:
        lines = data.count(b"\n", start, stop)
        whole = start == 0 and stop == len(data)
        self._tally.good(data if whole else data[start:stop], lines)
        self._offset += stop - start
        self._line += lines

    def _cut_out(self, data: bytes, start: int, stop: int) -> dict[int, list[Fault]]:
        """Records of a run (by number within it) whose keys an earlier record has."""
        assert self._fast
        values = RunValues(self._fast)
        columns = values.columns(data, start, stop)
        odd: dict[int, list[Fault]] = {}
        for number, key in enumerate(self._keys.keys):
            parts = [values.parts(columns[name]) for name in key.fields]
            for i, first in self._keys.repeated(number, parts, self._tally.rows + 1).items():
                texts = (shown(parse_json(columns[name][i].decode())) for name in key.fields)
                odd.setdefault(i, []).append(self._keys.fault(key, ", ".join(texts), first))
        if self._quality.fields:
            names = self._quality.fields & columns.keys()
            self._quality.add({name: values.parsed(columns[name]) for name in names})
        return odd

    def _learn(self, record: dict[str, Any]) -> None:
        """Take the order of a good record's keys for that of the next ones."""
        order = tuple(record)
        if order == self._order or self._lessons >= _LESSONS or not self._limits.fast:
            return
        self._order = order
        self._lessons += 1
        kept, key = self._plan.compiled, ("json", order)
        if key not in kept:
            kept[key] = json_expressions(self._plan, order)
        self._fast = kept[key]
        if self._fast and self._fast.lines and self._fast.fields and not self._quality.fields:
            self.key_questions = json_questions(self._keys, self._plan)
        else:
            self.key_questions = ()

    def _take(self, raw: bytes) -> None:
        if len(raw) > self._limits.record_bytes:
            self._tell_held()
            raise record_too_long(self._tally.rows + 1, self._line, self._limits)
        if raw.strip(b" \t\r\n"):
            self._record(raw)
        elif self._held:
            self._held.records(0, (), partial(self._blank, raw))
        else:
            self._blank(raw)

    def _blank(self, raw: bytes, _: Repeated | None = None) -> None:
        self._tally.blank(raw)
        self._passed(raw)

    def _passed(self, raw: bytes) -> None:
        self._offset += len(raw)
        self._line += 1

    def _record(self, raw: bytes, known: Sequence[Fault] | None = None) -> None:
        """Judge one record; `known` are faults of its keys, when those were looked at before."""
        if self._judge is None:
            self._judge = Judge(self._plan, fast=self._limits.fast)
        text = raw.decode().strip(" \t\r\n")
        record: Any = None
        try:
            record = parse_json(text)
        except JsonFaultError as error:
            if not self._tally.rows and text.startswith("["):
                raise _array() from None
            faults = [self._judge.fault(error.field, error.rule, str(error))]
        else:
            faults = self._faults(record)
        told = Judged(raw=raw, cells=[], record=record, faults=faults)
        if known is not None:
            self._tell(told, known)
        elif self._held:
            keyed = isinstance(record, dict)
            parts = self._keys.parts(record) if keyed else [None] * len(self._keys.keys)
            self._held.records(1, [[part] for part in parts], partial(self._tell_held_one, told))
        elif isinstance(record, dict):
            self._quality.add({name: [record.get(name)] for name in self._quality.fields})
            self._tell(told, self._keys.faults(record, self._tally.rows + 1))
        else:
            self._tell(told, ())

    def _tell_held_one(self, told: Judged, repeated: Repeated) -> None:
        firsts = repeated.get(0, ())
        self._tell(told, [self._keys.fault_of(told.record, *first) for first in firsts])

    def _tell(self, told: Judged, known: Sequence[Fault]) -> None:
        faults, raw = [*told.faults, *known], told.raw
        if faults:
            text = self._shown(raw.decode().strip(" \t\r\n"), told.record)
            self._tally.bad(raw, line=self._line, start=self._offset, text=text, faults=faults)
        else:
            self._tally.good(raw, 1)
            self._learn(told.record)
        self._passed(raw)

    def _faults(self, record: Any) -> list[Fault]:
        assert self._judge
        if not isinstance(record, dict):
            kind = "a list" if isinstance(record, list) else "a single value"
            message = f"The record must be an object; it is {kind}."
            return [self._judge.fault("", "type", message)]
        return self._judge.faults(record, most=self._limits.violations_per_record)

    def _shown(self, text: str, record: Any) -> str:
        secret = self._plan.sensitive
        if not secret:
            return text
        if not isinstance(record, dict):
            return MASK
        shown_fields = self._plan.fields.keys() - secret
        return to_json({name: record[name] if name in shown_fields else MASK for name in record})


def _array() -> FileRefusedError:
    return FileRefusedError(
        "jsonArray",
        "The file is one JSON array, spread over several lines; JSON Lines has one object per "
        "line.",
        "Write each object on a line of its own, without brackets and commas around them.",
    )
