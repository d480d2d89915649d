"""The engine against the reference, row by row, over contracts and rows that nobody thought of."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.model.contract import DataContract, record_schema
from mesh.validation import Limits
from mesh.validation.reference import record_validator
from tests.thorough import examples
from tests.unit.validation.files import contract, judge, unchecked_plan_of

NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
LETTERS = "ab0 -'\"\\,;@é😀\n\r\t\u2028\u0301"
PATTERNS = (
    r"^[A-Z]{2}$",
    r"^\d+$",
    r"^a",
    r"b",
    r"^[^ab]*$",
    r"^(ab|é)?.$",
    r"^\S+@\S+$",
    r"^\w{1,3}(-\w+)?$",
    r"^[\x20-\x7e]+$",
    r"^(?:0|[1-9][0-9]{0,2})$",
    r"^\p{L}*$",
    r"^(a|b){0,2}$",
)
FORMATS = ("date", "date-time", "time", "email", "uuid", "ipv4", "ipv6", "uri", "hostname", "byte")
DATES = ("2024-02-29", "2023-02-29", "1900-02-29", "2026-12-31", "2026-13-01", "0000-01-01", "x")
TIMES = ("12:30:00", "23:59:60", "24:00:00", "00:00:00.5")
OFFSETS = ("Z", "z", "+02:00", "-23:59", "+24:00", "")
NUMBERS = (
    "0", "-0", "1", "-1", "9", "10", "11", "99", "100", "101", "0.1", "0.10", "19.99", "19.999",
    "-0.5", "-1.0", "5.0", "1e2", "1E-2", "1e30", "99.99", "100.00", "100.01", "12345678901234567",
    "18446744073709551616", "1e400", "007", "+1", ".5", "5.", "NaN", "1_0", " 1",
)  # fmt: skip


def strings() -> st.SearchStrategy[str]:
    shaped = st.sampled_from(
        (
            "AB",
            "12",
            "123e4567-e89b-12d3-a456-426614174000",
            "127.0.0.1",
            "256.0.0.1",
            "::1",
            "a@b",
            "http://a/b",
            "YWI=",
            "YWI",
            "a",
            "ab",
            "é",
            "",
            "null",
            "true",
            "-",
            "NULL",
        )
    )
    stamps = st.builds("{}{}{}{}".format, st.sampled_from(DATES), st.sampled_from("Tt "),
                       st.sampled_from(TIMES), st.sampled_from(OFFSETS))  # fmt: skip
    clocks = st.builds("{}{}".format, st.sampled_from(TIMES), st.sampled_from(OFFSETS))
    free = st.text(alphabet=LETTERS, max_size=5)
    return st.one_of(shaped, st.sampled_from(DATES), stamps, clocks, free)


def bounds() -> st.SearchStrategy[dict[str, Any]]:
    limit = st.sampled_from((-100, -1, 0, 1, 9, 10, 99, 100, 0.1, 19.99, -0.5, 100.01))
    names = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    ranged = st.dictionaries(st.sampled_from(names), limit, max_size=2).filter(
        lambda made: made.get("minimum", -1000) <= made.get("maximum", 1000)
    )
    step = st.sampled_from(({}, {"multipleOf": 0.01}, {"multipleOf": 1}, {"multipleOf": 0.3}))
    return st.builds(lambda a, b: {**a, **b}, ranged, step)


def lengths() -> st.SearchStrategy[dict[str, Any]]:
    size = st.integers(0, 4)
    return st.one_of(
        st.just({}),
        st.builds(lambda n: {"maxLength": n}, size),
        st.builds(lambda n: {"minLength": n}, size),
        st.builds(lambda n, m: {"minLength": n, "maxLength": n + m}, size, size),
    )


def string_options() -> st.SearchStrategy[dict[str, Any]]:
    shape = st.one_of(
        st.just({}),
        st.builds(lambda text: {"pattern": text}, st.sampled_from(PATTERNS)),
        st.builds(lambda text: {"format": text}, st.sampled_from(FORMATS)),
    )
    return st.builds(lambda a, b: {**a, **b}, lengths(), shape)


@st.composite
def elements(draw: st.DrawFn, name: str, *, nested: bool = False) -> dict[str, Any]:
    kinds = ["string", "integer", "number", "boolean", "date", "timestamp", "time", "enum"]
    kind = draw(st.sampled_from(kinds + ["array", "object"] * nested))
    made: dict[str, Any] = {"name": name, "logicalType": kind, "required": draw(st.booleans())}
    if kind == "enum":
        made["logicalType"], values = draw(
            st.sampled_from(
                (("string", ("a", "é", "", "x,y")), ("integer", (0, 1, -5)), ("number", (1, 0.5)))
            )
        )
        made["enum"] = [{"value": value} for value in values]
    elif kind == "string":
        made["logicalTypeOptions"] = draw(string_options())
    elif kind in {"integer", "number"}:
        made["logicalTypeOptions"] = draw(bounds())
    elif kind == "timestamp":
        made["logicalTypeOptions"] = draw(st.sampled_from(({}, {"timezone": False})))
    elif kind == "array":
        made["items"] = {**draw(elements("x")), "name": "item"}
        size = draw(st.integers(0, 2))
        made["logicalTypeOptions"] = {"minItems": size, "maxItems": size + 1}
    elif kind == "object":
        made["properties"] = [draw(elements("x")), draw(elements("y"))]
    return made


@st.composite
def contracts(draw: st.DrawFn, *, nested: bool = False) -> list[dict[str, Any]]:
    return [draw(elements(name, nested=nested)) for name in "abc"[: draw(st.integers(1, 3))]]


def expected_bad(document: dict[str, Any], rows: list[Any]) -> list[int]:
    validator = record_validator(record_schema(DataContract.from_document(document), "rows"))
    return [number for number, row in enumerate(rows, start=1) if not validator.is_valid(row)]


def read_cell(text: str, element: dict[str, Any]) -> Any:
    """A cell by the contract's type, said once more in the simplest way."""
    kind = element["logicalType"]
    if kind in {"integer", "number"} and NUMBER.fullmatch(text):
        return Decimal(text) if set(text) & set(".eE") else int(text)
    return {"true": True, "false": False}.get(text, text) if kind == "boolean" else text


@settings(max_examples=examples(150))
@given(st.data())
def test_csv_rows_are_judged_as_the_reference_judges_them(data: st.DataObject) -> None:
    properties = data.draw(contracts())
    cell = st.one_of(strings().filter(lambda text: "\0" not in text), st.sampled_from(NUMBERS))
    cell = st.one_of(cell, st.sampled_from(("true", "false", "", "0")))
    width = len(properties)
    rows = data.draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=8))
    quoting = data.draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)))
    end = data.draw(st.sampled_from(("\n", "\r\n")))
    # A lone empty cell cannot be told from a blank line, nor a lone CR at a line's end from CRLF.
    rows = [row for row in rows if any(row) and not any("\r" in text for text in row)]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=quoting, lineterminator=end)
    writer.writerows([[item["name"] for item in properties], *rows])
    document = contract(properties)
    records = [
        {
            item["name"]: read_cell(text, item) if text else None
            for text, item in zip(row, properties, strict=True)
            if text or not item["required"]
        }
        for row in rows
    ]
    outcome = judge(unchecked_plan_of(document), buffer.getvalue().encode(), chunk=50)
    assert outcome.report.problems == ()
    assert outcome.report.rows == len(rows)
    bad = sorted({row for row, _, _ in outcome.named})
    assert bad == expected_bad(document, records)


class Text(str):
    """JSON text that stands for itself."""

    __slots__ = ()


def json_text(value: Any, spaced: bool) -> str:
    comma, colon = (", ", ": ") if spaced else (",", ":")
    if isinstance(value, Text):
        return value
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)}{colon}{json_text(value[name], spaced)}" for name in value)
        return "{" + comma.join(pairs) + "}"
    if isinstance(value, list):
        return "[" + comma.join(json_text(item, spaced) for item in value) + "]"
    return json.dumps(value, ensure_ascii=not spaced)


def parsed(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def json_values(element: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values near to what an element asks for, and far from it."""
    number = st.sampled_from([text for text in NUMBERS if NUMBER.fullmatch(text)]).map(Text)
    plain = st.one_of(strings(), number, st.sampled_from((None, True, False, [], {})))
    if element["logicalType"] == "array":
        return st.one_of(st.lists(json_values(element["items"]), max_size=3), plain)
    if element["logicalType"] == "object":
        fields = {item["name"]: json_values(item) for item in element["properties"]}
        return st.one_of(st.fixed_dictionaries({}, optional=fields), plain)
    return plain


@settings(max_examples=examples(150))
@given(st.data())
def test_json_rows_are_judged_as_the_reference_judges_them(data: st.DataObject) -> None:
    properties = data.draw(contracts(nested=True))
    fields = {item["name"]: json_values(item) for item in properties}
    some = {name: fields[name] for name in list(fields)[1:]}
    first = {name: fields[name] for name in list(fields)[:1]}
    rows = data.draw(st.lists(st.fixed_dictionaries(first, optional=some), min_size=1, max_size=8))
    lines = [json_text(row, data.draw(st.booleans())) for row in rows]
    document = contract(properties)
    # Twice, so that the order of keys that the first half teaches is used on the second.
    text = "\n".join(lines * 2) + "\n"
    outcome = judge(unchecked_plan_of(document), text.encode(), "rows.jsonl", chunk=50)
    assert outcome.report.rows == 2 * len(lines)
    bad = sorted({row for row, _, _ in outcome.named})
    assert bad == expected_bad(document, [parsed(line) for line in lines * 2])


@settings(max_examples=examples(150))
@given(
    st.binary(max_size=200), st.sampled_from(("rows.csv", "rows.tsv", "rows.jsonl", "rows.csv.gz"))
)
def test_any_bytes_end_in_a_report(data: bytes, name: str) -> None:
    plan = unchecked_plan_of(
        contract(
            [
                {"name": "a", "logicalType": "string", "unique": True},
                {"name": "b", "logicalType": "number", "classification": "secret"},
            ]
        )
    )
    for start in (b"", b"a,b\n", b'{"a": "x", "b": 1}\n'):
        judge(plan, start + data, name, limits=Limits(record_bytes=64))


@settings(max_examples=examples(100))
@given(st.lists(st.text(alphabet='ab",\n\r01', max_size=12), max_size=6))
def test_any_lines_are_cut_the_same_way_by_both_paths(pieces: list[str]) -> None:
    plan = unchecked_plan_of(
        contract(
            [
                {"name": "a", "logicalType": "string", "logicalTypeOptions": {"maxLength": 3}},
                {"name": "b", "logicalType": "integer"},
            ]
        )
    )
    judge(plan, ("a,b\n" + "\n".join(pieces)).encode(), chunk=1000)


KEY_CELLS = ("", "1", "1.0", "10", "1e1", "-0", "0", "2")


@settings(max_examples=examples(150))
@given(
    st.lists(
        st.tuples(st.sampled_from(KEY_CELLS), st.sampled_from(("", "x", "y", "é"))), max_size=9
    ),
    st.booleans(),
    st.booleans(),
    st.integers(1, 40),
)
def test_repeated_keys_are_those_of_equal_values(
    rows: list[tuple[str, str]], unique: bool, composite: bool, chunk: int
) -> None:
    properties: list[dict[str, Any]] = [
        {"name": "n", "logicalType": "number", "unique": unique},
        {"name": "t", "logicalType": "string"},
        {"name": "z", "logicalType": "string"},
    ]
    if composite:
        properties[0] |= {"primaryKey": True, "primaryKeyPosition": 1}
        properties[1] |= {"primaryKey": True, "primaryKeyPosition": 2}
    plan = unchecked_plan_of(contract(properties))
    seen: dict[object, int] = {}
    expected: list[tuple[int, str, str]] = []
    for number, (n, t) in enumerate(rows, start=1):
        keys = []
        if composite:
            expected += [
                (number, name, "required") for name, text in (("n", n), ("t", t)) if not text
            ]
            keys.append(("primaryKey", "n, t", (Decimal(n), t) if n and t else None))
        if unique:
            keys.append(("unique", "n", Decimal(n) if n else None))
        for rule, label, key in keys:
            if key is not None and seen.setdefault((rule, key), number) != number:
                expected.append((number, label, rule))
    lines = ["n,t,z", *(f"{n},{t},x" for n, t in rows)]
    found = judge(plan, ("\n".join(lines) + "\n").encode(), chunk=chunk).named
    assert sorted(found) == sorted(expected)
    records = [
        "{" + ", ".join([f'"n": {n}'] * bool(n) + [f'"t": "{t}"'] * bool(t) + ['"z": "x"']) + "}"
        for n, t in rows
    ]
    if rows:
        data = ("\n".join(records) + "\n").encode()
        found = judge(plan, data, "rows.jsonl", chunk=chunk).named
        assert sorted(found) == sorted(expected)


NUMBERED = {"name": "x", "logicalType": "number", "unique": True}
PARTS: dict[str, Any] = {"logicalType": "object", "properties": [NUMBERED]}
NESTED: list[dict[str, Any]] = [
    {"name": "o", **PARTS},
    {"name": "l", "logicalType": "array", "items": PARTS},
]
VALUE = st.sampled_from(("1", "1.0", "2", "10", "1e1", "null")).map(Text)
MEMBER = st.fixed_dictionaries({}, optional={"x": VALUE})
WAYS: dict[str, Any] = {"o": st.none() | MEMBER, "l": st.none() | st.lists(MEMBER, max_size=3)}


@settings(max_examples=examples(150))
@given(st.lists(st.fixed_dictionaries(WAYS), min_size=1, max_size=8), st.integers(1, 40))
def test_repeated_values_within_fields_are_those_of_equal_values(
    rows: list[dict[str, Any]], chunk: int
) -> None:
    seen: set[tuple[str, Decimal]] = set()
    expected = []
    for number, row in enumerate(rows, start=1):
        members = [("o", "o.x", row["o"] or {})]
        members += [("l", f"l[{at}].x", one) for at, one in enumerate(row["l"] or ())]
        for way, label, member in members:
            text = member.get("x", "null")
            if text != "null" and (way, Decimal(text)) in seen:
                expected.append((number, label, "unique"))
            elif text != "null":
                seen.add((way, Decimal(text)))
    data = "".join(json_text(row, spaced=False) + "\n" for row in rows).encode()
    outcome = judge(unchecked_plan_of(contract(NESTED)), data, "rows.jsonl", chunk=chunk)
    assert outcome.named == expected
