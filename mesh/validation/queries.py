"""Quality rules that are SQL: asked over the good rows of a file, in a process of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from mesh.model.contract_quality import QualityRule
from mesh.validation import query_process
from mesh.validation.file_format import FileFormat
from mesh.validation.plan import Plan
from mesh.validation.publishing_sink import PublishingSink
from mesh.validation.quality import broken_rule
from mesh.validation.report import FileProblem, ValidationReport
from mesh.validation.sinks import NullSink
from mesh.validation.writable import Writable

_PLACE = re.compile(r"([\"`]?)\$?\{(object|table|property|column)\}\1")
_GRACE_S = 10.0
_KEPT = ("SYSTEMROOT",)
"""What a process on Windows does not start without."""

_ALLOCATORS = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}
"""Others take address space ahead of need, and the process would end where the engine refuses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryLimits:
    """Bounds on the queries of one file.

    Attributes:
        seconds: For each query.
        memory: Bytes, for the engine.
    """

    seconds: float = 30
    memory: int = 256 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a query came to: a value, or why there is none, and what the engine said of it."""

    value: Decimal | bool | None = None
    wrong: str = ""
    said: str = ""


def check_queries(
    plan: Plan,
    report: ValidationReport,
    publish: Callable[[Writable], object],
    limits: QueryLimits | None = None,
) -> ValidationReport:
    """The report with what the SQL rules of the contract say of an accepted file.

    Args:
        plan: The contract.
        report: What is known of the file.
        publish: Writes its good rows as Parquet.
        limits: Bounds on the queries.
    """
    rules = sql_rules(plan)
    if not rules:
        return report
    if report.verdict != "accepted":
        unchecked = tuple(map(_unchecked, rules))
        return replace(report, warnings=(*report.warnings, *unchecked))
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.parquet"
        with rows.open("wb") as file:
            publish(file)
        found = ask(plan, rules, rows, limits or QueryLimits())
    problems = [
        (rule, problem)
        for rule, answer in zip(rules, found, strict=True)
        if (problem := _problem(rule, answer)) is not None
    ]
    wrong = [problem for rule, problem in problems if rule.severity == "error"]
    warnings = [problem for rule, problem in problems if rule.severity != "error"]
    return replace(
        report,
        verdict="rejected" if wrong else report.verdict,
        problems=(*report.problems, *wrong),
        warnings=(*report.warnings, *warnings),
    )


def sql_rules(plan: Plan) -> list[QualityRule]:
    """The rules of a plan that are asked as SQL."""
    return [rule for rule in plan.quality if rule.kind == "sql" and rule.operator]


def wrong_queries(plan: Plan) -> list[tuple[QualityRule, str]]:
    """The SQL rules that cannot be asked, and why: they are asked of no rows."""
    rules = sql_rules(plan)
    if not rules:
        return []
    layout = FileFormat.from_name("no-rows.jsonl")
    assert isinstance(layout, FileFormat)
    sink = PublishingSink(NullSink(), plan, layout)
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.parquet"
        with rows.open("wb") as file:
            sink.publish(file)
        sink.close()
        answers = ask(plan, rules, rows, QueryLimits())
    return [
        (rule, _WRONG[answer.wrong](answer))
        for rule, answer in zip(rules, answers, strict=True)
        if answer.wrong in _NO_SQL
    ]


def query_of(rule: QualityRule, view: str) -> str:
    """The query of a rule, with names in its places (`${object}`, `{property}`, …).

    A place for a property stays in the query of an object, which the engine then refuses.
    """

    def named(found: re.Match[str]) -> str:
        names = [view] if found[2] in {"object", "table"} else list(rule.steps)
        return ".".join(_quoted(name) for name in names if name is not None) or found[0]

    return _PLACE.sub(named, rule.metric or "")


def ask(plan: Plan, rules: Sequence[QualityRule], rows: Path, limits: QueryLimits) -> list[Answer]:
    """The answers to SQL rules over a Parquet file of ours, in their order.

    A query that ends its process is answered by that; another process is asked the rest.
    """
    queries = [query_of(rule, plan.object_name) for rule in rules]
    asked = {
        "path": sys.path,
        "rows": str(rows),
        "view": plan.object_name,
        "seconds": limits.seconds,
        "bytes": limits.memory,
    }
    told: list[Answer] = []
    while rest := queries[len(told) :]:
        patience = limits.seconds * len(rest) + _GRACE_S
        told += _answers({**asked, "queries": rest}, patience=patience)
    return told


def _answers(asked: Mapping[str, Any], *, patience: float) -> Iterator[Answer]:
    """What one process says, until it has answered all, has died of a query, or is late.

    There is one answer at least.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(query_process.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_ALLOCATORS | {name: os.environ[name] for name in _KEPT if name in os.environ},
    )
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(patience, end)
    timer.start()
    assert process.stdin
    assert process.stdout
    answered = 0
    try:
        with process, process.stdin as questions:
            questions.write(json.dumps(asked).encode() + b"\n")
            questions.flush()
            for line in process.stdout:
                answered += 1
                yield _read(line)
    except BrokenPipeError:  # it ended before it was asked
        pass
    finally:
        timer.cancel()
        process.kill()
        process.wait()
    unanswered = len(asked["queries"]) - answered
    if late.is_set():
        yield from [Answer(wrong="time")] * unanswered
    elif unanswered:
        yield Answer(wrong="memory")  # what the system ends, it ends for that


def _read(line: bytes) -> Answer:
    told = json.loads(line)
    if "wrong" in told:
        return Answer(wrong=told["wrong"], said=told.get("said", ""))
    value = told["value"]
    return Answer(value=value if isinstance(value, bool) else Decimal(str(value)))


def _problem(rule: QualityRule, answer: Answer) -> FileProblem | None:
    if answer.value is None:
        return FileProblem(
            rule="quality",
            message=f"{_named(rule)} could not be checked: {_WRONG[answer.wrong](answer)}.",
            remedy=f"Correct the query at {rule.pointer} of the contract; {_ADVICE}",
        )
    amount = str(answer.value).lower() if isinstance(answer.value, bool) else f"{answer.value:f}"
    where = f" about {rule.field}" if rule.field else ""
    return broken_rule(rule, answer.value, f"answer to the query{where}", amount)


def _unchecked(rule: QualityRule) -> FileProblem:
    return FileProblem(
        rule="quality",
        message=f"{_named(rule)} was not checked: the file is refused without it.",
        remedy="It is checked over the rows of a file that is good otherwise.",
    )


def _named(rule: QualityRule) -> str:
    return f"{rule.name}: the query" if rule.name else f"The query at {rule.pointer}"


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


_NO_SQL = {"statement", "query"}
"""What is wrong with a query whatever the rows are."""

_ADVICE = "docs/contract-profile.md tells what one may do."
_WRONG: Mapping[str, Callable[[Answer], str]] = {
    "time": lambda _: "it took too long",
    "memory": lambda _: "it took too much memory",
    "statement": lambda _: "it is not one SELECT statement",
    "shape": lambda _: "it gives not one value, but other rows or columns",
    "null": lambda _: "it gives no value",
    "value": lambda _: "it gives neither a number nor true or false",
    "query": lambda answer: answer.said.split("\n", 1)[0].rstrip(".") or "it is no SQL",
}
