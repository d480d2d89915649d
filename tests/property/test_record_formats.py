"""Files that are no text lines: every row is judged as the reference judges its JSON."""

from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import fastavro
import openpyxl
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tests.property.test_engine import (
    contracts,
    expected_bad,
    json_text,
    json_values,
    parsed,
    strings,
)
from tests.thorough import examples
from tests.unit.validation.files import contract, judge, unchecked_plan_of

INTEGERS = st.one_of(
    st.sampled_from((-100, -1, 0, 1, 9, 10, 99, 100, 101)), st.integers(-(2**63), 2**63 - 1)
)
FLOATS = st.one_of(
    st.sampled_from((0.0, -0.0, 0.1, 0.3, 5.0, 19.99, 99.99, 100.01, 1e20, 1e-7)),
    st.floats(allow_nan=False, allow_infinity=False),
)
DECIMALS = st.decimals(min_value=-1000, max_value=1000, places=2)
STAMPS = st.datetimes(
    min_value=dt.datetime.fromisoformat("0001-01-02"),
    max_value=dt.datetime.fromisoformat("9999-12-30"),
)


@settings(max_examples=examples(150))
@given(st.data())
def test_the_elements_of_an_array_are_judged_as_the_reference_judges_them(
    data: st.DataObject,
) -> None:
    properties = data.draw(contracts(nested=True))
    fields = {item["name"]: json_values(item) for item in properties}
    rows = data.draw(
        st.lists(st.fixed_dictionaries({}, optional=fields) | st.just(1) | st.just([]), max_size=6)
    )
    lines = [json_text(row, data.draw(st.booleans())) for row in rows]
    lines = [data.draw(st.sampled_from(("{}", " {}\n", "\n{} "))).format(line) for line in lines]
    document = contract(properties)
    text = "[" + ",".join(lines) + "]"
    outcome = judge(unchecked_plan_of(document), text.encode(), "rows.json", chunk=13)
    assert outcome.report.problems == ()
    assert outcome.report.rows == len(rows)
    bad = sorted({row for row, _, _ in outcome.named})
    assert bad == expected_bad(document, [parsed(line) for line in lines])
    for item in outcome.violations:
        shown = text.encode()[item["byte_start"] : item["byte_end"]].decode()
        assert parsed(shown) == parsed(lines[item["row"] - 1])


def typed(kind: str) -> tuple[Any, st.SearchStrategy[Any]]:
    """The Arrow types that suit a logical type, with values."""
    return {
        "string": (pa.string(), strings()),
        "enum": (pa.string(), st.sampled_from(("a", "é", "", "x,y", "b"))),
        "integer": (pa.int64(), INTEGERS),
        "number": (pa.float64(), FLOATS),
        "decimal": (pa.decimal128(10, 2), DECIMALS),
        "boolean": (pa.bool_(), st.booleans()),
        "date": (pa.date32(), st.dates()),
        "timestamp": (pa.timestamp("us", "UTC"), STAMPS.map(lambda at: at.replace(tzinfo=dt.UTC))),
        "local": (pa.timestamp("us"), STAMPS),
        "time": (pa.time64("us"), st.times()),
    }[kind]


def plain(value: Any) -> Any:
    """What a value is in JSON, said in the simplest way."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value


def kind_of(element: dict[str, Any]) -> str:
    """A key of `typed` for a property that `contracts` made."""
    if "enum" in element:
        values = {type(entry["value"]) for entry in element["enum"]}
        return "enum" if str in values else str(element["logicalType"])
    if element["logicalType"] == "timestamp" and element.get("logicalTypeOptions"):
        return "local"
    return str(element["logicalType"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, str], list[dict[str, Any]]]:
    """A contract, the kind of each column, and rows with values of these kinds or null."""
    properties = draw(contracts())
    kinds = {item["name"]: kind_of(item) for item in properties}
    for name, kind in kinds.items():
        if kind == "number" and draw(st.booleans()):
            kinds[name] = "decimal"
    row = {name: st.none() | typed(kind)[1] for name, kind in kinds.items()}
    return contract(properties), kinds, draw(st.lists(st.fixed_dictionaries(row), max_size=8))


@settings(max_examples=examples(150))
@given(tables(), st.integers(1, 9))
def test_rows_of_parquet_are_judged_as_the_reference_judges_them(
    table: tuple[dict[str, Any], dict[str, str], list[dict[str, Any]]], group: int
) -> None:
    document, kinds, rows = table
    schema = pa.schema([(name, typed(kind)[0]) for name, kind in kinds.items()])
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), sink, row_group_size=group)
    outcome = judge(unchecked_plan_of(document), sink.getvalue(), "rows.parquet", chunk=1000)
    assert outcome.report.problems == ()
    assert outcome.report.rows == len(rows)
    records = [{name: plain(value) for name, value in row.items()} for row in rows]
    assert sorted({row for row, _, _ in outcome.named}) == expected_bad(document, records)


AVRO: dict[str, Any] = {
    "string": "string",
    "enum": "string",
    "integer": "long",
    "number": "double",
    "decimal": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
    "boolean": "boolean",
    "date": {"type": "int", "logicalType": "date"},
    "timestamp": {"type": "long", "logicalType": "timestamp-micros"},
    "local": {"type": "long", "logicalType": "local-timestamp-micros"},
    "time": {"type": "long", "logicalType": "time-micros"},
}


@settings(max_examples=examples(100))
@given(tables(), st.sampled_from(("null", "deflate")))
def test_records_of_avro_are_judged_as_the_reference_judges_them(
    table: tuple[dict[str, Any], dict[str, str], list[dict[str, Any]]], codec: str
) -> None:
    document, kinds, rows = table
    fields = [{"name": name, "type": ["null", AVRO[kind]]} for name, kind in kinds.items()]
    sink = io.BytesIO()
    fastavro.writer(sink, {"type": "record", "name": "rows", "fields": fields}, rows, codec=codec)
    outcome = judge(unchecked_plan_of(document), sink.getvalue(), "rows.avro", chunk=11)
    assert outcome.report.problems == ()
    records = [{name: plain(value) for name, value in row.items()} for row in rows]
    assert sorted({row for row, _, _ in outcome.named}) == expected_bad(document, records)


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.sampled_from((0.1, 19.99, 5.5)),
    st.sampled_from(("a", "é", "x,y", "2024-02-29", "12:30:00", "5", "AB")),
)


@settings(max_examples=examples(40))
@given(st.data())
def test_rows_of_a_sheet_are_judged_as_the_reference_judges_them(data: st.DataObject) -> None:
    document, kinds, _ = data.draw(tables())
    names = list(kinds)
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names))))
    book = openpyxl.Workbook()
    book.active.append(names)
    for row in rows:
        book.active.append(row)
    sink = io.BytesIO()
    book.save(sink)
    outcome = judge(unchecked_plan_of(document), sink.getvalue(), "rows.xlsx", chunk=4096)
    assert outcome.report.problems == ()
    kept = [row for row in rows if any(value is not None for value in row)]
    required = {
        item["name"] for item in document["schema"][0]["properties"] if item.get("required")
    }
    records = [
        {
            name: plain(value)
            for name, value in zip(names, row, strict=True)
            if value is not None or name not in required
        }
        for row in kept
    ]
    assert outcome.report.rows == len(kept)
    assert sorted({row for row, _, _ in outcome.named}) == expected_bad(document, records)


@settings(max_examples=examples(200))
@given(
    st.binary(max_size=120),
    st.sampled_from(("rows.json", "rows.parquet", "rows.avro", "rows.xlsx", "rows.json.gz")),
    st.sampled_from((b"", b"PAR1", b"Obj\x01", b"PK\x03\x04", b"[", b'[{"a": "x"},')),
    st.sampled_from((b"", b"PAR1", b"]")),
)
def test_any_bytes_end_in_a_report(data: bytes, name: str, start: bytes, end: bytes) -> None:
    plan = unchecked_plan_of(contract([{"name": "a", "logicalType": "string"}]))
    report = judge(plan, start + data + end, name).report
    assert report.verdict == "rejected" or json.loads(start + data + end) is not None
