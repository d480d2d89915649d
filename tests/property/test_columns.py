"""Columns judged and published at once are those judged and published one by one."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mesh.model.ecma_pattern import compile_pattern
from mesh.validation import FileFormat, Limits, NullSink, PublishedFile, PublishingSink, validate
from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.rust_pattern import rust_pattern
from tests.property.test_engine import LETTERS, PATTERNS, contracts, strings
from tests.thorough import examples
from tests.unit.validation.files import contract, judge, unchecked_plan_of

FORMAT = FileFormat(kind="parquet")
INTS = (-(2**63), -(2**53) - 1, -100, -5, -1, 0, 1, 9, 10, 99, 100, 2**53 + 1, 2**63 - 1)
FLOATS = (
    0.0, -0.0, 0.1, 0.3, 0.5, 0.6, 1.1, 5.0, 19.99, 99.99, 100.0, 100.01, 0.07, 1e-7, 1e15, 1e20,
    2.0**53, 2.0**60, -0.5, float("nan"), float("inf"), 123456789012.34,
)  # fmt: skip
BEFORE, AFTER = dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - local
STAMPS = st.datetimes(BEFORE, AFTER) | st.sampled_from((BEFORE, AFTER))
TYPES: dict[str, tuple[tuple[Any, st.SearchStrategy[Any]], ...]] = {
    "string": (
        (pa.string(), strings()),
        (pa.large_string(), strings()),
        (pa.string_view(), strings()),
        (pa.dictionary(pa.int8(), pa.string()), strings()),
        (pa.date32(), st.dates()),
        (pa.null(), st.none()),
    ),
    "integer": (
        (pa.int64(), st.sampled_from(INTS)),
        (pa.uint64(), st.sampled_from([*range(5), 100, 2**63, 2**64 - 1])),
        (pa.int8(), st.integers(-128, 127)),
        (pa.uint32(), st.sampled_from((0, 1, 100, 2**32 - 1))),
        (pa.float64(), st.sampled_from(FLOATS)),
        (pa.float32(), st.sampled_from((0.0, -0.0, 5.0, 0.1, 99.0, 2.0**24, 2.0**25))),
        (pa.decimal128(20, 0), st.integers(-200, 200).map(Decimal)),
        (pa.decimal128(6, 2), st.decimals(-100, 101, places=2)),
    ),
    "number": (
        (pa.float64(), st.sampled_from(FLOATS) | st.floats(allow_nan=False, width=64)),
        (pa.float32(), st.floats(width=32) | st.sampled_from((0.5, 0.25, 5.0, 100.0))),
        (pa.int32(), st.integers(-101, 101)),
        (pa.decimal128(9, 2), st.decimals(-101, 101, places=2)),
        (pa.decimal128(38, 4), st.decimals(-101, 101, places=4)),
        (pa.decimal256(50, 1), st.decimals(-101, 101, places=1)),
    ),
    "boolean": ((pa.bool_(), st.booleans()),),
    "date": ((pa.date32(), st.dates()), (pa.date64(), st.dates()), (pa.string(), strings())),
    "timestamp": (
        (pa.timestamp("us", "UTC"), STAMPS),
        (pa.timestamp("ms", "Europe/Berlin"), STAMPS.map(lambda at: at.replace(microsecond=5000))),
        (pa.timestamp("ns", "UTC"), st.integers(-(2**60), 2**60)),
        (pa.timestamp("s", "UTC"), st.integers(-(10**10), 10**10)),
        (pa.string(), strings()),
    ),
    "local": (
        (pa.timestamp("us"), STAMPS),
        (pa.timestamp("ns"), st.integers(-(2**60), 2**60)),
        (pa.string(), strings()),
    ),
    "time": (
        (pa.time64("us"), st.times()),
        (pa.time64("ns"), st.integers(0, 86_400 * 10**9 - 1)),
        (pa.time32("ms"), st.times().map(lambda at: at.replace(microsecond=0))),
        (pa.string(), strings()),
    ),
}


@st.composite
def columns(draw: st.DrawFn, element: dict[str, Any]) -> tuple[Any, st.SearchStrategy[Any]]:
    """An Arrow type that may suit an element, and values of it."""
    kind = str(element["logicalType"])
    if kind == "array":
        inner, values = draw(columns(element["items"]))
        kinds = (pa.list_(inner), pa.large_list(inner))
        return draw(st.sampled_from(kinds)), st.lists(st.none() | values, max_size=3)
    if kind == "object":
        parts = {item["name"]: draw(columns(item)) for item in element["properties"]}
        struct = pa.struct([(name, part[0]) for name, part in parts.items()])
        fields = {name: st.none() | values for name, (_, values) in parts.items()}
        return struct, st.fixed_dictionaries(fields)
    if kind == "timestamp" and element.get("logicalTypeOptions"):
        kind = "local"
    made, values = draw(st.sampled_from(TYPES[kind]))
    choices = [entry["value"] for entry in element.get("enum", ())]
    if choices and (pa.types.is_string(made) or pa.types.is_int64(made)):
        fitting = [item for item in choices if isinstance(item, int) != pa.types.is_string(made)]
        values = values | st.sampled_from(fitting) if fitting else values
    return made, values


@st.composite
def files(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """A contract and a Parquet file whose columns may suit it."""
    properties = draw(contracts(nested=True))
    if draw(st.booleans()):
        chosen = draw(st.sampled_from(properties))
        chosen["unique"] = chosen["logicalType"] not in {"array", "object"}
    arrays, size = [], draw(st.integers(0, 12))
    for item in properties:
        kind, values = draw(columns(item))
        null = 1 if item["required"] else 3
        listed = [draw(values) if draw(st.integers(0, 9)) >= null else None for _ in range(size)]
        arrays.append(pa.array(listed, kind))
    table = pa.Table.from_arrays(arrays, names=[item["name"] for item in properties])
    sink = io.BytesIO()
    store = draw(st.booleans()) or any(pa.types.is_timestamp(kind) for kind in table.schema.types)
    # Arrow cannot write views of text in several groups.
    rows = 13 if "string_view" in str(table.schema) else draw(st.integers(1, 13))
    parquet.write_table(table, sink, row_group_size=rows, store_schema=store)
    return contract(properties, {"fileAcceptance": {"mode": "split"}}), sink.getvalue()


def published(document: dict[str, Any], data: bytes, *, fast: bool) -> tuple[Any, Any]:
    """The Parquet file of the good rows, without what depends on row groups."""
    plan = unchecked_plan_of(document)
    sink = PublishingSink(NullSink(), plan, FORMAT)
    limits = Limits(fast=fast)
    report = validate(plan, [data], file_format=FORMAT, sink=sink, limits=limits)
    out = io.BytesIO()
    told: PublishedFile | None = None
    if report.verdict == "accepted":
        told = sink.publish(out)
    sink.close()
    if told is None:
        return None, None
    return parquet.read_table(io.BytesIO(out.getvalue())), (told.rows, told.columns)


@settings(max_examples=examples(80))
@given(files())
def test_columns_are_judged_and_published_as_rows_are(file: tuple[dict[str, Any], bytes]) -> None:
    document, data = file
    outcome = judge(unchecked_plan_of(document), data, "rows.parquet", chunk=1000)
    if outcome.report.problems:
        return
    by_columns = published(document, data, fast=True)
    by_rows = published(document, data, fast=False)
    assert same_bits(by_columns[0], by_rows[0])
    assert by_columns[1] == by_rows[1]


KEYS: tuple[tuple[str, Any, Sequence[Any]], ...] = (
    ("string", pa.string(), ("a", "b", "", "\0", "é")),
    ("string", pa.dictionary(pa.int8(), pa.string()), ("a", "b", "c")),
    ("integer", pa.int32(), (0, 1, -1, 2**31 - 1)),
    ("integer", pa.uint64(), (0, 1, 2**64 - 1)),
    ("number", pa.float64(), (0.0, -0.0, 0.5, 1e300, float("nan"), float("inf"))),
    ("number", pa.float32(), (0.0, -0.0, 0.1)),
    ("number", pa.decimal128(9, 2), (Decimal("1.00"), Decimal("-1.10"))),
    ("timestamp", pa.timestamp("ns", "UTC"), (0, 1, 2**60)),
    ("boolean", pa.bool_(), (True, False)),
)


@settings(max_examples=examples(60))
@given(st.data(), st.integers(1, 12), st.sampled_from((2, 64)))
def test_keys_are_compared_across_blocks(data: st.DataObject, rows: int, spilled: int) -> None:
    chosen = data.draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3))
    properties: list[dict[str, Any]] = []
    drawn = []
    for place, (kind, made, values) in enumerate(chosen):
        properties.append({"name": f"k{place}", "logicalType": kind})
        if len(chosen) == 2:
            properties[-1] |= {"primaryKey": True, "primaryKeyPosition": place + 1}
        else:
            properties[-1]["unique"] = True
        drawn.append(
            pa.array([data.draw(st.none() | st.sampled_from(values)) for _ in range(rows)], made)
        )
    properties.append(
        {"name": "odd", "logicalType": "number", "logicalTypeOptions": {"maximum": 1}}
    )
    odd = st.sampled_from((0.0, 2.0, float("nan")))
    drawn.append(pa.array([data.draw(odd) for _ in range(rows)], pa.float64()))
    sink = io.BytesIO()
    parquet.write_table(
        pa.Table.from_arrays(drawn, names=[item["name"] for item in properties]), sink
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mesh.validation.column_blocks.ROWS", 3)
        patched.setattr("mesh.validation.column_keys._IN_MEMORY", spilled)
        patched.setattr("mesh.validation.column_keys._FEWEST", 1)
        document = contract(properties, {"fileAcceptance": {"mode": "split"}})
        judge(unchecked_plan_of(document), sink.getvalue(), "rows.parquet", chunk=1000)


def same_bits(one: Any, other: Any) -> bool:
    """Whether two tables are equal, minus zero being another number than zero."""
    if one is None or other is None:
        return one is other
    return one.schema == other.schema and one.to_pylist().__repr__() == other.to_pylist().__repr__()


@settings(max_examples=examples(150))
@given(
    st.sampled_from((*PATTERNS, r"a|^b$", r"^.*$", r"[^\s]+", r"\S\D\W", r"^[\w.-]{2,}$", r"x{2}?"))
    | st.from_regex(r"\^?([ab.]|\\[dws]|\[[^\]\\^-][a-c]?\]){1,4}[*+?]?\$?", fullmatch=True),
    st.lists(st.text(alphabet=LETTERS + "AxZ.9\u00a0\ufeff\u0660", max_size=6), min_size=1),
)
def test_patterns_mean_the_same_in_rust(pattern: str, texts: Sequence[str]) -> None:
    try:
        translated = rust_pattern(pattern)
    except BeyondSubsetError:
        return
    found = pl.Series("texts", texts).str.contains(translated).to_list()
    wanted = compile_pattern(pattern)
    assert found == [wanted.search(text) is not None for text in texts]
