"""JSON arrays, Parquet, Avro and Excel: what is refused, and where bad rows are."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import zipfile
from decimal import Decimal
from typing import Any

import fastavro
import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from mesh.validation import FileFormat, FileProblem, Limits, NullSink, spool, validate
from mesh.validation import excel_reader as excel
from mesh.validation.report import FileRefusedError
from tests.unit.validation.files import Outcome, contract, judge, plan_of

PLAN = plan_of(
    contract(
        [
            {"name": "code", "logicalType": "string", "primaryKey": True, "required": True},
            {"name": "area", "logicalType": "integer"},
            {"name": "since", "logicalType": "date"},
        ]
    )
)


def problem(data: bytes, name: str, plan: Any = PLAN) -> tuple[str, str]:
    outcome = judge(plan, data, name, chunk=1000)
    assert outcome.report.verdict == "rejected"
    (found,) = outcome.report.problems
    assert found.remedy
    return found.rule, found.message


def parquet_of(columns: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


def avro_of(fields: dict[str, Any], rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    named = [{"name": name, "type": kind} for name, kind in fields.items()]
    fastavro.writer(sink, {"type": "record", "name": "rows", "fields": named}, rows)
    return sink.getvalue()


def workbook(*sheets: tuple[str, list[list[Any]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


GOOD_PARQUET = parquet_of({"code": ["CH", "NA"], "area": [1, None]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ("empty", "is empty")),
        ('{"code": "CH"}', ("json", "does not begin with [")),
        ('[{"code": "CH"}', ("json", "cut short after row 1")),
        ('[{"code": "C', ("json", "cut short after row 0")),
        ('[{"code": "CH"},]', ("json", "followed by no element (line 1)")),
        (
            '[{"code": "CH"}\n{"code": "NA"}]',
            ("json", "Row 1 of the JSON array is followed by '{'"),
        ),
        ('[{"code": "CH"}]\n\n[]', ("json", "follows the end of the JSON array (line 3)")),
        ('[{"code": "' + "x" * 5000 + '"}]', ("recordSize", "Row 1 (line 1) is longer")),
        ('[{"code": "' + "x" * 5000, ("recordSize", "Row 1 (line 1) is longer")),
    ],
)
def test_what_is_no_array(text: str, said: tuple[str, str]) -> None:
    outcome = judge(PLAN, text.encode(), "rows.json", limits=Limits(record_bytes=1000), chunk=300)
    (found,) = outcome.report.problems
    assert found.rule == said[0]
    assert said[1] in found.message


def test_places_in_an_array() -> None:
    text = '\ufeff[\n  {"code": "CH",\n   "area": 1},\n  {"code": "C\nH"}, '
    text += '{"code": "NA", "area": "x"}\n]'
    data = text.encode()
    for chunk in (1, 5, 1000):
        outcome = judge(PLAN, data, "rows.json", chunk=chunk)
        assert outcome.named == [(2, "", "json"), (3, "area", "type")]
        assert [item["line"] for item in outcome.violations] == [4, 5]
        places = [data[item["byte_start"] : item["byte_end"]] for item in outcome.violations]
        assert places == [b'{"code": "C\nH"}', b'{"code": "NA", "area": "x"}']
        assert outcome.rejected.endswith(b'\n{"code": "NA", "area": "x"}\n')
        assert outcome.report.byte_size == len(data)


def test_an_array_may_be_empty_and_compressed() -> None:
    assert judge(PLAN, b" [ ] ", "rows.json").report.verdict == "accepted"
    data = gzip.compress(b'[{"code": "CH"}, {"code": "CH"}]')
    assert judge(PLAN, data, "rows.json.gz").named == [(2, "code", "primaryKey")]


def test_parquet_columns_are_compared_before_any_row_is_read() -> None:
    data = parquet_of(
        {
            "area": ["1"],
            "since": [dt.datetime.fromisoformat("2026-01-01")],
            "extra": [1],
            "blob": [b"x"],
        }
    )
    rule, message = problem(data, "rows.parquet")
    assert rule == "columns"
    assert message == (
        "The columns do not fit the contract: missing 'code'; unknown 'extra', 'blob'; of another "
        "type: 'area' is string, not integer, 'since' is timestamp[us], not date."
    )


def test_a_parquet_column_may_stand_twice_only_in_the_message() -> None:
    sink = io.BytesIO()
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["code", "code"])
    parquet.write_table(table, sink)
    assert problem(sink.getvalue(), "rows.parquet") == (
        "columns",
        "The columns do not fit the contract: twice 'code'.",
    )


def test_columns_the_contract_does_not_know_may_be_ignored() -> None:
    plan = plan_of(
        contract(
            [{"name": "code", "logicalType": "string"}],
            {"fileDialect": {"trailingColumns": "ignore"}},
        )
    )
    data = parquet_of({"code": ["a"], "blob": [b"x"]})
    assert judge(plan, data, "rows.parquet").report.verdict == "accepted"


def test_bad_rows_of_parquet() -> None:
    data = parquet_of(
        {
            "code": ["CH", None, "CH", 'q"\\\n'],
            "area": [1.0, 2.0, 2.5, float("nan")],
            "since": [dt.date(2026, 1, 1), None, None, None],
        },
        row_group_size=2,
    )
    outcome = judge(PLAN, data, "rows.parquet", chunk=100)
    assert outcome.named == [
        (2, "code", "type"),
        (3, "area", "type"),
        (3, "code", "primaryKey"),
        (4, "", "json"),
    ]
    assert outcome.accepted == b'{"code": "CH", "area": 1, "since": "2026-01-01"}\n'
    assert outcome.rejected.splitlines()[0] == b'{"code": null, "area": 2, "since": null}'
    assert [item["line"] for item in outcome.violations] == [2, 3, 3, 4]


def test_bad_rows_of_parquet_with_views_of_text() -> None:
    """Arrow writes such columns, and takes no rows out of them."""
    plan = plan_of(
        contract([{"name": "a", "logicalType": "string", "logicalTypeOptions": {"maxLength": 3}}])
    )
    data = parquet_of({"a": pa.array(["abc", "abcd", None], pa.string_view())})

    outcome = judge(plan, data, "rows.parquet", chunk=100)

    assert outcome.report.problems == ()
    assert outcome.named == [(2, "a", "maxLength")]


def test_nested_parquet() -> None:
    plan = plan_of(
        contract(
            [
                {
                    "name": "o",
                    "logicalType": "object",
                    "properties": [
                        {"name": "at", "logicalType": "timestamp"},
                        {
                            "name": "price",
                            "logicalType": "number",
                            "logicalTypeOptions": {"multipleOf": 0.01},
                        },
                    ],
                },
                {"name": "l", "logicalType": "array", "items": {"logicalType": "integer"}},
                {
                    "name": "m",
                    "logicalType": "map",
                    "map": {
                        "key": {"logicalType": "string"},
                        "value": {"logicalType": "integer"},
                    },
                },
            ]
        )
    )
    at = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    o = pa.struct([("at", pa.timestamp("us", "Europe/Berlin")), ("price", pa.decimal128(9, 3))])
    columns = {
        "o": pa.array([{"at": at, "price": Decimal("19.990")}, {"price": Decimal("0.001")}], o),
        "l": pa.array([[1, None], []], pa.list_(pa.int32())),
        "m": pa.array([[("a", 1)], [("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64())),
    }
    outcome = judge(plan, parquet_of(columns), "rows.parquet", chunk=100)
    assert outcome.named == [(2, "a", "duplicateKey")]
    assert json.loads(outcome.accepted) == {
        "o": {"at": "2026-01-01T10:00:00.000000Z", "price": 19.99},
        "l": [1, None],
        "m": {"a": 1},
    }


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", ("empty", "is empty")),
        (b"code,area\nCH,1\n", ("parquet", "does not begin with PAR1")),
        (GOOD_PARQUET[:-7], ("parquet", "cut short")),
        (b"PAR1" + b"\xff" * 40 + b"PAR1", ("parquet", "cannot be read: ")),
        (b"PARE" + GOOD_PARQUET[4:-4] + b"PARE", ("encrypted", "is encrypted")),
        (GOOD_PARQUET[:4] + b"\xff" * 30 + GOOD_PARQUET[34:], ("parquet", "cannot be read: ")),
    ],
)
def test_what_is_no_parquet(data: bytes, said: tuple[str, str]) -> None:
    rule, message = problem(data, "rows.parquet")
    assert rule == said[0]
    assert said[1] in message


def test_text_in_parquet_that_is_not_utf8() -> None:
    texts = pa.array([b"\xff"]).cast(pa.binary()).view(pa.string())
    rule, message = problem(parquet_of({"code": texts}), "rows.parquet")
    assert rule == "parquet"
    assert "UTF8" in message


def test_a_row_group_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.validation.parquet_reader.MOST_GROUP", 10)
    rule, message = problem(GOOD_PARQUET, "rows.parquet")
    assert rule == "recordSize"
    assert "Row group 1 of the Parquet file has" in message


def test_a_description_of_columns_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.validation.parquet_reader.MOST_FOOTER", 10)
    rule, message = problem(GOOD_PARQUET, "rows.parquet")
    assert rule == "recordSize"
    assert message.startswith("The description of columns and row groups at the end")


def test_a_file_beyond_the_spool() -> None:
    with pytest.raises(FileRefusedError) as refused:
        spool.spooled([b"x" * 6, b"x" * 5], most=10)
    assert refused.value.problem.rule == "fileSize"
    assert "larger than 10 bytes" in refused.value.problem.message


def test_avro_schema_is_compared_before_any_record_is_read() -> None:
    data = avro_of({"area": "string", "other": "int", "since": "bytes"}, [])
    assert problem(data, "rows.avro") == (
        "columns",
        (
            "The columns do not fit the contract: missing 'code'; unknown 'other'; of another "
            "type: 'area' is string, not integer, 'since' is bytes, not date."
        ),
    )


def test_bad_records_of_avro() -> None:
    fields = {"code": ["null", "string"], "area": ["null", "long", "double"]}
    rows = [{"code": "CH", "area": 1}, {"code": None, "area": 2}, {"code": "NA", "area": 2.5}]
    outcome = judge(PLAN, avro_of(fields, rows), "rows.avro", chunk=3)
    assert outcome.named == [(2, "code", "type"), (3, "area", "type")]
    assert outcome.rejected == b'{"code": null, "area": 2}\n{"code": "NA", "area": 2.5}\n'


GOOD_AVRO = avro_of({"code": "string"}, [{"code": "CH"}] * 100)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", ("empty", "is empty")),
        (b"PAR1", ("avro", "does not begin with Obj1")),
        (GOOD_AVRO[:20], ("avro", "cannot be read at its head")),
        (GOOD_AVRO[:-30], ("avro", "cannot be read after row")),
    ],
)
def test_what_is_no_avro(data: bytes, said: tuple[str, str]) -> None:
    rule, message = problem(data, "rows.avro")
    assert rule == said[0]
    assert said[1] in message


def test_avro_without_fields() -> None:
    sink = io.BytesIO()
    fastavro.writer(sink, "string", ["a"])
    rule, message = problem(sink.getvalue(), "rows.avro")
    assert rule == "columns"
    assert "no records with fields" in message


def test_cells_are_what_excel_stores() -> None:
    data = workbook(
        (
            "first",
            [
                ["since", "code", "area"],
                [dt.date(2026, 1, 1), "CH", 5.0],
                [],
                [dt.datetime.fromisoformat("2026-01-01T12:00:00"), 7, 5.5],
                [46023, "x", True],
                ["2026-01-01", dt.date(2026, 1, 1), None],
                [None, None, 1],
                [None, "#N/A", "#DIV/0!"],
            ],
        )
    )
    outcome = judge(PLAN, data, "rows.xlsx", chunk=1000)
    assert outcome.named == [
        (2, "code", "type"),
        (2, "area", "type"),
        (2, "since", "format"),
        (3, "area", "type"),
        (3, "since", "type"),
        (4, "code", "type"),
        (5, "code", "required"),
        (6, "code", "type"),
        (6, "area", "type"),
    ]
    assert [item["line"] for item in outcome.violations] == [4, 4, 4, 5, 5, 6, 7, 8, 8]
    assert outcome.violations[5]["value"] == "46023.0"
    assert outcome.accepted == b'{"since": "2026-01-01", "area": 5, "code": "CH"}\n'


def test_a_named_sheet() -> None:
    plan = plan_of(
        contract([{"name": "code", "logicalType": "string"}], {"fileDialect": {"sheet": "data"}})
    )
    data = workbook(("notes", [["hello"]]), ("data", [["code"], ["CH"]]))
    assert judge(plan, data, "rows.xlsx").report.rows == 1
    rule, message = problem(workbook(("notes", [["code"]])), "rows.xlsx", plan)
    assert rule == "sheet"
    assert message == "The workbook has no sheet 'data'; it has 'notes'."


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], ("empty", "neither a header nor a row")),
        ([["CH", 1], ["NA", 2]], ("header", "names none of the contract's columns")),
        ([["code", None, "area"]], ("columns", "Column 2 of the sheet has no name")),
        ([["code", "code", "other"]], ("columns", "unknown 'other'; twice 'code'")),
    ],
)
def test_sheets_without_the_contracts_columns(rows: list[list[Any]], said: tuple[str, str]) -> None:
    rule, message = problem(workbook(("first", rows)), "rows.xlsx")
    assert rule == said[0]
    assert said[1] in message


def test_cells_beyond_the_header() -> None:
    outcome = judge(PLAN, workbook(("first", [["code"], ["CH", None, 1]])), "rows.xlsx", chunk=999)
    assert outcome.named == [(1, "(column 3)", "additionalProperties")]


def zipped(name: str, size: int) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"\0" * size)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"code;area\nCH;1\n", ("xlsx", "cannot be read: File is not a zip file")),
        (zipped("xl/other.xml", 10), ("xlsx", "cannot be read: ")),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, ("encrypted", "by a password")),
    ],
)
def test_what_is_no_workbook(data: bytes, said: tuple[str, str]) -> None:
    rule, message = problem(data, "rows.xlsx")
    assert rule == said[0]
    assert said[1] in message


def test_a_workbook_that_unpacks_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "MOST_SHARED_TEXTS", 1 << 20)
    rule, message = problem(zipped("xl/sharedStrings.xml", (1 << 20) + 1), "rows.xlsx")
    assert rule == "fileSize"
    assert message.startswith("The workbook unpacks to 1,048,577 bytes")


def test_a_sheet_that_is_too_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "MOST_COLUMNS", 3)
    for rows in ([["code", "a", "b", "c"]], [["code"], ["a", "b", "c", "d"]]):
        rule, message = problem(workbook(("first", rows)), "rows.xlsx")
        assert rule == "columns"
        assert "more than 3 columns" in message


def test_sensitive_fields_are_masked_in_every_format() -> None:
    plan = plan_of(
        contract(
            [
                {"name": "code", "logicalType": "integer", "classification": "confidential"},
                {"name": "open", "logicalType": "integer"},
            ]
        )
    )
    rows = [{"code": "s3cret", "open": 1}]

    def seen(outcome: Outcome) -> str:
        assert outcome.report.rejected == 1
        return json.dumps(outcome.violations)

    assert "s3cret" not in seen(judge(plan, json.dumps(rows).encode(), "rows.json"))
    sheet = workbook(("first", [["code", "open"], ["s3cret", 1]]))
    assert "s3cret" not in seen(judge(plan, sheet, "rows.xlsx"))


def test_memory_does_not_grow_with_an_array() -> None:
    import tracemalloc

    def pieces(count: int) -> Any:
        yield b"[" + b'{"code": "CH", "area": "x"}'
        for number in range(count):
            yield b',\n{"code": "%d %b", "area": 1}' % (number, b"x" * 1000)
        yield b"]"

    plan = plan_of(
        contract(
            [{"name": "code", "logicalType": "string"}, {"name": "area", "logicalType": "integer"}]
        )
    )
    file_format = FileFormat.from_name("rows.json")
    assert not isinstance(file_format, FileProblem)
    peaks = []
    for count in (4000, 12_000):
        tracemalloc.start()
        report = validate(plan, pieces(count), file_format=file_format, sink=NullSink())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert report.accepted == count
    assert peaks[1] < 1.3 * peaks[0]


def test_a_sheet_without_a_header() -> None:
    plan = plan_of(
        contract(
            [{"name": "a", "logicalType": "string"}, {"name": "b", "logicalType": "integer"}],
            {"fileDialect": {"header": False}},
        )
    )
    outcome = judge(plan, workbook(("first", [["x", 1], ["y", "z"]])), "rows.xlsx", chunk=1000)
    assert outcome.named == [(2, "b", "type")]


def test_damaged_parquet_ends_in_a_report_by_columns_as_by_rows() -> None:
    """One wrong byte anywhere: asked in the wrong way, Arrow ends the process on some of them."""
    columns = {"code": [f"c{number}" for number in range(60)], "area": list(range(60))}
    data = parquet_of(columns, row_group_size=20, compression="none")
    for at in range(4, len(data) - 4, 7):
        damaged = data[:at] + bytes([data[at] ^ (1, 4, 128)[at % 3]]) + data[at + 1 :]
        found = []
        for fast in (True, False):
            report = validate(
                PLAN,
                [damaged],
                file_format=FileFormat(kind="parquet"),
                sink=NullSink(),
                limits=Limits(fast=fast),
            )
            found.append((report.verdict, [item.rule for item in report.problems]))
        assert found[0] == found[1], at
