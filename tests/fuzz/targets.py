"""What is fuzzed: each reads bytes of anybody's, and may refuse them clearly and do nothing else.

An exception that leaves a target is a crash. Of files, the fast path has to agree with the
reference in everything it says.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from mesh.errors import Rejected
from mesh.validation import Limits, Plan
from tests.unit.validation.files import contract, judge, unchecked_plan_of

_LIMITS = Limits(record_bytes=1 << 12)
_PROPERTIES: list[dict[str, Any]] = [
    {"name": "id", "logicalType": "integer", "primaryKey": True, "required": True},
    {"name": "t", "logicalType": "string", "logicalTypeOptions": {"maxLength": 5}},
    {"name": "p", "logicalType": "string", "logicalTypeOptions": {"pattern": "^[A-Z]{2}$"}},
    {"name": "n", "logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.01}},
    {"name": "d", "logicalType": "date"},
    {"name": "b", "logicalType": "boolean"},
]
_PART: dict[str, Any] = {
    "logicalType": "object",
    "properties": [
        {"name": "x", "logicalType": "number", "unique": True},
        {"name": "y", "logicalType": "string", "quality": [{"metric": "nullValues", "mustBe": 0}]},
    ],
}
_NESTED: list[dict[str, Any]] = [
    {"name": "o", **_PART},
    {"name": "l", "logicalType": "array", "items": _PART},
]
_DIALECTS: tuple[dict[str, Any], ...] = (
    {},
    {"separator": ";", "decimalMark": ",", "nullTokens": ["NULL"]},
    {"quote": None, "header": False, "trailingColumns": "ignore"},
    {"escape": "\\", "quotedEmpty": "string", "encoding": "latin-1"},
    {"encoding": "utf-16"},
)
ROWS: list[dict[str, Any]] = [
    {"id": 1, "t": "é", "p": "CH", "n": 1.5, "d": "2026-02-28", "b": True},
    {"id": 2, "t": None, "p": "NA", "n": -0.25, "d": None, "b": False},
    {"id": 2, "t": "longer", "p": "x", "n": 1e3, "d": "2026-01-01", "b": None},
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One reader.

    Attributes:
        run: Takes bytes; what it raises is a crash.
        seeds: Inputs to begin with.
    """

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


@cache
def _plan(dialect: int) -> Plan:
    custom = {"fileDialect": _DIALECTS[dialect]} if _DIALECTS[dialect] else None
    return unchecked_plan_of(contract(_PROPERTIES, custom))


def _judged(name: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        chunk, dialect = (data[0] % 40 + 1, data[1]) if len(data) > 1 else (7, 0)
        plan = _plan(dialect % len(_DIALECTS) if "csv" in name else 0)
        judge(plan, data[2:], name, chunk=chunk, limits=_LIMITS)

    return run


def _nested(data: bytes) -> None:
    plan = unchecked_plan_of(contract(_NESTED))
    chunk = data[0] % 40 + 1 if data else 7
    judge(plan, data[1:], "rows.jsonl", chunk=chunk, limits=_LIMITS)


def _inferred(data: bytes) -> None:
    from mesh.inference import Source, as_yaml, infer

    names = ("rows.csv", "rows.jsonl", "rows.tsv")
    name = names[data[0] % len(names)] if data else names[0]
    source = Source(name=name, open=lambda: iter([data[1:]]))
    with suppress(Rejected):
        as_yaml(infer([source], object_name="rows"))


def _contract(data: bytes) -> None:
    from mesh.checking import read_contract

    name = "a.odcs.json" if data.lstrip().startswith(b"{") else "a.odcs.yaml"
    with suppress(Rejected):
        read_contract(name, data, variables={"START": "x"})


def _blob(data: bytes) -> None:
    from mesh.model.dropped_file import Place, place_of

    found = place_of(data.decode("utf-8", "replace"))
    if isinstance(found, Place):
        assert found.folder
        assert str(found.product)


def _filter(data: bytes) -> None:
    from mesh.model.filters import expressions_from_data

    try:
        wish = json.loads(data)
    except (ValueError, RecursionError):
        return
    with suppress(Rejected):
        for one in expressions_from_data(wish):
            one.matches({"type": "mesh.product.updated.v1", "subject": "v1/a"})


def _csv() -> tuple[bytes, ...]:
    def cell(value: Any) -> str:
        return "" if value is None else str(value).lower() if value is True else str(value)

    lines = [",".join(map(cell, row.values())) for row in ROWS]
    text = "\n".join(["id,t,p,n,d,b", *lines]) + "\n"
    quoted = 'id,t,p,n,d,b\r\n1,"a""b",CH,"1.5",2026-01-01,true\r\n'
    other = text.replace(",", ";").replace("1.5", "1,5")
    return (
        b"\x06\x00" + text.encode(),
        b"\x06\x00" + quoted.encode(),
        b"\x06\x01" + other.encode(),
        b"\x06\x02" + text.partition("\n")[2].encode(),
        b"\x06\x03" + text.replace(",é", ",\\,").encode("latin-1"),
        b"\x06\x04" + text.encode("utf-16"),
    )


def _lines() -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)


def _parquet() -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(_typed()), out, compression="none")
    return out.getvalue()


def _typed() -> list[dict[str, Any]]:
    days = [None if row["d"] is None else date.fromisoformat(row["d"]) for row in ROWS]
    return [{**row, "d": day} for row, day in zip(ROWS, days, strict=True)]


def _avro() -> bytes:
    import fastavro

    kinds = {"id": "long", "t": "string", "p": "string", "n": "double", "b": "boolean"}
    fields = [{"name": name, "type": ["null", kind]} for name, kind in kinds.items()]
    fields.append({"name": "d", "type": ["null", {"type": "int", "logicalType": "date"}]})
    out = io.BytesIO()
    schema = {"type": "record", "name": "r", "fields": fields}
    fastavro.writer(out, schema, _typed(), sync_marker=bytes(16))
    return out.getvalue()


def _workbook() -> bytes:
    import openpyxl

    book, out = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    sheet.append(list(ROWS[0]))
    for row in _typed():
        sheet.append(list(row.values()))
    book.save(out)
    return out.getvalue()


def _packed(kind: str) -> bytes:
    import gzip

    import zstandard

    text = _csv()[0][2:]
    return gzip.compress(text, mtime=0) if kind == "gz" else zstandard.compress(text)


_HEAD = b"\x06\x00"
_YAML = b"""apiVersion: v3.2.0
kind: DataContract
id: a
version: 1.0.0
status: active
schema:
  - name: rows
    properties:
      - {name: a, logicalType: string, logicalTypeOptions: {pattern: "^${START}"}, unique: true}
      - {name: b, logicalType: date, logicalTypeOptions: {format: "dd.MM.yyyy"}}
"""
_PARTS = b"""\x06{"o": {"x": 1, "y": "a"}, "l": [{"x": 1, "y": null}, {"x": 1.0}]}
{"o": {"x": 1e0}, "l": []}
{"o": null, "l": [{"x": 2, "y": "b"}]}
"""
_FILTER = b'[{"any": [{"exact": {"type": "a"}}, {"not": {"prefix": {"subject": "v1/"}}}]}]'


def targets() -> dict[str, Target]:
    """All of them, by name."""
    lines = _lines()
    array = json.dumps(ROWS).encode()
    made = {
        "csv": ("rows.csv", _csv()),
        "jsonl": ("rows.jsonl", (_HEAD + lines, _HEAD + lines.replace(b", ", b","))),
        "json": ("rows.json", (_HEAD + array,)),
        "parquet": ("rows.parquet", (_HEAD + _parquet(),)),
        "avro": ("rows.avro", (_HEAD + _avro(),)),
        "xlsx": ("rows.xlsx", (_HEAD + _workbook(),)),
        "gzip": ("rows.csv.gz", (_HEAD + _packed("gz"),)),
        "zstd": ("rows.csv.zst", (_HEAD + _packed("zst"),)),
    }
    found = {key: Target(run=_judged(name), seeds=seeds) for key, (name, seeds) in made.items()}
    drops = tuple(bytes([n]) + text for n, text in enumerate((_csv()[0][2:], lines)))
    return found | {
        "nested": Target(run=_nested, seeds=(_PARTS,)),
        "inference": Target(run=_inferred, seeds=drops),
        "contract": Target(run=_contract, seeds=(_YAML, json.dumps({"type": "object"}).encode())),
        "blob": Target(run=_blob, seeds=(b"sales/orders/v1/orders/rundate=2026-01-31/a.csv",)),
        "filter": Target(run=_filter, seeds=(_FILTER,)),
    }
