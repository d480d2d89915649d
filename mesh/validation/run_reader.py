"""What the readers of lines share: records are told of by the run, or one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Generic, Protocol, TypeVar

from mesh.validation.faults import Fault
from mesh.validation.held import Held, Judged, Repeated, held_block
from mesh.validation.judge import Judge
from mesh.validation.keys import KeyIndex
from mesh.validation.line_keys import KeyQuestion
from mesh.validation.lines import before_long, marked
from mesh.validation.plan import Plan
from mesh.validation.report import Limits
from mesh.validation.run_finders import Expressions, FoundRuns
from mesh.validation.tally import Tally

Finds = TypeVar("Finds", bound=Expressions)


class OddParts(Protocol):
    """Reads of a record what no expression accepts, and what keys and quality rules look at."""

    def read(self, raw: bytes) -> tuple[dict[str, Any], list[str]] | None:
        """Such fields with their values, and those that may be bad; None if it cannot be told."""


class RunReader(ABC, Generic[Finds]):
    """Knows where it is in the text, and takes runs of good records without a look into each.

    Attributes:
        key_questions: Keys whose digests spare the cutting out of runs.
    """

    def __init__(self, plan: Plan, tally: Tally, limits: Limits, keys: KeyIndex | None) -> None:
        self._plan, self._tally, self._limits = plan, tally, limits
        self._keys = keys or KeyIndex(plan)
        self._quality = tally.quality
        self._fast: Finds | None = None
        self._rest = b""
        self._runs: FoundRuns | None = None
        self._before = 0
        self._offset = 0
        self._line = 1
        self._started = False
        self._held: Held | None = None
        self.key_questions: tuple[KeyQuestion, ...] = ()

    @property
    def expressions(self) -> Finds | None:
        """What finds runs of good records, once that is known."""
        return self._fast

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self._plan, fast=self._limits.fast)

    def _next(self, block: bytes, runs: FoundRuns | None) -> bytes:
        """What there is to read now: what the last block has left, and the next one."""
        if not self._started and block:
            self._started = True
            if block.startswith(b"\xef\xbb\xbf"):
                block, runs = block[3:], None
                self._offset = 3
        self._runs, self._before = runs, len(self._rest)
        self._held = held_block(self._keys, self._fast, self.key_questions, runs)
        return self._rest + block if self._rest else block

    def _run(self, data: bytes, at: int, stop: int) -> int:
        """Take the good records that follow each other; returns where they end."""
        if not self._fast:
            return at
        end, runs = self._end_of_run(self._fast, data, at, stop)
        if end - at > self._limits.record_bytes:
            end = before_long(data, at, end, self._limits.record_bytes)
        if end == at:
            return end
        lines = runs.lines(at - self._before, end - self._before) if runs else None
        if not self._held:
            self._tell_run(data, at, end, self._cut_out(data, at, end), lines)
        elif lines:
            tell = partial(self._tell_held_run, data, at, end, lines)
            self._held.run(lines, tell)
        else:
            parts = self._keys_of_run(data, at, end)
            tell = partial(self._tell_held_run, data, at, end, None)
            self._held.records(len(parts[0]), parts, tell)
        return end

    def _end_of_run(
        self, fast: Finds, data: bytes, at: int, stop: int
    ) -> tuple[int, FoundRuns | None]:
        """Where the run ends, and among which runs it was found already."""
        if self._runs and self._runs.expression is fast.run and at >= self._before:
            known = self._runs.end(at - self._before)
            if known is not None:
                return min(self._before + known, stop), self._runs
            later = self._runs.next(at - self._before)
            stop = stop if later is None else min(self._before + later, stop)
        found = fast.run.match(data, at, stop)
        assert found
        return found.end(), None

    @abstractmethod
    def _cut_out(self, data: bytes, start: int, stop: int) -> dict[int, list[Fault]]:
        """Records of a run (by number within it) that are not good after all, and their keys."""

    @abstractmethod
    def _keys_of_run(self, data: bytes, start: int, stop: int) -> Sequence[Sequence[bytes | None]]:
        """The canonical parts of each key, one per record of a run."""

    @abstractmethod
    def _repeated(self, line: bytes, firsts: Sequence[tuple[int, int]]) -> list[Fault]:
        """What is wrong with the keys of a good record, some of which earlier rows have."""

    @abstractmethod
    def _odd_parts(self) -> OddParts | None:
        """What reads of a record only what may be wrong; None if that cannot be done."""

    @abstractmethod
    def _whole(self, raw: bytes) -> Judged:
        """A record judged by all that it holds."""

    def _record(self, raw: bytes, known: Sequence[Fault] | None = None) -> None:
        """Judge one record; `known` are faults of its keys, when those were looked at before."""
        self._judged(self._odd(raw) or self._whole(raw), known)

    def _odd(self, raw: bytes) -> Judged | None:
        """A record judged by what may be wrong in it; None if that cannot be done."""
        parts = self._odd_parts()
        found = parts.read(raw) if parts else None
        if not found:
            return None
        record, odd = found
        faults = self._judge.faults(record, most=self._limits.violations_per_record, odd=odd)
        return Judged(raw=raw, record=record, faults=faults, whole=False)

    @abstractmethod
    def _shown(self, told: Judged) -> str:
        """A bad record as the report shows it."""

    def _tell_run(
        self,
        data: bytes,
        at: int,
        end: int,
        odd: Mapping[int, Sequence[Fault]],
        lines: range | None,
    ) -> None:
        """Tell of a run; of its odd records (by number within it) what their keys are."""
        if not odd:
            self._good(data, at, end, data.count(b"\n", at, end) if lines is None else len(lines))
            return
        for index, start, stop in marked(data, at, end, sorted(odd)):
            if index is None:
                self._good(data, start, stop, data.count(b"\n", start, stop))
            else:
                self._record(data[start:stop], odd[index])

    def _tell_held_run(
        self, data: bytes, at: int, end: int, lines: range | None, repeated: Repeated
    ) -> None:
        texts = data[at:end].split(b"\n") if repeated else []
        odd = {index: self._repeated(texts[index], firsts) for index, firsts in repeated.items()}
        self._tell_run(data, at, end, odd, lines)

    def _good(self, data: bytes, start: int, stop: int, lines: int) -> None:
        whole = start == 0 and stop == len(data)
        self._tally.good(data if whole else data[start:stop], lines)
        self._offset += stop - start
        self._line += lines

    def _tell_held(self) -> None:
        held, self._held = self._held, None
        if held:
            held.tell(self._tally.rows + 1)

    def _blank(self, raw: bytes) -> None:
        """Take a line without a record."""
        if self._held:
            self._held.records(0, (), partial(self._tell_blank, raw))
        else:
            self._tell_blank(raw)

    def _tell_blank(self, raw: bytes, _: Repeated | None = None) -> None:
        self._tally.blank(raw)
        self._passed(raw)

    def _judged(self, told: Judged, known: Sequence[Fault] | None) -> None:
        """Take a record that was judged by itself; unless they are known, look at its keys."""
        record = told.record
        if known is not None:
            self._tell(told, () if record is None else known)
        elif self._held:
            parts = [None] * len(self._keys.keys) if record is None else self._keys.parts(record)
            self._held.records(1, [[part] for part in parts], partial(self._tell_held_one, told))
        elif record is None:
            self._tell(told, ())
        else:
            if self._quality.fields:
                self._quality.add({name: [record.get(name)] for name in self._quality.fields})
            self._tell(told, self._key_faults(record, self._tally.rows + 1))

    def _key_faults(self, record: Mapping[str, Any], row: int) -> list[Fault]:
        return self._keys.faults(record, row, most=self._limits.violations_per_record)

    def _tell_held_one(self, told: Judged, repeated: Repeated) -> None:
        firsts = repeated.get(0, ())
        self._tell(told, [self._keys.fault_of(told.record, *first) for first in firsts])

    def _tell(self, told: Judged, known: Sequence[Fault]) -> None:
        faults, raw = [*told.faults, *known], told.raw
        if faults:
            text = self._shown(told)
            self._tally.bad(raw, line=self._line, start=self._offset, text=text, faults=faults)
        else:
            self._tally.good(raw, 1)
        self._passed(raw)

    def _passed(self, raw: bytes) -> None:
        self._offset += len(raw)
        self._line += raw.count(b"\n")
