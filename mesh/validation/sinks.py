"""Sinks that others need: to three byte streams, or to nowhere."""

from __future__ import annotations

import dataclasses
import json
from typing import Protocol

from mesh.validation.report import RejectedRecord, Violation


class Writable(Protocol):
    """Anything with a `write` for bytes: a file, a blob in the making."""

    def write(self, data: bytes, /) -> object: ...


class StreamSink:
    """Writes good records, bad records and violations to three streams.

    Good and bad records keep the producer's own format, header included; a stream is touched
    only when something goes into it. Violations are JSON Lines, one violation per line.

    Attributes:
        accepted_bytes: Written to `accepted` so far.
        rejected_bytes: Written to `rejected` so far.
    """

    def __init__(
        self,
        *,
        accepted: Writable | None = None,
        rejected: Writable | None = None,
        violations: Writable | None = None,
    ) -> None:
        self._accepted, self._rejected, self._violations = accepted, rejected, violations
        self._header = b""
        self.accepted_bytes = 0
        self.rejected_bytes = 0

    def header(self, data: bytes) -> None:
        self._header = data if data.endswith(b"\n") else data + b"\n"
        self.accepted(self._header)

    def accepted(self, data: bytes) -> None:
        if self._accepted is not None:
            self._accepted.write(data)
        self.accepted_bytes += len(data)

    def rejected(self, record: RejectedRecord) -> None:
        raw = record.raw if record.raw.endswith(b"\n") else record.raw + b"\n"
        if not self.rejected_bytes:
            raw = self._header + raw
        if self._rejected is not None:
            self._rejected.write(raw)
        self.rejected_bytes += len(raw)
        if self._violations is not None:
            self._violations.write(b"".join(map(violation_line, record.violations)))


class NullSink:
    """Keeps nothing: for a verdict only."""

    def header(self, data: bytes) -> None:
        """Drop it."""

    def accepted(self, data: bytes) -> None:
        """Drop it."""

    def rejected(self, record: RejectedRecord) -> None:
        """Drop it."""


def violation_line(violation: Violation) -> bytes:
    """A violation as one line of JSON."""
    text = json.dumps(dataclasses.asdict(violation), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"
