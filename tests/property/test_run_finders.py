"""Runs that other processes find: the same judgement, wherever blocks are cut."""

from __future__ import annotations

import dataclasses
import io
import re
from concurrent.futures import Future
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.validation import FileFormat, FileProblem, Limits, RejectFile, StreamSink
from mesh.validation.beside import usable_processors
from mesh.validation.csv_header import Layout
from mesh.validation.csv_reader import CsvReader
from mesh.validation.fast_csv import csv_expressions
from mesh.validation.json_reader import JsonLinesReader
from mesh.validation.line_matcher import line_runs
from mesh.validation.report import FileRefusedError
from mesh.validation.run_finders import Found, FoundRuns, WholeLines, feed_all
from mesh.validation.run_matcher import runs
from mesh.validation.tally import Tally
from tests.thorough import examples
from tests.unit.validation.files import contract, unchecked_plan_of

PLAN = unchecked_plan_of(
    contract(
        [
            {"name": "a", "logicalType": "string", "unique": True},
            {"name": "b", "logicalType": "integer", "logicalTypeOptions": {"maximum": 50}},
        ]
    )
)
TEXT = st.sampled_from(("x", '"x"', '""', "é", '"x\n1,2\ny"', '"1,2\n"', 'a"b', "", "1,2\nx"))
NUMBER = st.sampled_from(("1", "50", "51", "", '"7"', "7\r"))
LINES = st.lists(st.builds("{},{}\n".format, TEXT, NUMBER), max_size=30)


def outcome(
    kind: Literal["csv", "jsonl"], blocks: list[bytes], processes: int
) -> tuple[object, ...]:
    accepted, rejected, violations = io.BytesIO(), io.BytesIO(), io.BytesIO()
    rejects = RejectFile(PLAN, FileFormat(kind=kind), native=rejected, lines=rejected)
    sink = StreamSink(accepted=accepted, rejects=rejects, violations=violations)
    limits = Limits(fast=processes >= 0, lines=False, helpers=max(processes, 0), large=0)
    problems: list[FileProblem] = []
    tally = Tally(PLAN, sink, limits)
    reader: CsvReader | JsonLinesReader = (
        CsvReader(PLAN, ",", tally, limits)
        if kind == "csv"
        else JsonLinesReader(PLAN, tally, limits)
    )
    try:
        feed_all(reader, blocks, limits)
        reader.finish()
    except FileRefusedError as refusal:
        problems.append(refusal.problem)
    report = dataclasses.replace(tally.report(problems, 0), sample=())
    return report, accepted.getvalue(), rejected.getvalue(), violations.getvalue()


def cut(text: str, size: int) -> list[bytes]:
    return [text[start : start + size].encode() for start in range(0, len(text), size)]


@settings(max_examples=examples(40))
@given(LINES, st.integers(1, 80))
def test_csv_is_judged_alike_by_one_process_and_by_several(lines: list[str], size: int) -> None:
    blocks = cut("a,b\n" + "".join(lines), size)
    assert outcome("csv", blocks, 1) == outcome("csv", blocks, -1)


JSON = st.builds(
    '{{"a": {}, "b": {}}}\n'.format,
    st.sampled_from(('"x"', '"y"', "1", '"x,y"', '"\\"x"', '"{"', "null")),
    st.sampled_from(("1", "51", "null", "1.0")),
)
ODD = st.sampled_from(('{"b": 1, "a": "z"}\n', '{"a":"w","b":2}\n', "\n", "7\n", '{"a": "v"}\n'))


@settings(max_examples=examples(40))
@given(st.lists(st.one_of(JSON, ODD), max_size=30), st.integers(1, 80))
def test_json_lines_are_judged_alike_by_one_process_and_by_several(
    lines: list[str], size: int
) -> None:
    blocks = cut("".join(lines), size)
    assert outcome("jsonl", blocks, 1) == outcome("jsonl", blocks, -1)


@given(LINES, st.integers(1, 20), st.integers(0, 40))
def test_cutting_at_line_ends_loses_nothing(lines: list[str], size: int, least: int) -> None:
    pieces = cut("".join(lines), size)
    blocks = list(WholeLines(pieces, least))
    assert b"".join(blocks) == b"".join(pieces)
    assert all(len(block) >= least or not block.endswith(b"\n") for block in blocks[:-1])
    if all(b"\n" in piece for piece in pieces):
        assert all(block.endswith(b"\n") for block in blocks[:-1])


def test_each_line_of_a_run_starts_a_shorter_one() -> None:
    expression = re.compile(rb"(?:[a-z]\n)*+")
    block = b"a\nb\n1\nc\n"
    found = FoundRuns(expression, block, _answered(Found(bounds=runs(expression, block))))
    assert [found.end(at) for at in (0, 2, 4, 6)] == [4, 4, None, 8]
    assert [found.next(at) for at in (4, 8)] == [6, None]


def test_without_an_answer_the_reader_looks_for_itself() -> None:
    answer: Future[Found] = Future()
    answer.set_exception(OSError("gone"))
    assert FoundRuns(re.compile(b"x"), b"", answer).end(0) is None


LINED = csv_expressions(PLAN, Layout.of_columns(PLAN), b",")


@settings(max_examples=examples(200))
@given(LINES, st.sampled_from(("", "\n", "\r\n", "x", "\ufeff", "\x01")))
def test_polars_finds_whole_lines_that_the_expression_matches(lines: list[str], last: str) -> None:
    assert LINED
    assert LINED.lines
    block = ("".join(lines) + last).encode()
    found = line_runs(LINED.lines, block)
    bounds = found.bounds
    assert list(bounds) == sorted(bounds)
    for start, end in zip(bounds[::2], bounds[1::2], strict=True):
        assert LINED.run.fullmatch(block, start, end)
        assert start == 0 or block[start - 1] == 10
    known = FoundRuns(LINED.run, block, _answered(found))
    at = 0
    for number, line in enumerate(block.split(b"\n")[:-1] if last not in "\x01\ufeff" else ()):
        end = at + len(line) + 1
        if line and LINED.run.fullmatch(line + b"\n"):
            assert known.end(at) is not None
            assert known.lines(at, end) == range(number, number + 1)
        at = end


def test_too_many_lines_are_left_to_the_reader() -> None:
    assert LINED
    assert LINED.lines
    few, many = (b"x,1\n" * lines for lines in (1000, 1 << 19))
    assert list(line_runs(LINED.lines, few).bounds) == [0, len(few)]
    assert not line_runs(LINED.lines, many).bounds


def _answered(found: Found) -> Future[Found]:
    answer: Future[Found] = Future()
    answer.set_result(found)
    return answer


def test_there_is_at_least_one_processor() -> None:
    assert usable_processors() >= 1
