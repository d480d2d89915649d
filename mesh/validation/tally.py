"""Counts records and violations, passes them on, and sums up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mesh.validation.faults import Fault
from mesh.validation.origins import Origin
from mesh.validation.plan import Plan
from mesh.validation.quality import Quality
from mesh.validation.references import warnings_on_relationships
from mesh.validation.report import (
    FileProblem,
    Limits,
    RejectedRecord,
    Sink,
    ValidationReport,
    Violation,
)
from mesh.validation.sentences import clipped

_RAW = 1024
_OTHER = "(other fields)"


def _unchecked(plan: Plan) -> list[FileProblem]:
    return [
        FileProblem(rule=one.rule, message=one.message, remedy=one.remedy) for one in plan.unchecked
    ]


class Tally:
    """What has been seen of one file so far.

    Attributes:
        rows: Records so far.
        quality: Counts for the quality rules; readers add to them.
        of_lines: Whether the file itself is text lines.
    """

    of_lines = True

    def __init__(self, plan: Plan, sink: Sink, limits: Limits) -> None:
        self._plan, self._sink, self._limits = plan, sink, limits
        self._rejected = 0
        self._violations = 0
        self._by_rule: Counter[str] = Counter()
        self._by_field: Counter[str] = Counter()
        self._sample: list[Violation] = []
        self._kept = 0
        self.rows = 0
        self.quality = Quality(plan)

    @property
    def sink(self) -> Sink:
        return self._sink

    def follow(self, first: Tally, kept: int, sink: Sink) -> None:
        """Judge together with so many good records, which `first` has passed on."""
        self.quality, self._kept, self._sink = first.quality, kept, sink

    def header(self, data: bytes) -> None:
        self._sink.header(data)

    def good(self, data: bytes, records: int) -> None:
        """So many good records, and the bytes they came in."""
        self.rows += records
        self._sink.accepted(data)

    def blank(self, data: bytes) -> None:
        """A blank line, which is no record and travels with the good ones."""
        self._sink.accepted(data)

    def bad(
        self,
        raw: bytes,
        *,
        line: int,
        start: int,
        text: str,
        faults: Sequence[Fault],
        size: int | None = None,
        origin: Origin | None = None,
    ) -> None:
        """One bad record.

        Args:
            raw: Its bytes with its line end.
            line: Physical line of its beginning.
            start: Its offset in the file.
            text: What people may see of it.
            faults: At least one.
            size: Its length in the file; None when `raw` is what stands there.
            origin: The row as its file held it; None for text.
        """
        self.rows += 1
        self._rejected += 1
        violations = tuple(
            Violation(
                row=self.rows,
                line=line,
                byte_start=start,
                byte_end=start + (len(raw) if size is None else size),
                field=fault.field,
                rule=fault.rule,
                path=fault.path,
                value=fault.value,
                message=fault.message,
                raw=clipped(text, _RAW),
                fix=fault.fix,
            )
            for fault in faults
        )
        self._count(violations)
        self._sink.rejected(
            RejectedRecord(row=self.rows, raw=raw, violations=violations, origin=origin)
        )

    def _count(self, violations: Sequence[Violation]) -> None:
        self._violations += len(violations)
        for violation in violations:
            self._by_rule[violation.rule] += 1
            known = len(self._by_field) < self._limits.fields_counted
            known = known or violation.field in self._by_field
            self._by_field[violation.field if known else _OTHER] += 1
        room = self._limits.sample - len(self._sample)
        if room > 0:
            self._sample.extend(violations[:room])

    def report(self, problems: Sequence[FileProblem], byte_size: int) -> ValidationReport:
        """The verdict on what has been seen."""
        rows = self.rows + self._kept
        found, warnings = self.quality.verdict(rows) if not problems else ([], [])
        if not problems:
            warnings = [*_unchecked(self._plan), *warnings, *warnings_on_relationships(self._plan)]
        problems = (*problems, *found)
        admitted = self._plan.acceptance.admits(rows=rows, rejected=self._rejected)
        return ValidationReport(
            verdict="accepted" if admitted and not problems else "rejected",
            rows=self.rows,
            accepted=self.rows - self._rejected,
            rejected=self._rejected,
            violations=self._violations,
            by_rule=dict(self._by_rule.most_common()),
            by_field=dict(self._by_field.most_common()),
            sample=tuple(self._sample),
            problems=problems,
            warnings=tuple(warnings),
            byte_size=byte_size,
        )
