"""Drafts for files that are no text lines."""

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
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mesh.errors import Rejected
from mesh.inference import infer
from tests.thorough import examples
from tests.unit.inference.test_infer import drafted, source
from tests.unit.validation.test_reject_file import as_workbook

DAY = dt.date(2026, 1, 31)
ROWS: list[dict[str, Any]] = [
    {
        "id": number,
        "kind": "ab"[number % 2],
        "size": Decimal(number) / 4,
        "day": DAY + dt.timedelta(days=number),
        "note": None,
    }
    for number in range(60)
]
SCHEMA = pa.schema(
    {
        "id": pa.int32(),
        "kind": pa.string(),
        "size": pa.decimal128(9, 2),
        "day": pa.date32(),
        "note": pa.int64(),
    }
)
AVRO = {
    "type": "record",
    "name": "r",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "kind", "type": "string"},
        {
            "name": "size",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        },
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "note", "type": ["null", "long"]},
    ],
}


def as_parquet(rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), out)
    return out.getvalue()


def as_avro(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, AVRO, rows)
    return out.getvalue()


def as_json(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps(
        [{**row, "size": float(row["size"]), "day": str(row["day"])} for row in rows]
    ).encode()


FORMATS = {
    "rows.parquet": as_parquet,
    "rows.avro": as_avro,
    "rows.xlsx": as_workbook,
    "rows.json": as_json,
    "rows.json.gz": lambda rows: gzip.compress(as_json(rows)),
    "rows.parquet.gz": lambda rows: gzip.compress(as_parquet(rows)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_fields_of_a_file_of_any_format(name):
    made = drafted(FORMATS[name](ROWS), name)

    fields = {field["name"]: field for field in made.document["schema"][0]["properties"]}
    assert {name: field["logicalType"] for name, field in fields.items()} == {
        "id": "integer",
        "kind": "string",
        "size": "number",
        "day": "date",
        "note": "integer" if "parquet" in name or "avro" in name else "string",
    }
    assert fields["id"]["primaryKey"]
    assert fields["id"]["required"]
    assert [one["value"] for one in fields["kind"]["enum"]] == ["a", "b"]
    assert "required" not in fields["note"]
    assert "60 values, never null." in made.evidence["/schema/0/properties/0"]
    assert "0 values, 100.00% null." in made.evidence["/schema/0/properties/4"]
    assert made.rows == 60


def test_the_own_type_of_a_column_is_told_and_goes_before_its_values():
    schema = pa.schema({"x": pa.float64(), "at": pa.timestamp("us"), "t": pa.time64("us")})
    rows = [{"x": 1.0, "at": dt.datetime(2026, 1, 31), "t": dt.time(9)}] * 30  # noqa: DTZ001 - a file without zones

    made = drafted(as_parquet(rows, schema), "rows.parquet")

    fields = made.document["schema"][0]["properties"]
    assert [field["logicalType"] for field in fields] == ["number", "timestamp", "time"]
    assert fields[1]["logicalTypeOptions"] == {"timezone": False}
    assert "The file's own type is double." in made.evidence["/schema/0/properties/0"]


def test_times_of_a_sheet():
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["at", "t", "mixed"])
    for hour in range(9, 12):
        moment = dt.datetime(2026, 1, 31, hour)  # noqa: DTZ001 - Excel knows no time zones
        book.active.append([moment, dt.time(hour), moment if hour == 9 else "no time"])
    out = io.BytesIO()
    book.save(out)

    fields = drafted(out.getvalue(), "rows.xlsx").document["schema"][0]["properties"]

    assert [field.get("logicalType") for field in fields] == ["timestamp", "time", None]


def test_files_of_several_formats_and_of_types_that_go_together():
    double = SCHEMA.set(0, pa.field("id", pa.float64()))
    sources = [
        source(as_parquet(ROWS), "a.parquet"),
        source(as_parquet(ROWS, double), "b.parquet"),
        source(as_json(ROWS), "c.json"),
    ]

    made = infer(sources, object_name="rows")

    assert made.document["schema"][0]["properties"][0]["logicalType"] == "number"
    assert made.rows == 180


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"PAR1", "rows.parquet", "cannot be read"),
        (b"[1, 2]", "rows.json", "The record must be an object"),
        (b"", "rows.avro", "The file is empty."),
        (b"PK", "rows.xlsx", "cannot be read"),
        (as_parquet([{"b": b"x"}], pa.schema({"b": pa.binary()})), "b.parquet", "'b' is binary"),
    ],
)
def test_files_that_no_contract_is_for(data, name, says):
    with pytest.raises(Rejected) as refused:
        infer([source(data, name)], object_name="rows")

    assert refused.value.problem == "nothing-to-infer"
    assert says in str(refused.value)


KINDS: dict[Any, st.SearchStrategy[Any]] = {
    pa.string(): st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
    pa.int64(): st.integers(-(2**62), 2**62),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(dt.date(1, 1, 1), dt.date(9999, 1, 1)),
    pa.decimal128(12, 3): st.decimals(-1000, 1000, places=3),
    pa.timestamp("us", "UTC"): st.datetimes(timezones=st.just(dt.UTC)),
    pa.list_(pa.int32()): st.lists(st.integers(0, 9), max_size=2),
}


@settings(max_examples=examples(40))
@given(data=st.data(), kinds=st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=4))
def test_the_draft_accepts_the_parquet_it_is_from(data, kinds):
    schema = pa.schema([(f"f{number}", kind) for number, kind in enumerate(kinds)])
    row = st.fixed_dictionaries(
        {f"f{number}": st.none() | KINDS[kind] for number, kind in enumerate(kinds)}
    )
    rows = data.draw(st.lists(row, min_size=1, max_size=5)) * data.draw(st.sampled_from([1, 30]))

    drafted(as_parquet(rows, schema), "rows.parquet")
