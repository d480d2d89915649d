"""Reads JSON Lines record by record and has each judged."""

from __future__ import annotations

from typing import Any

from mesh.validation.csv_reader import record_too_long
from mesh.validation.faults import Fault
from mesh.validation.json_values import JsonFaultError, parse_json
from mesh.validation.judge import Judge
from mesh.validation.keys import KeyIndex
from mesh.validation.plan import Plan
from mesh.validation.report import MASK, FileRefusedError, Limits
from mesh.validation.sentences import to_json
from mesh.validation.tally import Tally


class JsonLinesReader:
    """Takes blocks of text, cuts them into lines, and tells the tally about each."""

    def __init__(self, plan: Plan, tally: Tally, limits: Limits) -> None:
        self._plan, self._tally, self._limits = plan, tally, limits
        self._rest = b""
        self._offset = 0
        self._line = 1
        self._started = False
        self._judge: Judge | None = None
        self._keys = KeyIndex(plan)

    def feed(self, block: bytes) -> None:
        """Judge all lines that end in what has come so far."""
        if not self._started and block:
            self._started = True
            if block.startswith(b"\xef\xbb\xbf"):
                block = block[3:]
                self._offset = 3
        data = self._rest + block if self._rest else block
        end = data.rfind(b"\n") + 1
        for line in data[:end].split(b"\n")[:-1]:
            self._take(line + b"\n")
        self._rest = data[end:]
        if len(self._rest) > self._limits.record_bytes:
            raise record_too_long(self._tally.rows + 1, self._line, self._limits)

    def finish(self) -> None:
        """Judge what the last line end has left."""
        if self._rest:
            self._take(self._rest)
        self._rest = b""
        if not self._tally.rows:
            raise FileRefusedError(
                "empty",
                "The file is empty: it holds no record.",
                "Send a file with one JSON object per line.",
            )

    def _take(self, raw: bytes) -> None:
        if len(raw) > self._limits.record_bytes:
            raise record_too_long(self._tally.rows + 1, self._line, self._limits)
        if raw.strip(b" \t\r\n"):
            self._record(raw)
        else:
            self._tally.blank(raw)
        self._offset += len(raw)
        self._line += 1

    def _record(self, raw: bytes) -> None:
        if self._judge is None:
            self._judge = Judge(self._plan)
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
        if faults:
            shown = self._shown(text, record)
            self._tally.bad(raw, line=self._line, start=self._offset, text=shown, faults=faults)
        else:
            self._tally.good(raw, 1)

    def _faults(self, record: Any) -> list[Fault]:
        assert self._judge
        if not isinstance(record, dict):
            kind = "a list" if isinstance(record, list) else "a single value"
            message = f"The record must be an object; it is {kind}."
            return [self._judge.fault("", "type", message)]
        faults = self._judge.faults(record, most=self._limits.violations_per_record)
        if self._plan.keys:
            faults += self._keys.faults(record, self._tally.rows + 1)
        return faults

    def _shown(self, text: str, record: Any) -> str:
        secret = self._plan.sensitive
        if not secret:
            return text
        if not isinstance(record, dict):
            return MASK
        return to_json({name: MASK if name in secret else record[name] for name in record})


def _array() -> FileRefusedError:
    return FileRefusedError(
        "jsonArray",
        "The file is one JSON array, spread over several lines; JSON Lines has one object per "
        "line.",
        "Write each object on a line of its own, without brackets and commas around them.",
    )
