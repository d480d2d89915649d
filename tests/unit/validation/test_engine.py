"""What the engine promises beside single verdicts."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import zstandard

from mesh.model.contract import DataContract
from mesh.model.receipt import Judged, receipt
from mesh.model.receipt_pages import markdown
from mesh.validation import (
    FileFormat,
    FileProblem,
    Limits,
    NullSink,
    StreamSink,
    ValidationReport,
    compile_object,
    validate,
)
from tests.unit.validation.files import contract, judge, plan_of

ROOT = Path(__file__).resolve().parents[3]
REAL = ROOT.parent / "shared" / "data" / "ourairports"
CSV = FileFormat(kind="csv", separator=",")
PEOPLE: list[dict[str, Any]] = [
    {"name": "id", "logicalType": "integer", "primaryKey": True},
    {"name": "name", "logicalType": "string", "classification": "confidential",
     "logicalTypeOptions": {"maxLength": 3, "pattern": "^[a-z]*$"}},
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "separator", "compression"),
    [
        ("a/b/x.csv", "csv", ",", "none"),
        ("X.CSV", "csv", ",", "none"),
        ("x.tsv", "csv", "\t", "none"),
        ("x.jsonl", "jsonl", None, "none"),
        ("x.2026.ndjson.gz", "jsonl", None, "gzip"),
        ("x.csv.zst", "csv", ",", "zstd"),
    ],
)
def test_the_format_is_told_by_the_name(
    name: str, kind: str, separator: str | None, compression: str
) -> None:
    found = FileFormat.from_name(name)
    assert isinstance(found, FileFormat)
    assert (found.kind, found.separator, found.compression) == (kind, separator, compression)


@pytest.mark.parametrize("name", ["x.xml", "x", "csv", "x.gz", "x.csv.zip", ""])
def test_a_format_that_cannot_be_read_is_refused_by_name(name: str) -> None:
    found = FileFormat.from_name(name)
    assert isinstance(found, FileProblem)
    assert found.rule == "format"
    assert repr(name) in found.message
    assert ".csv" in found.remedy


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_compressed_files_are_read_on_the_way(ending: str) -> None:
    plan = plan_of(contract([{"name": "a", "logicalType": "integer"}]))
    data = b"a\n" + b"1\n" * 1000 + b"x\n"
    packed = gzip.compress(data) if ending == "gz" else zstandard.compress(data)
    report = judge(plan, packed, f"x.csv.{ending}").report
    assert (report.rows, report.rejected, report.byte_size) == (1001, 1, len(data))


def test_two_gzip_members_are_one_file_and_a_cut_one_is_refused() -> None:
    plan = plan_of(contract([{"name": "a", "logicalType": "integer"}]))
    packed = gzip.compress(b"a\n1\n") + gzip.compress(b"2\n")
    assert judge(plan, packed, "x.csv.gz").report.rows == 2
    problems = judge(plan, packed[:-3], "x.csv.gz").report.problems
    assert [problem.message for problem in problems] == [
        "The gzip file is cut short: its end is missing."
    ]


def test_sensitive_values_are_masked_everywhere_but_in_the_reject_file() -> None:
    plan = plan_of(contract(PEOPLE))
    outcome = judge(plan, b"id,name\n1,SECRET\nx,abc\n2,SECRET,1\n")
    assert b"SECRET" in outcome.rejected
    said = json.dumps(outcome.violations)
    assert "SECRET" not in said
    assert "abc" not in said
    assert outcome.violations[0]["value"] == "***"
    assert outcome.violations[0]["raw"] == "1,***"
    assert outcome.violations[0]["message"] == "name must have at most 3 characters, not 6."
    assert outcome.violations[-1]["raw"] == "***"
    records = b'{"id": "x", "name": "SECRET"}\n{"name": "SECRET"\n{"id": 1, "nmae": "SECRET"}\n'
    lines = judge(plan, records, "x.jsonl")
    assert lines.named[-1] == (3, "nmae", "additionalProperties")
    assert "SECRET" not in json.dumps(lines.violations)
    behind = b'{"id": 1, "name": "abc"}\n{"id": 2, "name": "SECRET"}\n'
    assert judge(plan, behind, "x.jsonl").violations[0]["raw"] == '{"id": 2, "name": "***"}'
    problem = judge(plan, b"1,SECRET\n").report.problems[0]
    assert problem.message == "The first line names none of the contract's columns."


def test_violations_name_place_and_rule_in_the_contract() -> None:
    plan = plan_of(contract([{"name": "a", "logicalType": "integer"}]))
    data = b'a\n1\n"x"\n'
    assert judge(plan, data).violations == [
        {
            "row": 2,
            "line": 3,
            "byte_start": 4,
            "byte_end": 8,
            "field": "a",
            "rule": "type",
            "path": "/schema/0/properties/0/logicalType",
            "value": "x",
            "message": "a must be a whole number; it is 'x'.",
            "raw": '"x"',
        }
    ]


def test_the_reject_file_has_the_header_and_the_bad_rows_only() -> None:
    plan = plan_of(contract(PEOPLE))
    outcome = judge(plan, b"id,name\r\n1,abc\r\nx,abc\r\n2,ab\r\n3,abcd")
    assert outcome.rejected == b"id,name\r\nx,abc\r\n3,abcd\n"
    assert outcome.accepted == b"id,name\r\n1,abc\r\n2,ab\r\n"


def test_a_wrapped_json_schema_judges_by_its_own_draft() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"$ref": "#/definitions/n"}, "b": {"type": "string"}},
        "definitions": {"n": {"type": "integer", "maximum": 5}},
        "dependencies": {"b": ["c"]},
    }
    plan = compile_object(DataContract.from_document(schema), "record")
    outcome = judge(plan, b'{"a": 1}\n{"a": 9}\n{"a": 1, "b": "x"}\n', "x.jsonl")
    assert outcome.named == [(2, "a", "maximum"), (3, "", "dependencies")]
    assert outcome.violations[0]["path"] == "/properties/a/maximum"
    outcome = judge(plan, b"a,c\n1,x\n9,y\n")
    assert outcome.named == [(2, "a", "maximum")]


def test_references_of_a_field_that_has_an_id_start_from_the_field() -> None:
    part = {
        "$id": "https://example.com/part",
        "type": "array",
        "items": {"$ref": "#/$defs/n"},
        "$defs": {"n": {"type": "integer", "maximum": 5}},
    }
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
              "properties": {"a": part, "b": {"type": "string"}}}  # fmt: skip
    plan = compile_object(DataContract.from_document(schema), "record")
    outcome = judge(plan, b'{"a": [1, 9]}\n', "x.jsonl")
    assert outcome.named == [(1, "a[1]", "maximum")]


def numbered(count: int) -> Iterator[bytes]:
    yield b"a,b\n"
    for start in range(0, count, 1000):
        yield b"".join(b"%d,text that takes some room\n" % i for i in range(start, start + 1000))


@pytest.mark.parametrize("line", [b"x" * (1 << 20), b'"' + b"x" * (1 << 20)])
def test_a_line_of_a_hundred_megabytes_is_refused_in_flat_memory(line: bytes) -> None:
    plan = plan_of(contract([{"name": "a", "logicalType": "string"}]))
    chunks = iter([b"a\n", line, *[b"x" * (1 << 20)] * 99])
    tracemalloc.start()
    report = validate(plan, chunks, file_format=CSV, sink=NullSink())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.problems[0].rule in {"recordSize", "openQuote"}
    assert peak < 30 << 20
    assert report.byte_size < 20 << 20


SMALL_BLOCKS = Limits(large=1 << 18, block_bytes=1 << 16)


def test_memory_does_not_grow_with_the_file() -> None:
    properties = [{"name": "a", "logicalType": "integer"}, {"name": "b", "logicalType": "string"}]
    plan = plan_of(contract(properties))
    peaks = []
    for count in (100_000, 400_000):
        tracemalloc.start()
        report = validate(
            plan, numbered(count), file_format=CSV, sink=NullSink(), limits=SMALL_BLOCKS
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (report.rows, report.verdict) == (count, "accepted")
    assert peaks[1] < peaks[0] * 1.2


def test_the_sample_is_bounded_and_the_sink_is_told_all() -> None:
    plan = plan_of(contract([{"name": "a", "logicalType": "integer"}]))
    told = io.BytesIO()
    report = validate(
        plan,
        [b"a\n" + b"x\n" * 500],
        file_format=CSV,
        sink=StreamSink(violations=told),
        limits=Limits(sample=10),
    )
    assert len(report.sample) == 10
    assert told.getvalue().count(b"\n") == report.violations == report.by_rule["type"] == 500


def test_many_violations_of_one_record_are_bounded() -> None:
    plan = plan_of(contract([{"name": "a", "logicalType": "integer"}]))
    record = json.dumps({f"x{number}": 1 for number in range(5000)}).encode()
    report = judge(plan, record, "x.jsonl", chunk=10_000).report
    assert report.violations == 100


def test_importing_the_package_loads_the_standard_library_only() -> None:
    script = (
        "import sys, mesh.validation as v;"
        "print([n for n in sys.modules if n.split('.')[0] in "
        "('jsonschema', 'referencing', 'attr', 'zstandard', 'numpy', 'polars', 'pydantic')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def report_of(data: bytes) -> ValidationReport:
    return judge(plan_of(contract(PEOPLE)), data).report


@pytest.mark.parametrize(
    "data", [b"id,name\n1,abc\n", b"id,name\n1,abcd\nx,a|b\n", b"", b"id;name\n1;a\n"]
)
def test_a_receipt_follows_its_schema(data: bytes) -> None:
    zone = timezone(timedelta(hours=2))
    made = receipt(
        report_of(data),
        Judged(file="people.csv", contract_id="c", contract_version="1.0.0", object_name="rows"),
        decided_at=datetime(2026, 9, 8, 12, 30, tzinfo=zone),
        locations={"rejects": "quarantine/x"},
        shown=1,
    )
    schema = json.loads((ROOT / "schemas/receipts/v1.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(json.dumps(made)), schema)
    assert made["decidedAt"] == "2026-09-08T10:30:00Z"
    assert made["violationsShown"] == min(made["counts"]["violations"], 1)
    text = markdown(made)
    assert text.startswith(f"# people.csv: {made['verdict']}\n")
    for violation in made["violations"]:
        assert violation["message"] in text.replace("\\", "")


def test_a_receipt_for_people_cannot_be_written_into_by_a_file() -> None:
    made = receipt(
        report_of(b"id,name\n<script>|[x](y),a\n"),
        Judged(file="a|b.csv", contract_id="c", contract_version="1.0.0", object_name="rows"),
        decided_at=datetime(2026, 9, 8, tzinfo=UTC),
    )
    text = markdown(made)
    assert "\\<script\\>\\|\\[x\\](y)" in text
    assert "# a\\|b.csv" in text


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")
@pytest.mark.parametrize("path", sorted(REAL.glob("*.csv")), ids=lambda path: path.name)
def test_real_files_pass_through_unchanged(path: Path) -> None:
    data = path.read_bytes()
    names = data.splitlines()[0].decode().replace('"', "").split(",")
    properties = [
        {"name": name, "logicalType": "integer" if name == "id" else "string",
         "primaryKey": name == "id"} for name in names
    ]  # fmt: skip
    accepted = io.BytesIO()
    report = validate(
        plan_of(contract(properties)), [data], file_format=CSV, sink=StreamSink(accepted=accepted)
    )
    assert (report.verdict, report.problems) == ("accepted", ())
    assert accepted.getvalue() == data


def test_a_key_may_hold_null_within():
    """In an array it is a value like others; alone it equals nothing."""
    plan = plan_of(contract([{"name": "a", "logicalType": "array", "unique": True}]))
    data = b'{"a": [null]}\n{"a": [null]}\n{"a": [0]}\n{"a": null}\n{"a": null}\n'

    outcome = judge(plan, data, "rows.jsonl")

    assert [(one["row"], one["rule"]) for one in outcome.violations] == [(2, "unique")]
