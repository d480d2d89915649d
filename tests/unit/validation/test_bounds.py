"""What a file may not do to the memory of the one who judges it: made on the fly, never stored."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest
import zstandard

from mesh.validation import FileFormat, FileProblem, NullSink, ValidationReport, validate
from tests.unit.validation.files import contract, unchecked_plan_of

MEGABYTE = 1 << 20
PLAN = unchecked_plan_of(
    contract([{"name": "a", "logicalType": "integer"}, {"name": "b", "logicalType": "string"}])
)


def judged(chunks: Iterable[bytes], name: str) -> tuple[ValidationReport, int]:
    """The report, and the most bytes that were held meanwhile."""
    file_format = FileFormat.from_name(name)
    assert not isinstance(file_format, FileProblem)
    tracemalloc.start()
    try:
        report = validate(PLAN, chunks, file_format=file_format, sink=NullSink())
        return report, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def endless(start: bytes, more: bytes) -> Iterator[bytes]:
    """A file of a gigabyte that is to be refused long before its end."""
    yield start
    for number in range(1024):
        assert number < 64, "it is read on and on"
        yield more


@pytest.mark.parametrize(
    ("name", "start", "more", "rule"),
    [
        ("rows.jsonl", b'{"a": 1, "b": "', b"x" * MEGABYTE, "recordSize"),
        ("rows.csv", b"a,b\n1,", b"x" * MEGABYTE, "recordSize"),
        ("rows.csv", b'a,b\n1,"', b"x\n" * (MEGABYTE // 2), "openQuote"),
        ("rows.csv", b"a,b", b",c" * (MEGABYTE // 2), "recordSize"),  # columns by the million
    ],
)
def test_what_has_no_end_is_refused_early(name: str, start: bytes, more: bytes, rule: str) -> None:
    report, peak = judged(endless(start, more), name)
    assert [problem.rule for problem in report.problems] == [rule]
    assert peak < 40 * MEGABYTE


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_bomb_is_refused(ending: str) -> None:
    data = b"a,b\n" + (b"1," + b"x" * 1021 + b"\n") * (64 * 1024)
    packed = gzip.compress(data, 9) if ending == "gz" else zstandard.compress(data, 9)
    report, peak = judged([packed], f"rows.csv.{ending}")
    assert [problem.message for problem in report.problems] == [
        "The file unpacks to more than 250 times its size, as no records do."
    ]
    assert peak < 100 * MEGABYTE


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_packed_file_may_shrink_well(ending: str) -> None:
    data = b"a,b\n" + b"1,x\n" * 100_000
    packed = gzip.compress(data) if ending == "gz" else zstandard.compress(data)
    report, _ = judged([packed], f"rows.csv.{ending}")
    assert report.verdict == "accepted"
    assert report.rows == 100_000


@pytest.mark.parametrize("lost", [1, 3, 9])
def test_a_cut_zstd_file_is_refused(lost: int) -> None:
    data = zstandard.compress(b"a,b\n") + zstandard.compress(b"1,x\n" * 1000)
    report, _ = judged([data[:-lost]], "rows.csv.zst")
    assert [problem.message for problem in report.problems] == [
        "The zstd file is cut short: its end is missing."
    ]


def test_two_zstd_frames_are_one_file() -> None:
    data = zstandard.compress(b"a,b\n") + zstandard.compress(b"1,x\n")
    for size in (1, len(data)):
        chunks = [data[start : start + size] for start in range(0, len(data), size)]
        assert judged(chunks, "rows.csv.zst")[0].rows == 1


def test_any_number_of_violations_is_counted_and_some_are_told() -> None:
    rows = 2_000
    lines = (b"x%d,%s\n" % (number, b"y" * 1000) for number in range(rows))
    report, peak = judged([b"a,b\n", *lines], "rows.csv")
    assert report.rejected == report.violations == report.by_rule["type"] == rows
    assert len(report.sample) == 100
    assert peak < 25 * MEGABYTE
