"""Sinks that others need: to three byte streams, or to nowhere."""

from __future__ import annotations

from json.encoder import encode_basestring

from mesh.validation.reject_file import RejectFile
from mesh.validation.report import ColumnRows, RejectedRecord, Violation
from mesh.validation.writable import Writable


class StreamSink:
    """Writes good records, bad records and violations to three places.

    A stream is touched only when something goes into it. Violations are JSON Lines, one violation
    per line.

    Args:
        accepted: Takes good records: text as it came, header included; of other formats, JSON
            Lines.
        rejects: Takes bad records.
        violations: Takes what is wrong with them.
        most: How many violations it takes; those of the record that exceeds it still go there.

    Attributes:
        listed: How many violations it has taken.
    """

    def __init__(
        self,
        *,
        accepted: Writable | None = None,
        rejects: RejectFile | None = None,
        violations: Writable | None = None,
        most: int | None = None,
    ) -> None:
        self._accepted, self._rejects, self._violations = accepted, rejects, violations
        self._most = most
        self.listed = 0

    def header(self, data: bytes) -> None:
        header = data if data.endswith(b"\n") else data + b"\n"
        if self._rejects is not None:
            self._rejects.header(header)
        self.accepted(header)

    def accepted(self, data: bytes) -> None:
        if self._accepted is not None:
            self._accepted.write(data)

    def accepted_columns(self, rows: ColumnRows) -> None:
        if self._accepted is not None:
            self._accepted.write(rows.lines())

    def rejected(self, record: RejectedRecord) -> None:
        if self._rejects is not None:
            self._rejects.add(record)
        if self._violations is not None and (self._most is None or self.listed < self._most):
            self.listed += len(record.violations)
            self._violations.write(b"".join(map(violation_line, record.violations)))


class NullSink:
    """Keeps nothing: for a verdict only."""

    def header(self, data: bytes) -> None:
        """Drop it."""

    def accepted(self, data: bytes) -> None:
        """Drop it."""

    def accepted_columns(self, rows: ColumnRows) -> None:
        """Drop them."""

    def rejected(self, record: RejectedRecord) -> None:
        """Drop it."""


def violation_line(violation: Violation) -> bytes:
    """A violation as one line of JSON."""
    told, text = violation, encode_basestring
    value = "null" if told.value is None else text(told.value)
    fix = "" if told.fix is None else f', "fix": {text(told.fix)}'
    line = (
        f'{{"row": {told.row}, "line": {told.line}, "byte_start": {told.byte_start}, '
        f'"byte_end": {told.byte_end}, "field": {text(told.field)}, "rule": {text(told.rule)}, '
        f'"path": {text(told.path)}, "value": {value}, "message": {text(told.message)}, '
        f'"raw": {text(told.raw)}{fix}}}\n'
    )
    return line.encode("utf-8", "backslashreplace")
