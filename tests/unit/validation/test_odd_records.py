"""What is read of a record that no expression accepts, and what is written about it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from mesh.validation.csv_cells import CsvGrammar
from mesh.validation.csv_header import Layout
from mesh.validation.csv_values import CellReader
from mesh.validation.odd_cells import OddCells
from mesh.validation.odd_values import OddValues
from mesh.validation.plan import Plan
from mesh.validation.report import Violation
from mesh.validation.sinks import violation_line
from tests.unit.validation.files import contract, unchecked_plan_of

Read = tuple[dict[str, object], list[str]]


@pytest.fixture(scope="module")
def plan() -> Plan:
    fields = [
        {"name": "id", "logicalType": "integer", "primaryKey": True, "required": True},
        {"name": "a", "logicalType": "string", "logicalTypeOptions": {"maxLength": 3}},
        {"name": "b", "logicalType": "boolean", "required": True},
    ]
    return unchecked_plan_of(contract(fields))


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (b"7,abc,true\n", ({"id": 7}, [])),
        (b"7,abcd,true\r\n", ({"id": 7, "a": "abcd"}, ["a"])),
        (b'x,"a"",b",no', ({"id": "x", "a": 'a",b', "b": "no"}, ["id", "a", "b"])),
        (b"7,abc,\n", ({"id": 7}, ["b"])),
        (b"7x,abc,true\n", ({"id": "7x"}, ["id"])),
        (b",abc,true\n", ({}, ["id"])),
        (b"7,abc\n", None),
        (b"7,abc,true,\n", None),
        (b'7,"abc"d,true\n', None),
        (b'7,"a\nb",true\n', None),
        (b"7,a\0,true\n", None),
    ],
)
def test_of_a_delimited_line_what_is_odd_is_read_and_its_key(
    plan: Plan, line: bytes, read: Read | None
) -> None:
    layout, grammar = Layout.of_columns(plan), CsvGrammar(plan.dialect, ",")
    assert OddCells(plan, layout, grammar, CellReader(plan, layout)).read(line) == read


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (b'{"id": 7, "a": "abc", "b": true}\n', ({"id": 7}, [])),
        (b'{"id":7,"a":"abcd","b":true}\r\n', ({"id": 7, "a": "abcd"}, ["a"])),
        (b'{"id": "7", "b": 1.50}', ({"id": "7", "b": 1.5}, ["id", "b"])),
        (b'{"id": 7.5, "b": true}', ({"id": 7.5}, ["id"])),
        (b'{"id": 7, "a": "abcd", "b": true, "c": 1}\n', None),
        (b'{"id": 7, "a": "\\u0061", "b": 1}\n', None),
        (b'{"id": 7, "a": [], "b": true}\n', None),
        (b'{"id": 7, "a": "abcd"}\n', None),
        (b'{"id": 7, "b": 1e9999999999999999999}\n', None),
        (b'{"a": "abcd", "id": 7, "b": true}\n', None),
    ],
)
def test_of_a_line_of_json_what_is_odd_is_read_and_its_key(
    plan: Plan, line: bytes, read: Read | None
) -> None:
    assert OddValues(plan, ("id", "a", "b")).read(line) == read


@pytest.mark.parametrize("value", [None, 'é"\\\n\x7f\u2028'])
def test_a_violation_is_written_with_all_that_is_known_of_it(value: str | None) -> None:
    """A fix stands there only when there is one."""
    violation = Violation(
        row=1, line=2, byte_start=3, byte_end=4, field="a[0]", rule="type", path="/a~1",
        value=value, message=f"it is {value!r}", raw=f"raw {value}",
        fix=value,
    )  # fmt: skip
    line = violation_line(violation)
    told = dataclasses.asdict(violation)
    if value is None:
        del told["fix"]
    assert line == json.dumps(told, ensure_ascii=False).encode() + b"\n"
