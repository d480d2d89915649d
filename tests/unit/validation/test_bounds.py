"""What a file may not do to the memory of the one who judges it: made on the fly, never stored."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import fastavro
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mesh.validation import (
    FileFormat,
    FileProblem,
    NullSink,
    ValidationReport,
    avro_blocks,
    validate,
)
from mesh.validation.sentences import clipped, shown, to_json
from tests.thorough import examples
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


def avro(codec: str, text: str, *, block: int = 1 << 30) -> bytes:
    fields = [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]
    schema = {"type": "record", "name": "r", "fields": fields}
    out = io.BytesIO()
    fastavro.writer(out, schema, [{"a": 1, "b": text}] * 3, codec=codec, sync_interval=block)
    return out.getvalue()


@pytest.mark.parametrize("codec", ["deflate", "bzip2", "xz"])
def test_an_avro_block_that_unpacks_to_too_much_is_refused(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = avro(codec, "x" * 200_000)
    small, _ = judged([data], "rows.avro")
    assert small.accepted == 3
    monkeypatch.setattr(avro_blocks, "MOST_UNPACKED", 500_000)
    monkeypatch.setattr(avro_blocks, "_SAFE_DEFLATE", 500)

    report, _ = judged([data], "rows.avro")

    assert [problem.message for problem in report.problems] == [
        "A block of the Avro file unpacks to more; the most is 500,000."
    ]


def test_an_avro_block_is_refused_for_the_size_it_claims() -> None:
    start = avro("null", "x")
    begin = start.index(start[-16:]) + 16  # behind the head, which ends with the sync marker
    for size in (b"\x80\x80\x80\x80\x08", b"\xfe\xff\xff\xff\xff\x0f"):
        report, peak = judged(endless(start[:begin] + b"\x02" + size, b"x" * MEGABYTE), "rows.avro")
        assert [problem.rule for problem in report.problems] == ["recordSize"]
        assert peak < 40 * MEGABYTE


def test_parquet_values_that_are_too_long_are_refused_before_they_are_unpacked() -> None:
    out = io.BytesIO()
    table = pa.table({"a": [1, 2, 3], "b": ["x" * 6_000_000] * 3})
    parquet.write_table(table, out, use_dictionary=False)

    report, peak = judged([out.getvalue()], "rows.parquet")

    assert "The values of 'b' in row group 1 have 6,000," in report.problems[0].message
    assert peak < 20 * MEGABYTE


def dictionary(text: str, rows: int, group: int) -> bytes:
    """A Parquet file in which each row points at the same text."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), [text])
    out = io.BytesIO()
    table = pa.table({"a": [1] * rows, "b": texts})
    parquet.write_table(table, out, store_schema=False, row_group_size=group)
    return out.getvalue()


@pytest.mark.parametrize("group", [30_000, 500])
def test_parquet_texts_are_refused_that_many_rows_point_at(group: int) -> None:
    data = dictionary("x" * 500_000, 3_000, group)
    assert len(data) < 200_000

    report, peak = judged([data], "rows.parquet")

    assert "of the Parquet file unpack to more than 536,870,912 bytes in" in (
        report.problems[0].message
    )
    assert peak < 20 * MEGABYTE


def hidden(data: bytes) -> bytes:
    """The same Parquet file, of whose dictionary nothing is said, nor how large the column is."""
    column = parquet.read_metadata(io.BytesIO(data)).row_group(0).column(1)
    end = len(data) - 8
    start = end - int.from_bytes(data[end : end + 4], "little")
    places = _i64(column.data_page_offset) + _i64(column.dictionary_page_offset)
    footer = data[start:end]
    at = footer.index(places)
    after = at + len(places)  # the next field counts from the one before it
    footer = (
        footer[:at].replace(_i64(column.total_uncompressed_size, 1), _i64(1, 1))
        + _i64(column.dictionary_page_offset)
        + bytes([footer[after] + 0x20])
        + footer[after + 1 :]
    )
    return data[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _i64(value: int, step: int = 2) -> bytes:
    """A field of a Thrift struct, so many after the last one."""
    digits, value = b"", value * 2
    while value > 0x7F:
        digits, value = digits + bytes([value & 0x7F | 0x80]), value >> 7
    return bytes([step << 4 | 6]) + digits + bytes([value])


def test_parquet_texts_are_refused_of_which_nothing_is_said() -> None:
    data = hidden(dictionary("x" * 500_000, 3_000, 3_000))
    column = parquet.read_metadata(io.BytesIO(data)).row_group(0).column(1)
    assert (column.has_dictionary_page, column.total_uncompressed_size) == (False, 1)

    report, peak = judged([data], "rows.parquet")

    assert "The texts of 'b' in row group 1" in report.problems[0].message
    assert peak < 20 * MEGABYTE


def test_parquet_texts_that_repeat_and_fit_are_judged() -> None:
    report, _ = judged([dictionary("x" * 5_000, 2_000, 1_000)], "rows.parquet")
    assert report.accepted == 2_000


def test_an_element_of_an_array_has_an_end() -> None:
    report, peak = judged(endless(b'[{"a": 1, "b": "', b"x" * MEGABYTE), "rows.json")

    assert [problem.rule for problem in report.problems] == ["recordSize"]
    assert peak < 40 * MEGABYTE


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_a_record_of_very_many_fields_is_summed_up(name: str) -> None:
    fields = ",".join(f'"f{number}":1' for number in range(200_000))
    data = f"[{{{fields}}}]" if name == "rows.json" else f"{{{fields}}}\n"

    report, _ = judged([data.encode()], name)

    assert (report.rows, report.rejected) == (1, 1)
    assert report.violations <= 100
    assert all(len(one.message) < 1_000 for one in report.sample)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=400)
    | st.decimals(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=300), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(max_examples=examples(100))
@given(value=VALUES)
def test_what_is_shown_of_a_value_is_the_beginning_of_the_whole(value: Any) -> None:
    assert shown(value) == clipped(value if isinstance(value, str) else to_json(value), 256)
