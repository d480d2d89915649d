"""Unique values and quality rules within objects, lists and maps, in every format that has them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from pyarrow import parquet

from mesh.validation import FileFormat, Kept, Limits, NullSink, validate
from tests.unit.validation.files import Outcome, contract, judge, plan_of

TEXT = {"logicalType": "string"}
PROPERTIES: list[dict[str, Any]] = [
    {"name": "id", "logicalType": "integer"},
    {
        "name": "address",
        "logicalType": "object",
        "properties": [{"name": "code", "physicalName": "CODE", **TEXT, "unique": True}],
    },
    {
        "name": "lines",
        "logicalType": "array",
        "items": {
            "logicalType": "object",
            "properties": [
                {"name": "sku", **TEXT, "unique": True},
                {"name": "n", "logicalType": "integer"},
            ],
        },
    },
]
ROWS: list[dict[str, Any]] = [
    {"id": 1, "address": {"CODE": "a"}, "lines": [{"sku": "x", "n": 1}, {"sku": "y", "n": None}]},
    {"id": 2, "address": {"CODE": "b"}, "lines": []},
    {"id": 3, "address": None, "lines": None},
    {"id": 4, "address": {"CODE": None}, "lines": [{"sku": None, "n": 1}]},
    {"id": 5, "address": {"CODE": "a"}, "lines": [{"sku": "z", "n": 2}, {"sku": "z", "n": 3}]},
    {"id": 6, "address": {"CODE": "c"}, "lines": [{"sku": "w", "n": 4}, {"sku": "y", "n": 5}]},
]
FOUND = [
    (5, "address.CODE", "unique"),
    (5, "lines[1].sku", "unique"),
    (6, "lines[1].sku", "unique"),
]
FORMATS = ["jsonl", "json", "parquet", "avro", "csv"]


def written(kind: str, rows: Sequence[Mapping[str, Any]] = ROWS) -> bytes:
    if kind == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    if kind == "json":
        return json.dumps(rows).encode()
    sink = io.BytesIO()
    if kind == "parquet":
        parquet.write_table(pa.Table.from_pylist(list(rows)), sink, row_group_size=4)
    elif kind == "avro":
        fastavro.writer(sink, AVRO, rows)
    else:
        text = io.StringIO()
        cells = (["" if v is None else json.dumps(v) for v in row.values()] for row in rows)
        csv.writer(text, lineterminator="\n").writerows([list(rows[0]), *cells])
        return text.getvalue().encode()
    return sink.getvalue()


def nullable(kind: Any) -> list[Any]:
    return ["null", kind]


AVRO: dict[str, Any] = {
    "type": "record",
    "name": "rows",
    "fields": [
        {"name": "id", "type": "long"},
        {
            "name": "address",
            "type": nullable(
                {
                    "type": "record",
                    "name": "address",
                    "fields": [{"name": "CODE", "type": nullable("string")}],
                }
            ),
        },
        {
            "name": "lines",
            "type": nullable(
                {
                    "type": "array",
                    "items": {
                        "type": "record",
                        "name": "line",
                        "fields": [
                            {"name": "sku", "type": nullable("string")},
                            {"name": "n", "type": nullable("long")},
                        ],
                    },
                }
            ),
        },
    ],
}


@pytest.mark.parametrize("kind", FORMATS)
def test_what_stands_twice_is_told_with_its_row_and_place(kind: str) -> None:
    outcome = judge(plan_of(contract(PROPERTIES)), written(kind), f"rows.{kind}", chunk=50)

    assert outcome.named == FOUND
    assert [item["message"] for item in outcome.violations] == [
        "address.CODE must be unique in the file; 'a' is already in row 1.",
        "lines[1].sku must be unique in the file; 'z' is already in lines[0].sku of the same row.",
        "lines[1].sku must be unique in the file; 'y' is already in row 1.",
    ]
    assert outcome.violations[0]["path"] == "/schema/0/properties/1/properties/0/unique"
    assert outcome.violations[1]["path"] == "/schema/0/properties/2/items/properties/0/unique"
    assert outcome.violations[0]["value"] == "a"


def nested(element: dict[str, Any], *texts: str, **field: Any) -> Outcome:
    plan = plan_of(contract([{"name": "a", **element, **field}]))
    return judge(plan, "".join(f'{{"a": {text}}}\n' for text in texts).encode(), "rows.jsonl")


def test_values_of_maps_and_of_lists_of_lists() -> None:
    number = {"logicalType": "number", "unique": True}
    maps = {"logicalType": "map", "map": {"key": TEXT, "value": number}}
    lists = {"logicalType": "array", "items": {"logicalType": "array", "items": number}}

    assert nested(maps, '{"x": 1, "y": 2}', '{"x": 3, "z": 1.0}', "null").named == [
        (2, "a.z", "unique")
    ]
    assert nested(lists, "[[1], [2, null, null]]", "[[], [2.0]]").named == [
        (2, "a[1][0]", "unique")
    ]


def test_whole_objects_can_be_unique_in_lists() -> None:
    element = {
        "logicalType": "array",
        "items": {
            "logicalType": "object",
            "unique": True,
            "properties": [{"name": "x", **TEXT}, {"name": "y", **TEXT}],
        },
    }
    texts = ['[{"x": "1", "y": "2"}]', '[{"y": "2", "x": "1"}, {"x": "2", "y": "1"}]']

    assert nested(element, *texts).named == [(2, "a[0]", "unique")]


def test_secrets_are_masked() -> None:
    element = {"logicalType": "array", "items": {**TEXT, "unique": True}}
    found = nested(element, '["x"]', '["x"]', classification="secret").violations

    assert [(one["value"], one["message"]) for one in found] == [
        ("***", "a[0] must be unique in the file; the value is already in row 1.")
    ]
    assert "x" not in found[0]["raw"]


def test_a_record_of_repetitions_is_summed_up() -> None:
    element = {"name": "a", "logicalType": "array", "items": {**TEXT, "unique": True}}
    plan = plan_of(contract([element]))
    data = b'{"a": ["x"]}\n{"a": [' + b'"x", ' * 999 + b'"y"]}\n{"a": ["y"]}\n'

    report = judge(plan, data, "rows.jsonl", chunk=5000).report

    assert report.by_rule == {"unique": Limits().violations_per_record + 1}


def test_values_are_looked_up_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.validation.nested_keys._AT_ONCE", 2)
    found = nested(
        {"logicalType": "array", "items": {**TEXT, "unique": True}}, '["x", "y", "x", "z", "z"]'
    )

    assert [one["message"] for one in found.violations] == [
        "a[2] must be unique in the file; 'x' is already in the same row.",
        "a[4] must be unique in the file; 'z' is already in the same row.",
    ]


def test_good_rows_of_a_file_that_is_mended_count() -> None:
    plan = plan_of(contract(PROPERTIES))
    kept = Kept(file=io.BytesIO(written("jsonl", ROWS[:2])), kind="jsonl", separator=None, rows=2)
    layout = FileFormat.from_name("rows.jsonl")
    assert isinstance(layout, FileFormat)

    data = written("jsonl", ROWS[4:5])
    report = validate(plan, [data], file_format=layout, sink=NullSink(), kept=kept)

    assert [one.message for one in report.sample] == [
        "address.CODE must be unique in the file; 'a' is already in the file that this one mends.",
        "lines[1].sku must be unique in the file; 'z' is already in lines[0].sku of the same row.",
    ]


COUNTS: list[tuple[str, dict[str, Any], int, str]] = [
    ("address.CODE", {"metric": "nullValues"}, 2, ""),
    ("address.CODE", {"metric": "duplicateValues"}, 1, ""),
    ("address.CODE", {"metric": "nullValues", "unit": "percent"}, 33, "33.33 percent"),
    ("lines[].sku", {"metric": "nullValues"}, 1, ""),
    ("lines[].sku", {"metric": "duplicateValues"}, 2, ""),
    ("lines[].n", {"metric": "missingValues", "arguments": {"missingValues": [None, 1]}}, 3, ""),
    ("lines[].n", {"metric": "invalidValues", "arguments": {"validValues": [1, 2]}}, 3, ""),
    ("lines[].n", {"metric": "nullValues", "unit": "percent"}, 14, "14.29 percent"),
]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("label", "rule", "count", "said"), COUNTS)
def test_rules_of_the_library_count_within_fields(
    label: str, rule: dict[str, Any], count: int, said: str, kind: str
) -> None:
    document = json.loads(json.dumps(PROPERTIES).replace('"unique": true', '"unique": false'))
    inner = [*document[1]["properties"], *document[2]["items"]["properties"]]
    places = dict(zip(("address.CODE", "lines[].sku", "lines[].n"), inner, strict=True))
    places[label]["quality"] = [{**rule, "mustBe": count + 1}]

    report = judge(plan_of(contract(document)), written(kind), f"rows.{kind}", chunk=1000).report

    (problem,) = report.problems
    assert f" in {label} must be {count + 1}" in problem.message
    assert problem.message.endswith(f"it is {said or count}.")


def test_a_query_about_a_part_of_an_object() -> None:
    from mesh.validation.queries import query_of, wrong_queries

    rule = {"type": "sql", "query": "SELECT count({property}) FROM {object}", "mustBe": 0}
    document = json.loads(json.dumps(PROPERTIES))
    document[1]["properties"][0]["quality"] = [rule]
    document[2]["items"]["properties"][0]["quality"] = [rule]
    plan = plan_of(contract(document))

    assert [query_of(one, "rows") for one in plan.quality] == [
        'SELECT count("address"."CODE") FROM "rows"',
        'SELECT count("lines"."sku") FROM "rows"',
    ]
    ((wrong, why),) = wrong_queries(plan)
    assert (wrong.field, "lines" in why) == ("lines[].sku", True)
