"""Published Parquet: types by the contract, what is told of it, and how it is widened."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import sys
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator
from pyarrow import parquet

from mesh.model.manifest import manifest
from mesh.model.receipt import Judged
from mesh.schemas import load
from mesh.validation import (
    FileFormat,
    FileProblem,
    NullSink,
    PublishedFile,
    PublishingSink,
    accepted_json,
)
from mesh.validation import typed_parquet as module
from mesh.validation.arrow_types import typed_columns
from mesh.validation.column_statistics import ColumnStatistics
from mesh.validation.engine import validate
from tests.unit.validation.files import contract, plan_of

NESTED = [
    {"name": "x", "logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.5}},
    {"name": "at", "logicalType": "timestamp"},
]
TYPES = [
    ({"logicalType": "string"}, "string"),
    ({"logicalType": "integer"}, "int64"),
    ({"logicalType": "integer", "logicalTypeOptions": {"format": "i32"}}, "int64"),
    ({"logicalType": "integer", "logicalTypeOptions": {"format": "u64"}}, "decimal128(38, 0)"),
    ({"logicalType": "number"}, "double"),
    ({"logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.01}}, "decimal128(38, 2)"),
    ({"logicalType": "number", "logicalTypeOptions": {"multipleOf": 5}}, "decimal128(38, 0)"),
    ({"logicalType": "boolean"}, "bool"),
    ({"logicalType": "date"}, "date32[day]"),
    ({"logicalType": "date", "logicalTypeOptions": {"format": "dd.MM.yyyy"}}, "date32[day]"),
    ({"logicalType": "date", "logicalTypeOptions": {"format": "dd.MM.yyyy HH:mm"}}, "string"),
    ({"logicalType": "timestamp"}, "timestamp[us, tz=UTC]"),
    ({"logicalType": "timestamp", "logicalTypeOptions": {"timezone": False}}, "timestamp[us]"),
    ({"logicalType": "time"}, "time64[us]"),
    ({"logicalType": "time", "logicalTypeOptions": {"timezone": True}}, "string"),
    ({"logicalType": "array", "items": {"logicalType": "integer"}}, "list<element: int64>"),
    ({"logicalType": "array"}, "string"),
    (
        {"logicalType": "object", "properties": NESTED},
        "struct<x: decimal128(38, 1), at: timestamp[us, tz=UTC]>",
    ),
    ({"logicalType": "object"}, "string"),
    (
        {
            "logicalType": "map",
            "map": {"key": {"logicalType": "string"}, "value": {"logicalType": "date"}},
        },
        "map<string, date32[day]>",
    ),
]


def test_what_is_begun_and_not_published_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_GROUP_BYTES", 1)
    plan = plan_of(contract([{"name": "a", "logicalType": "integer"}]))
    layout = FileFormat.from_name("rows.csv")
    assert isinstance(layout, FileFormat)
    unraised: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraised.append)

    sink = PublishingSink(NullSink(), plan, layout)
    validate(plan, [b"a\n1\n", b"2\nx\n"], file_format=layout, sink=sink)
    sink.close()
    del sink
    gc.collect()

    assert unraised == []


def publish(
    properties: list[dict[str, Any]],
    data: bytes,
    name: str = "rows.csv",
    custom: dict[str, Any] | None = None,
) -> tuple[list[dict[str, Any]], PublishedFile]:
    """The rows of the Parquet file of a file without a bad record, and what is told of it."""
    file_format = FileFormat.from_name(name)
    assert not isinstance(file_format, FileProblem)
    plan = plan_of(contract(properties, custom))
    sink = PublishingSink(NullSink(), plan, file_format)
    report = validate(plan, iter([data]), file_format=file_format, sink=sink)
    assert report.verdict == "accepted", report
    out = io.BytesIO()
    told = sink.publish(out)
    sink.close()
    assert told.sha256 == hashlib.sha256(out.getvalue()).hexdigest()
    assert told.byte_size == len(out.getvalue())
    assert told.rows == report.accepted
    table = parquet.read_table(io.BytesIO(out.getvalue()))
    return table.to_pylist(), told


@pytest.mark.parametrize(("element", "expected"), TYPES, ids=[kind for _, kind in TYPES])
def test_types_follow_from_the_contract(element: dict[str, Any], expected: str) -> None:
    _, told = publish([{"name": "a", **element}, {"name": "b", "logicalType": "string"}], b"a,b\n")
    assert told.columns[0].type == expected
    assert told.rows == 0


def test_values_of_every_type() -> None:
    properties = [
        {"name": "t", "logicalType": "string"},
        {"name": "i", "logicalType": "integer"},
        {"name": "n", "logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.01}},
        {"name": "d", "logicalType": "date", "logicalTypeOptions": {"format": "dd.MM.yyyy"}},
        {"name": "z", "logicalType": "timestamp"},
        {"name": "h", "logicalType": "time"},
        {"name": "b", "logicalType": "boolean"},
        {"name": "o", "logicalType": "object", "properties": NESTED},
    ]
    data = (
        "b;o;t;i;n;d;z;h\r\n"
        'ja;"{""x"": 1.5, ""at"": ""2026-01-01T00:00:00Z""}";"x;""y""";5,0;1,10;31.12.2026;'
        "2026-01-01T01:00:00.5+01:00;12:30:00\r\n"
        "nein;;NULL;1e3;-0;;0001-01-01T12:00:00+02:00;\r\n"
    )
    dialect = {
        "separator": ";",
        "decimalMark": ",",
        "nullTokens": ["NULL"],
        "trueTokens": ["ja"],
        "falseTokens": ["nein"],
    }
    rows, told = publish(properties, data.encode(), custom={"fileDialect": dialect})
    first, second = rows
    assert (first["t"], first["i"]) == ('x;"y"', 5)
    assert str(first["n"]) == "1.10"
    assert first["d"].isoformat() == "2026-12-31"
    assert first["z"].isoformat() == "2026-01-01T00:00:00.500000+00:00"
    assert first["h"].isoformat() == "12:30:00"
    assert first["b"] is True
    assert first["o"]["x"] == Decimal("1.5")
    assert (second["t"], second["i"], second["b"], second["o"]) == (None, 1000, False, None)
    assert [column.nulls for column in told.columns] == [1, 0, 0, 1, 0, 1, 0, 1]


def test_columns_that_are_too_narrow_are_widened_in_what_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_GROUP_BYTES", 1)
    big, huge = 2**63, 10**80
    properties = [{"name": "a", "logicalType": "integer"}, {"name": "b", "logicalType": "number"}]
    lines = [json.dumps({"a": value, "b": 1}) for value in (1, None, big, 10**40, huge)]
    for count, kind in ((2, "int64"), (3, "decimal128(38, 0)"), (4, "decimal256(76, 0)")):
        rows, told = publish(properties, "\n".join(lines[:count]).encode(), "rows.jsonl")
        assert told.columns[0].type == kind
        assert [row["a"] for row in rows] == [1, None, big, 10**40][:count]
    rows, told = publish(properties, "\n".join(lines).encode(), "rows.jsonl")
    assert told.columns[0].type == "string"
    assert [row["a"] for row in rows] == ["1", None, str(big), str(10**40), str(huge)]


def test_what_a_double_cannot_hold_is_counted() -> None:
    properties = [{"name": "a", "logicalType": "number"}]
    data = b'{"a": 0.1}\n{"a": 0.10}\n{"a": 12345678901234567.5}\n{"a": 9007199254740993}\n'
    rows, told = publish(properties, data, "rows.jsonl")
    assert rows[0]["a"] == rows[1]["a"] == 0.1
    assert told.columns[0].rounded == 2
    data += b'{"a": 1e400}\n'
    rows, told = publish(properties, data, "rows.jsonl")
    assert told.columns[0].type == "string"
    assert rows[4]["a"] == "1E+400"


def test_the_manifest() -> None:
    properties = [
        {"name": "code", "logicalType": "string"},
        {"name": "area", "logicalType": "integer", "classification": "confidential"},
        {"name": "since", "logicalType": "date"},
        {"name": "tags", "logicalType": "array", "items": {"logicalType": "string"}},
    ]
    data = b'code,area,since,tags\nNA,7,2026-01-02,"[""a""]"\nCH,9,2025-12-31,\nCH,,,\n'
    _, told = publish(properties, data)
    judged = Judged(
        file="rows.csv", contract_id="test", contract_version="1.0.0", object_name="rows"
    )
    made = manifest(told, judged)
    Draft202012Validator(load("manifests/v1")).validate(made)
    assert made["columns"] == [
        {"name": "code", "type": "string", "nulls": 0, "rounded": 0, "distinct": 2,
         "minimum": "CH", "maximum": "NA"},
        {"name": "area", "type": "int64", "nulls": 1, "rounded": 0},
        {"name": "since", "type": "date32[day]", "nulls": 1, "rounded": 0, "distinct": 2,
         "minimum": "2025-12-31", "maximum": "2026-01-02"},
        {"name": "tags", "type": "list<element: string>", "nulls": 2, "rounded": 0},
    ]  # fmt: skip
    _, again = publish(properties, data)
    assert again == told


def test_distinct_values_are_counted_up_to_a_thousand() -> None:
    properties = [{"name": "a", "logicalType": "integer"}, {"name": "b", "logicalType": "integer"}]
    data = "a,b\n" + "".join(f"{n % 1000},{n}\n" for n in range(2002))
    _, told = publish(properties, data.encode())
    assert [column.distinct for column in told.columns] == [1000, None]


@pytest.mark.parametrize("sensitive", [False, True])
def test_bounds_are_of_what_came_before_and_after_the_distinct_were_too_many(
    sensitive: bool,
) -> None:
    told = ColumnStatistics(sensitive=sensitive, dated=True)
    for batch in ([5, None, -3], range(2000), [7, 3000]):
        told.add(pa.array(batch, pa.int64()))

    assert told.summary() == {
        "nulls": 1,
        "minimum": None if sensitive else "-3",
        "maximum": None if sensitive else "3000",
        "distinct": None,
        "newest": 3000,
    }


@pytest.mark.parametrize(
    ("custom", "data"),
    [
        ({"escape": "\\", "quote": None}, b"a,b\nx\\,y,1\n"),
        ({"encoding": "iso-8859-1"}, b"a,b\n\xe9,1\n"),
        ({"encoding": "utf-16"}, "a,b\né,1\n".encode("utf-16")),
        ({"trailingColumns": "ignore"}, b"a,z,b\nx,y,1,2\n"),
        ({"header": False}, b"x,1\n"),
        ({"quotedEmpty": "string"}, b'a,b\n"",1\n'),
        ({}, b"a,b\nx\ry,1\n"),
    ],
)
def test_dialects(custom: dict[str, Any], data: bytes) -> None:
    properties = [{"name": "a", "logicalType": "string"}, {"name": "b", "logicalType": "integer"}]
    rows, _ = publish(properties, data, custom={"fileDialect": custom})
    expected = {
        "escape": "x,y",
        "encoding": "é",
        "trailingColumns": "x",
        "header": "x",
        "quotedEmpty": "",
    }
    assert rows == [{"a": expected.get(next(iter(custom), ""), "x\ry"), "b": 1}]


def test_one_column_with_blank_lines() -> None:
    rows, _ = publish([{"name": "a", "logicalType": "string"}], b"a\nx\n\ny\n")
    assert rows == [{"a": "x"}, {"a": None}, {"a": "y"}]


ODD = [
    ({"logicalType": "string"}, ['"\\u00e9\\ud83d\\ude00\\n\\"\\\\"', '""', '"null"', '"\\u0000"']),
    (
        {"logicalType": "integer"},
        ["-0", "5.0", "1e3", "9223372036854775807", "9223372036854775808"],
    ),
    ({"logicalType": "integer"}, ["9007199254740993", "-9223372036854775808"]),
    ({"logicalType": "number"}, ["-0.0", "0.1", "0.10", "12345678901234567.5", "1e-7", "1e400"]),
    ({"logicalType": "number"}, ["5", "123456789012.25", "-0.5"]),
    (
        {"logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.01}},
        ["19.99", "-0.00", "1.100", "1e2", "9999999999999.99", "12345678901234567.89"],
    ),
    ({"logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.01}}, ["0.29", "1.15", "7"]),
    ({"logicalType": "boolean"}, ["true", "false"]),
    ({"logicalType": "timestamp"}, ['"2026-01-01T01:00:00.5+01:00"', '"2026-01-01T00:00:00Z"']),
    ({"logicalType": "array", "items": {"logicalType": "number"}}, ["[1.50, 2]", "[]"]),
]


def _take_all_for_large(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(accepted_json, "_LARGE", 0)
    patch.setattr(accepted_json, "_MANY", 0)


@pytest.mark.parametrize(("element", "texts"), ODD)
def test_large_blocks_of_json_hold_what_small_ones_do(
    element: dict[str, Any], texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    properties = [{"name": "a", **element}, {"name": "b", "logicalType": "integer"}]
    lines = [f'{{"a": {text}, "b": 1}}' for text in texts]
    lines += ["", ' { "b":2 , "\\u0061" : null } \r', "{}"]
    data = "\n".join(lines).encode()
    small = publish(properties, data, "rows.jsonl")

    _take_all_for_large(monkeypatch)

    assert publish(properties, data, "rows.jsonl") == small


def test_large_blocks_of_json_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(contract([{"name": "a", "logicalType": "integer"}]))
    blocks = accepted_json.JsonBlocks(typed_columns(plan))
    assert blocks.rows(b'{"a": 12}\n').column("a") is None

    _take_all_for_large(monkeypatch)

    assert blocks.rows(b'{"a": 12}\n').column("a").to_pylist() == [12]
    assert blocks.rows(b'{"a": 5.0}\n').column("a") is None
    assert blocks.rows(b'{"a": 5.0}\n').values("a") == [5]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "number", ["1" + "0" * 60, "9" * 39, "-" + "9" * 38, "123456789e32", "-9.9e38", "99e74"]
)
def test_integers_of_any_length_are_exact(number: str, kind: str) -> None:
    """Arrow's own cast of such texts to decimals gives other numbers, and no error."""
    plan = plan_of(contract([{"name": name, "logicalType": "integer"} for name in ("n", "m")]))
    layout = FileFormat.from_name(f"rows.{kind}")
    assert isinstance(layout, FileFormat)
    text = f'{{"n": {number}, "m": 1}}\n' if kind == "jsonl" else f"n,m\n{number},1\n"
    sink = PublishingSink(NullSink(), plan, layout)
    report = validate(plan, [text.encode()], file_format=layout, sink=sink)
    file = io.BytesIO()
    sink.publish(file)
    sink.close()

    [value] = parquet.read_table(file).column("n").to_pylist()

    assert report.verdict == "accepted"
    assert Decimal(value) == Decimal(number)
