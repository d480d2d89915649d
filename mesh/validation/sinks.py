"""Sinks that others need: to three byte streams, or to nowhere."""

from __future__ import annotations

import dataclasses
from operator import attrgetter

from mesh.validation.reject_file import RejectFile
from mesh.validation.report import ColumnRows, RejectedRecord, Violation
from mesh.validation.sentences import to_json
from mesh.validation.writable import Writable

_MEMBERS = tuple(member.name for member in dataclasses.fields(Violation))
_LINE = "{" + ", ".join(f'"{name}": %s' for name in _MEMBERS) + "}\n"
_values = attrgetter(*_MEMBERS)


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
    text = _LINE % tuple(map(to_json, _values(violation)))
    return text.encode("utf-8", "backslashreplace")
