"""Avro files of few bytes that stand for very much: each is refused before it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesh.validation import avro_blocks
from tests.unit.validation.files import Outcome, contract, judge, plan_of

STRINGS = {"logicalType": "array", "items": {"logicalType": "string"}}
NUMBER = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
LISTS = {"type": "array", "items": {"type": "array", "items": "int"}}


def varint(number: int) -> bytes:
    zigzag, out = number << 1, b""
    while zigzag > 0x7F:
        out += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return out + bytes([zigzag])


def sized(data: bytes) -> bytes:
    return varint(len(data)) + data


def judged(field: Any, kind: Any, data: bytes, *, count: int = 1, **meta: bytes) -> Outcome:
    """A file of one block, whose records have one field `a` of this Avro type."""
    schema = {"type": "record", "name": "r", "fields": [{"name": "a", "type": kind}]}
    entries = {"avro.schema": json.dumps(schema).encode(), "avro.codec": b"null", **meta}
    head = b"".join(sized(name.encode()) + sized(value) for name, value in entries.items())
    file = b"Obj\x01" + varint(len(entries)) + head + b"\0" + bytes(16)
    file += varint(count) + sized(data) + bytes(16)
    return judge(plan_of(contract([{"name": "a", **field}])), file, "rows.avro", chunk=1 << 20)


def refusal(*args: Any, **options: Any) -> str:
    (problem,) = judged(*args, **options).report.problems
    assert problem.remedy
    return problem.message


def nested(depth: int) -> Any:
    kind: Any = "string"
    for _ in range(depth):
        kind = {"type": "array", "items": kind}
    return kind


def test_a_type_that_holds_itself() -> None:
    again = {"type": "record", "name": "q", "fields": [{"name": "q", "type": ["null", "q"]}]}
    said = refusal({"logicalType": "object"}, again, b"\x02" * 100_000 + b"\0")
    assert said == "The record type 'q' of the Avro schema holds itself."


def test_types_that_are_nested_too_deeply() -> None:
    assert judged(STRINGS, nested(60), b"\0").report.problems == ()
    assert refusal(STRINGS, nested(70), b"\0").endswith("nested more than 64 deep.")


def test_types_that_are_nested_too_deeply_by_their_names() -> None:
    def record(name: str, kind: Any) -> Any:
        return {"type": "record", "name": name, "fields": [{"name": "x", "type": kind}]}

    fields = [{"name": "f0", "type": record("t0", nested(30))}]
    fields += [{"name": f"f{n}", "type": record(f"t{n}", f"t{n - 1}")} for n in range(1, 50)]
    kind = {"type": "record", "name": "all", "fields": fields}
    assert refusal({"logicalType": "object"}, kind, b"\0" * 50).endswith("more than 64 deep.")


def test_lists_of_nothing() -> None:
    said = refusal(STRINGS, {"type": "array", "items": "null"}, varint(10**12) + b"\0")
    assert said.startswith("What a list holds takes no bytes in the Avro file")


def test_records_of_nothing() -> None:
    empty = {"type": "record", "name": "q", "fields": [{"name": "n", "type": "null"}]}
    said = refusal({"logicalType": "object"}, empty, b"", count=10**12)
    assert said.startswith("The record type 'q' takes no bytes in the Avro file")


def test_more_records_than_there_are_bytes() -> None:
    said = refusal({"logicalType": "string"}, "string", b"\x02x" * 3, count=10**12)
    assert "cannot be read after row 3" in said


def test_a_decimal_of_very_many_digits() -> None:
    field = {"logicalType": "number"}
    assert judged(field, NUMBER, sized(b"\x7f" * 4096)).report.problems == ()
    said = refusal(field, NUMBER, sized(b"\x7f" * 4097))
    assert said.endswith("a decimal has 4,097 bytes; the most is 4,096.")


def test_a_record_of_very_many_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro_blocks, "_LOOKED_INTO", 100)
    monkeypatch.setattr(avro_blocks, "MOST_LISTED", 80)
    field = {"logicalType": "array"}
    short, long = varint(70) + b"\0" * 71, varint(90) + b"\0" * 91

    assert judged(field, LISTS, short * 3, count=3).report.problems == ()
    assert refusal(field, LISTS, short + long, count=2).startswith("Row 2 has lists or maps")


def test_a_head_of_much() -> None:
    more = {f"x{n}": bytes(1 << 20) for n in range(5)}
    said = refusal({"logicalType": "string"}, "string", b"\x02x", **more)
    assert said == "The head of the Avro file, with its schema, is longer than 4,194,304 bytes."


def test_long_records_are_judged_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.validation.avro_reader._TEXT", 5)
    short = {"logicalType": "string", "logicalTypeOptions": {"maxLength": 1}}
    outcome = judged(short, "string", b"\x02x\x04yz\x04zz", count=3)
    assert outcome.named == [(2, "a", "maxLength"), (3, "a", "maxLength")]
