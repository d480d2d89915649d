"""Judges small files in tests, by the fast path and without it."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.model.contract import DataContract
from mesh.model.contract_check import check_contract
from mesh.validation import (
    FileFormat,
    FileProblem,
    Limits,
    Plan,
    RejectFile,
    StreamSink,
    ValidationReport,
    compile_object,
    validate,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A judged file: the report and what went where."""

    report: ValidationReport
    accepted: bytes
    rejected: bytes
    violations: list[dict[str, Any]]

    @property
    def named(self) -> list[tuple[int, str, str]]:
        """Row, field and rule of each violation."""
        return [(item["row"], item["field"], item["rule"]) for item in self.violations]


def contract(
    properties: Sequence[Mapping[str, Any]],
    custom: Mapping[str, Any] | None = None,
    *,
    api_version: str = "v3.2.0",
    **more: Any,
) -> dict[str, Any]:
    """An ODCS document with one object `rows`."""
    entries = [{"property": name, "value": value} for name, value in (custom or {}).items()]
    document = {
        "apiVersion": api_version,
        "kind": "DataContract",
        "id": "test",
        "version": "1.0.0",
        "status": "active",
        "schema": [{"name": "rows", "properties": list(properties), **more}],
    }
    if entries:
        document["customProperties"] = entries
    return document


def plan_of(document: Mapping[str, Any]) -> Plan:
    """The plan for a document that must be without findings."""
    assert check_contract(document, file="contract") == []
    return unchecked_plan_of(document)


def unchecked_plan_of(document: Mapping[str, Any]) -> Plan:
    """The plan for a document that is known to be right: checking it is what takes time."""
    made = DataContract.from_document(document)
    return compile_object(made, next(iter(made.objects)))


BLOCKS_CUT = frozenset({"encoding", "recordSize", "openQuote", "compression"})
"""Problems after which it depends on where blocks are cut how many records were seen before."""


DAMAGED = frozenset({"parquet", "avro", "xlsx"})
"""Problems of files that are damaged: what is damaged is told by who first comes upon it."""


def judge(
    plan: Plan, data: bytes, name: str = "rows.csv", *, chunk: int = 7, limits: Limits | None = None
) -> Outcome:
    """Judge a file that comes in small chunks, in each of the ways there are: all must agree."""
    given = limits or Limits()
    usual = _judge(plan, data, name, chunk, given)
    slow = _judge(plan, data, name, chunk, dataclasses.replace(given, fast=False))
    if DAMAGED & {problem.rule for problem in usual.report.problems}:
        assert DAMAGED & {problem.rule for problem in slow.report.problems}
        return usual
    assert usual == slow
    if name.endswith(("csv", "jsonl")):
        small = dataclasses.replace(given, large=0, block_bytes=24, helpers=1)
        _assert_alike(_judge(plan, data, name, chunk, small), usual)
    return usual


def _assert_alike(cut: Outcome, usual: Outcome) -> None:
    """Smaller blocks make no difference, but to how much of a broken file is read."""
    problems = {problem.rule for problem in usual.report.problems}
    if BLOCKS_CUT & problems:
        assert cut.report.verdict == usual.report.verdict
        assert cut.report.problems  # another, when its header is looked at before the broken byte
    elif problems:
        size = usual.report.byte_size
        report = dataclasses.replace(cut.report, byte_size=size)
        assert dataclasses.replace(cut, report=report) == usual
    else:
        assert cut == usual


def _judge(plan: Plan, data: bytes, name: str, chunk: int, limits: Limits) -> Outcome:
    file_format = FileFormat.from_name(name)
    assert not isinstance(file_format, FileProblem)
    accepted, rejected, violations, native = (io.BytesIO() for _ in range(4))
    rejects = RejectFile(plan, file_format, native=native, lines=rejected)
    report = validate(
        plan,
        (data[start : start + chunk] for start in range(0, len(data), chunk)),
        file_format=file_format,
        sink=StreamSink(accepted=accepted, rejects=rejects, violations=violations),
        limits=limits,
    )
    rejects.finish()
    lines = violations.getvalue().decode().split("\n")[:-1]
    return Outcome(
        report=report,
        accepted=accepted.getvalue(),
        rejected=(native if file_format.kind in {"csv", "jsonl"} else rejected).getvalue(),
        violations=[json.loads(line) for line in lines],
    )
