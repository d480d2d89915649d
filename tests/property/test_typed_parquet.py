"""Published Parquet holds, typed by the contract, exactly what the accepted records hold."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mesh.model.contract import DataContract, record_schema
from mesh.model.instants import instant
from mesh.validation import FileFormat, FileProblem, accepted_json
from mesh.validation.reference import record_validator
from mesh.validation.typed_parquet import TypedParquet
from tests.property.test_engine import (
    NUMBERS,
    contracts,
    json_text,
    json_values,
    parsed,
    read_cell,
    strings,
)
from tests.thorough import examples
from tests.unit.validation.files import contract, unchecked_plan_of


def published(
    document: dict[str, Any], name: str, header: bytes | None, blocks: list[bytes]
) -> tuple[Any, Any]:
    """The Parquet file of accepted records, each block a row group, and what is told of it."""
    file_format = FileFormat.from_name(name)
    assert not isinstance(file_format, FileProblem)
    made = TypedParquet(unchecked_plan_of(document), file_format)
    if header is not None:
        made.header(header)
    for block in blocks:
        made.add(block)
        made._flush()
    sink = io.BytesIO()
    told = made.finish(sink)
    made.close()
    assert told.byte_size == len(sink.getvalue())
    table = parquet.read_table(io.BytesIO(sink.getvalue()))
    assert [str(field.type) for field in table.schema] == [column.type for column in told.columns]
    for column in told.columns:
        assert column.nulls == table.column(column.name).null_count
    return table, told


def same(stored: Any, value: Any, element: dict[str, Any]) -> bool:
    """Whether a value of the table is the JSON value."""
    if stored is None or value is None:
        return stored is value
    kind = element["logicalType"]
    if isinstance(stored, dt.datetime | dt.time):
        schema = {"format": "date-time"}
        then = instant(value, schema)
        now = instant(stored.isoformat().replace("Z", "+00:00"), schema)
        assert then
        assert now
        return then.seconds == now.seconds and abs(then.fraction - now.fraction) < Decimal("1e-6")
    if isinstance(stored, dt.date):
        return stored.isoformat() == value
    if kind == "array":
        pairs = zip(stored, value, strict=True)
        return all(same(a, b, element["items"]) for a, b in pairs)
    if kind == "object" and isinstance(stored, dict):
        return all(same(stored[i["name"]], value.get(i["name"]), i) for i in element["properties"])
    if isinstance(stored, float):
        return stored == float(value)
    if isinstance(stored, str) and not isinstance(value, str):
        return bool(json.loads(stored, parse_float=Decimal, parse_int=Decimal) == value)
    return bool(stored == value) and isinstance(stored, bool) == isinstance(value, bool)


def good(document: dict[str, Any], rows: list[Any]) -> list[bool]:
    validator = record_validator(record_schema(DataContract.from_document(document), "rows"))
    return [validator.is_valid(row) for row in rows]


@settings(max_examples=examples(100))
@given(st.data())
def test_accepted_json_lines(data: st.DataObject) -> None:
    properties = data.draw(contracts(nested=True))
    document = contract(properties)
    fields = {item["name"]: json_values(item) for item in properties}
    rows = data.draw(st.lists(st.fixed_dictionaries({}, optional=fields), max_size=8))
    texts = [json_text(row, data.draw(st.booleans())) for row in rows]
    records = [parsed(text) for text in texts]
    kept = [i for i, fine in enumerate(good(document, records)) if fine]
    blocks = [texts[i].encode() + b"\n" for i in kept]
    table, told = published(document, "rows.jsonl", None, blocks)
    with pytest.MonkeyPatch.context() as patch:
        for threshold in ("_LARGE", "_MANY"):
            patch.setattr(accepted_json, threshold, 0)
        assert published(document, "rows.jsonl", None, blocks) == (table, told)
        together, _ = published(document, "rows.jsonl", None, [b"".join(blocks)])
    assert together.to_pylist() == table.to_pylist()
    assert told.rows == table.num_rows == len(kept)
    for stored, i in zip(table.to_pylist(), kept, strict=True):
        for item in properties:
            name = item["name"]
            assert same(stored[name], records[i].get(name), item), (stored, texts[i])


@settings(max_examples=examples(100))
@given(st.data())
def test_accepted_csv(data: st.DataObject) -> None:
    properties = data.draw(contracts())
    document = contract(properties)
    cell = strings().filter(lambda text: "\0" not in text) | st.sampled_from(
        (*NUMBERS, "true", "false", "")
    )
    width = len(properties)
    rows = data.draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=8))
    rows = [row for row in rows if any(row) and not row[-1].endswith("\r")]
    records = [
        {
            item["name"]: read_cell(text, item) if text else None
            for text, item in zip(row, properties, strict=True)
            if text or not item["required"]
        }
        for row in rows
    ]
    kept = [i for i, fine in enumerate(good(document, records)) if fine]
    quoting = data.draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)))

    def line(cells: list[str]) -> bytes:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, quoting=quoting, lineterminator="\n").writerow(cells)
        return buffer.getvalue().encode()

    half = len(kept) // 2
    parts = [kept[:half], kept[half:]]
    blocks = [b"".join(line(rows[i]) for i in part) for part in parts if part]
    header = line([item["name"] for item in properties])
    table, _ = published(document, "rows.csv", header, blocks)
    assert table.num_rows == len(kept)
    for stored, i in zip(table.to_pylist(), kept, strict=True):
        for item in properties:
            name = item["name"]
            assert same(stored[name], records[i].get(name), item), (stored, rows[i])
