"""Foreign keys, against membership in a set: any rows, any keys, every way of reading."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mesh.validation import Plan, Reference
from tests.thorough import examples
from tests.unit.validation.files import contract, judge, unchecked_plan_of

TEXTS = st.sampled_from(["a", "b", "ab", "a\0b", "ä", "1", '"', "a b"])
NUMBERS = st.sampled_from([0, 1, -1, 10, Decimal("1.5"), Decimal("10.0"), 10**20])
PLAN = unchecked_plan_of(
    contract(
        [
            {"name": "n", "logicalType": "integer"},
            {"name": "code", "logicalType": "string"},
            {"name": "size", "logicalType": "number"},
        ],
        relationships=[
            {"from": "rows.code", "to": "x.yaml#/schema/o/properties/c"},
            {
                "from": ["rows.code", "rows.size"],
                "to": [f"x.yaml#/schema/o/properties/{name}" for name in "cs"],
            },
        ],
    )
)
PUBLISHED = pa.schema([("c", pa.string()), ("s", pa.decimal128(38, 2))])

Rows = list[tuple[str | None, Any]]
ROWS = st.lists(st.tuples(st.none() | TEXTS, st.none() | NUMBERS), max_size=8)


def referring(published: Rows) -> Plan:
    """The plan whose relationships point at these rows."""
    file = io.BytesIO()
    arrays = [
        pa.array([code for code, _ in published], pa.string()),
        pa.array([None if s is None else Decimal(s) for _, s in published], pa.decimal128(38, 2)),
    ]
    parquet.write_table(pa.Table.from_arrays(arrays, schema=PUBLISHED), file)
    found = {}
    for one in PLAN.relationships:
        columns = [(name,) for name in one.properties]
        found[one.pointer] = Reference(PLAN, one, label="o", columns=columns)
        file.seek(0)
        found[one.pointer].fill_from(io.BytesIO(file.getvalue()))
    return replace(PLAN, references=found)


def expected(published: Rows, rows: Rows) -> set[tuple[int, str]]:
    """By row, which relationships point at nothing."""
    codes = {code for code, _ in published}
    pairs = {(code, size) for code, size in published if size is not None}
    return {
        (number, fields)
        for number, (code, size) in enumerate(rows, start=1)
        for fields, lost in (
            ("code", code not in codes),
            ("code, size", size is not None and (code, size) not in pairs),
        )
        if lost and code is not None
    }


def lines(rows: Rows) -> str:
    """JSON Lines, with numbers digit for digit."""
    return "".join(
        f'{{"n": {number}, "code": {json.dumps(code)}, "size": {"null" if s is None else s}}}\n'
        for number, (code, s) in enumerate(rows)
    )


def cells(rows: Rows) -> str:
    """CSV, with every text in quotes."""
    quoted = ["" if code is None else '"' + code.replace('"', '""') + '"' for code, _ in rows]
    return "n,code,size\n" + "".join(
        f"{number},{text},{'' if size is None else size}\n"
        for number, (text, (_, size)) in enumerate(zip(quoted, rows, strict=True))
    )


@settings(max_examples=examples(100))
@given(ROWS, ROWS.filter(bool))
def test_a_row_is_refused_exactly_when_it_points_at_nothing(published: Rows, rows: Rows) -> None:
    plan, wanted = referring(published), expected(published, rows)
    without_nul = [(code and code.replace("\0", "x"), size) for code, size in rows]

    for name, text, found in (
        ("rows.jsonl", lines(rows), wanted),
        ("rows.csv", cells(without_nul), expected(published, without_nul)),
    ):
        outcome = judge(plan, text.encode(), name)
        told = [(v["row"], v["field"]) for v in outcome.violations]
        assert {v["rule"] for v in outcome.violations} <= {"relationship"}
        assert sorted(told) == sorted(found)
        assert outcome.report.rejected == len({row for row, _ in found})
