"""Reads JSON Lines record by record and has each judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mesh.validation.fast_json import JsonExpressions, RunValues, json_expressions
from mesh.validation.faults import Fault
from mesh.validation.held import Judged
from mesh.validation.json_values import JsonFaultError, parse_json
from mesh.validation.keys import KeyIndex
from mesh.validation.line_keys import json_questions
from mesh.validation.lines import record_too_long
from mesh.validation.odd_values import OddValues
from mesh.validation.plan import Plan
from mesh.validation.report import MASK, FileRefusedError, Limits
from mesh.validation.run_finders import FoundRuns
from mesh.validation.run_reader import RunReader
from mesh.validation.sentences import shown, to_json
from mesh.validation.tally import Tally

_LESSONS = 4


class JsonLinesReader(RunReader[JsonExpressions]):
    """Takes blocks of text, cuts them into lines, and tells the tally about each."""

    def __init__(
        self, plan: Plan, tally: Tally, limits: Limits, keys: KeyIndex | None = None
    ) -> None:
        super().__init__(plan, tally, limits, keys)
        self._secret = plan.sensitive
        self._order: tuple[str, ...] = ()
        self._lessons = 0
        self._odd_values: OddValues | None = None

    def feed(self, block: bytes, runs: FoundRuns | None = None) -> None:
        """Judge all lines that end in what has come so far."""
        data = self._next(block, runs)
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

    def _keys_of_run(self, data: bytes, start: int, stop: int) -> Sequence[Sequence[bytes | None]]:
        assert self._fast
        values = RunValues(self._fast)
        columns = values.columns(data, start, stop)
        return [values.parts(columns[key.fields[0]]) for key in self._keys.keys]

    def _repeated(self, line: bytes, firsts: Sequence[tuple[int, int]]) -> list[Fault]:
        record = parse_json(line.decode())
        return [self._keys.fault_of(record, *first) for first in firsts]

    def _cut_out(self, data: bytes, start: int, stop: int) -> dict[int, list[Fault]]:
        assert self._fast
        if self._plan.looks_within:
            return self._looked_into(data, start, stop)
        if not self._fast.cut:
            return {}
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

    def _looked_into(self, data: bytes, start: int, stop: int) -> dict[int, list[Fault]]:
        """The same where keys stand within fields: each record is read."""
        records = [parse_json(line.decode()) for line in data[start : stop - 1].split(b"\n")]
        self._quality.add(
            {name: [one.get(name) for one in records] for name in self._quality.fields}
        )
        most = self._limits.violations_per_record
        return self._keys.nested.faults(records, self._tally.rows + 1, most=most)

    def _learn(self, record: dict[str, Any]) -> None:
        """Take the order of a good record's keys for that of the next ones."""
        order = tuple(record)
        if order == self._order or self._lessons >= _LESSONS or not self._limits.fast:
            return
        self._order, self._odd_values = order, None
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
        else:
            self._blank(raw)

    def _odd_parts(self) -> OddValues | None:
        if not self._fast or self._plan.looks_within or not self._judge.by_fields:
            return None
        if self._odd_values is None:
            self._odd_values = OddValues(self._plan, self._order)
        return self._odd_values

    def _whole(self, raw: bytes) -> Judged:
        text = raw.decode().strip(" \t\r\n")
        record: Any = None
        try:
            record = parse_json(text)
        except JsonFaultError as error:
            if self._tally.of_lines and not self._tally.rows and text.startswith("["):
                raise _array() from None
            faults = [self._judge.fault(error.field, error.rule, str(error))]
        else:
            if self._tally.of_lines and not self._tally.rows and _is_array(record):
                raise _array()
            faults = self._faults(record)
        keyed = record if isinstance(record, dict) else None
        return Judged(raw=raw, record=keyed, faults=faults)

    def _tell(self, told: Judged, known: Sequence[Fault]) -> None:
        super()._tell(told, known)
        if told.whole and not told.faults and not known:
            self._learn(told.record)

    def _faults(self, record: Any) -> list[Fault]:
        if not isinstance(record, dict):
            kind = "a list" if isinstance(record, list) else "a single value"
            message = f"The record must be an object; it is {kind}."
            return [self._judge.fault("", "type", message)]
        return self._judge.faults(record, most=self._limits.violations_per_record)

    def _shown(self, told: Judged) -> str:
        secret, record = self._secret, told.record
        text = told.raw.decode().strip(" \t\r\n")
        if not secret:
            return text
        if record is None:
            return MASK
        if not told.whole:
            record = parse_json(text)
        shown_fields = self._plan.fields.keys() - secret
        return to_json({name: record[name] if name in shown_fields else MASK for name in record})


def _is_array(record: Any) -> bool:
    return isinstance(record, list) and bool(record) and isinstance(record[0], dict)


def _array() -> FileRefusedError:
    return FileRefusedError(
        "jsonArray",
        "The file is one JSON array; JSON Lines has one object per line.",
        "Name it .json; or write each object on a line of its own, without brackets and commas.",
    )
