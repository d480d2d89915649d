"""Reject files: the bad records in the producer's own format, ready to be dropped again."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
from decimal import Decimal
from typing import Any

import fastavro
import openpyxl
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mesh.validation import FileFormat, RejectFile, StreamSink, validate
from tests.thorough import examples
from tests.unit.validation.files import contract, plan_of

FIELDS: list[dict[str, Any]] = [
    {"name": "code", "logicalType": "string", "logicalTypeOptions": {"pattern": "^[A-Z]{2}$"}},
    {"name": "note", "logicalType": "string"},
    {"name": "size", "logicalType": "number", "logicalTypeOptions": {"minimum": 0}},
    {"name": "day", "logicalType": "date"},
]
ROWS = [
    {"code": "CH", "note": "fine", "size": Decimal("1.50"), "day": dt.date(2026, 1, 31)},
    {"code": "xx", "note": "=1+1", "size": Decimal("2.25"), "day": dt.date(2026, 2, 1)},
    {"code": "DE", "note": None, "size": Decimal("-3.00"), "day": None},
]
BAD = ROWS[1:]
DAY = dt.datetime(2026, 2, 1)  # noqa: DTZ001 - Excel knows no time zones


def rejects(plan: Any, data: bytes, name: str) -> tuple[str, bytes, list[tuple[str, str]]]:
    """Which file the bad records went to, that file, and what is wrong with them."""
    file_format = FileFormat.from_name(name)
    assert isinstance(file_format, FileFormat)
    native, lines, violations = io.BytesIO(), io.BytesIO(), io.BytesIO()
    made = RejectFile(plan, file_format, native=native, lines=lines)
    sink = StreamSink(rejects=made, violations=violations)
    report = validate(plan, [data], file_format=file_format, sink=sink)
    assert not report.problems, report.problems
    which = made.finish()
    told = [json.loads(line) for line in violations.getvalue().splitlines()]
    chosen = native if which == "native" else lines
    return which, chosen.getvalue(), [(one["field"], one["rule"]) for one in told]


def plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal | dt.date) else value


def as_json(rows: list[dict[str, Any]]) -> bytes:
    made = [
        {k: float(v) if isinstance(v, Decimal) else plain(v) for k, v in r.items()} for r in rows
    ]
    return json.dumps(made, indent=2).encode()


def as_jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in json.loads(as_json(rows)))


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    kinds = {
        "code": pa.string(),
        "note": pa.string(),
        "size": pa.decimal128(9, 2),
        "day": pa.date32(),
    }
    schema = pa.schema(kinds)
    out = io.BytesIO()
    table = pa.Table.from_pylist(rows, schema=schema)
    parquet.write_table(table, out, compression="gzip", row_group_size=2)
    return out.getvalue()


AVRO = {
    "type": "record",
    "name": "country",
    "fields": [
        {"name": "code", "type": "string"},
        {"name": "note", "type": ["null", "string"]},
        {
            "name": "size",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        },
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]},
    ],
}


def as_avro(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, AVRO, rows, codec="deflate")
    return out.getvalue()


def as_workbook(rows: list[dict[str, Any]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "All countries"
    for row in (list(rows[0]), *(list(row.values()) for row in rows)):
        sheet.append(row)
    for line in sheet.iter_rows(min_row=2):
        for cell in line:
            if isinstance(cell.value, str):
                cell.data_type = "s"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


FORMATS = {
    "rows.json": as_json,
    "rows.jsonl": as_jsonl,
    "rows.parquet": as_parquet,
    "rows.avro": as_avro,
    "rows.xlsx": as_workbook,
}


@pytest.mark.parametrize("name", [*FORMATS, "rows.jsonl.gz", "rows.parquet.gz", "rows.json.zst"])
def test_rejects_have_the_format_of_the_file_and_are_judged_the_same_again(name):
    packers: dict[str, Any] = {"gz": gzip.compress, "zst": zstandard.compress}
    base, _, packed = name.removeprefix("rows.").partition(".")
    data = packers.get(packed, bytes)(FORMATS[f"rows.{base}"](ROWS))
    plan = plan_of(contract(FIELDS))

    which, again, told = rejects(plan, data, name)

    assert which == "native"
    assert told == [("code", "pattern"), ("size", "minimum")]
    assert rejects(plan, again, name)[1:] == (again, told)
    assert rejects(plan, data, name)[1] == again


def test_parquet_rejects_keep_schema_and_codec():
    _, data, _ = rejects(plan_of(contract(FIELDS)), as_parquet(ROWS), "rows.parquet")

    file = parquet.ParquetFile(io.BytesIO(data))
    assert file.read().to_pylist() == BAD
    assert file.schema_arrow == parquet.ParquetFile(io.BytesIO(as_parquet(ROWS))).schema_arrow
    assert file.metadata.row_group(0).column(0).compression == "GZIP"


def test_avro_rejects_keep_schema_and_codec():
    _, data, _ = rejects(plan_of(contract(FIELDS)), as_avro(ROWS), "rows.avro")

    reader = fastavro.reader(io.BytesIO(data))
    assert list(reader) == BAD
    assert reader.codec == "deflate"
    assert json.loads(reader.metadata["avro.schema"]) == AVRO


def test_rejects_of_a_sheet_keep_its_name_dates_and_texts_that_look_like_formulas():
    _, data, _ = rejects(plan_of(contract(FIELDS)), as_workbook(ROWS), "rows.xlsx")

    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.sheetnames == ["All countries"]
    header, first, second = book["All countries"].iter_rows()
    assert [cell.value for cell in header] == list(ROWS[0])
    assert [cell.value for cell in first] == ["xx", "=1+1", 2.25, DAY]
    assert (first[1].data_type, first[3].is_date) == ("s", True)
    assert [cell.value for cell in second] == ["DE", None, -3, None]


def dialect(**settings: Any) -> Any:
    value = {"property": "fileDialect", "value": settings}
    return plan_of({**contract(FIELDS), "customProperties": [value]})


CSV = 'size;day;code;note\r\n1;;CH;"=ok"\r\n-1;;CH;"=HYPERLINK(""x"")"\r\n2;;xx;é\r\n'
CSV_REJECTS = 'size;day;code;note\r\n-1;;CH;"=HYPERLINK(""x"")"\r\n2;;xx;é\r\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "iso-8859-1"])
@pytest.mark.parametrize(
    ("compression", "pack", "unpack"),
    [
        ("none", bytes, bytes),
        ("gzip", gzip.compress, gzip.decompress),
        (
            "zstd",
            zstandard.compress,
            lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
        ),
    ],
)
def test_delimited_rejects_keep_header_line_ends_encoding_and_compression(
    encoding, compression, pack, unpack
):
    plan = dialect(separator=";", encoding=encoding, compression=compression)

    _, data, told = rejects(plan, pack(CSV.encode(encoding)), "rows.csv")

    assert unpack(data) == CSV_REJECTS.encode(encoding)
    assert rejects(plan, data, "rows.csv")[1:] == (data, told)


def test_elements_of_an_array_come_back_byte_for_byte():
    bad = b'{\n  "code" : "xx",\t"size": 1.50\n}'

    _, data, _ = rejects(plan_of(contract(FIELDS)), b'[{"code": "CH"}, ' + bad + b" ]", "rows.json")

    assert data == b"[\n" + bad + b"\n]\n"


def avro_file(kinds: list[Any], rows: list[Any]) -> bytes:
    schema = {"type": "record", "name": "r", "fields": [{"name": "at", "type": kinds}]}
    out = io.BytesIO()
    fastavro.writer(out, schema, rows, sync_marker=b"=" * 16)
    return out.getvalue()


def test_what_the_library_would_write_back_as_something_else_becomes_json_lines():
    """Of a union of two kinds of timestamp it takes the first, which has no microseconds."""
    plan = plan_of(contract([{"name": "at", "logicalType": "integer"}]))
    millis, micros = (
        {"type": "long", "logicalType": f"timestamp-{u}"} for u in ("millis", "micros")
    )
    at = dt.datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=dt.UTC)
    other = avro_file(["string", micros], [{"at": at}])
    records = other[len(avro_file(["string", micros], [])) :]
    both = avro_file([millis, micros], []) + records

    which, data, told = rejects(plan, both, "rows.avro")

    assert (which, told) == ("lines", [("at", "type")])
    assert data == b'{"at": "2026-01-31T12:00:00.123456Z"}\n'


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@settings(max_examples=examples(30))
@given(
    rows=st.lists(
        st.fixed_dictionaries({"code": st.sampled_from(("CH", "x")), "note": TEXTS}), min_size=1
    ),
    name=st.sampled_from(("rows.json", "rows.jsonl", "rows.parquet", "rows.avro", "rows.xlsx")),
)
def test_rejects_of_any_text_are_judged_the_same_again(rows, name):
    plan = plan_of(contract(FIELDS))
    full = [{**row, "size": Decimal("1.00"), "day": None} for row in rows]
    try:
        data = FORMATS[name](full)
    except openpyxl.utils.exceptions.IllegalCharacterError:
        return

    _, again, told = rejects(plan, data, name)

    if told:
        assert rejects(plan, again, name)[1:] == (again, told)


def test_a_record_that_begins_with_a_byte_order_mark_keeps_it_when_it_is_dropped_again() -> None:
    plan = plan_of(contract([{"name": "n", "logicalType": "integer"}]))
    mark = b"\xef\xbb\xbf"

    _, data, told = rejects(plan, b'{"n":1}\n' + mark + b'{"n":2}\n{"n":"x"}\n', "rows.jsonl")

    assert told == [("", "json"), ("n", "type")]
    assert data == mark + mark + b'{"n":2}\n{"n":"x"}\n'  # the first one is the file's
    assert rejects(plan, data, "rows.jsonl")[1:] == (data, told)
