"""What `compare` calls compatible is: files that were right stay right, for whom it says so.

Contracts, changes and files are invented. Whoever reads passes by what they do not know, so a file
of the new contract is cut down to the fields of the old one before the old contract judges it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from mesh.model.compatibility import compare
from mesh.model.contract import DataContract
from mesh.validation import FileFormat, NullSink, compile_object, validate
from tests.thorough import examples
from tests.unit.validation.files import contract

NUMBERS = st.sampled_from([-3, -1, 0, 1, 2, 2.5, 3, 10, 0.1])
DATES = ["2024-02-29", "2025-01-01", "2026-06-30"]
JSON_LINES = FileFormat(kind="jsonl")
few = settings(max_examples=examples(80), suppress_health_check=list(HealthCheck))


def some(**choices: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=choices)


bounds = some(
    minimum=NUMBERS, maximum=NUMBERS, exclusiveMinimum=NUMBERS, exclusiveMaximum=NUMBERS,
    multipleOf=st.sampled_from([0.1, 0.5, 1, 2]), format=st.sampled_from(["i8", "u8", "i16"]),
)  # fmt: skip
texts = some(
    minLength=st.integers(0, 2), maxLength=st.integers(1, 3),
    pattern=st.sampled_from(["^a", "b$"]), format=st.sampled_from(["date", "email", "byte"]),
)  # fmt: skip
dates = some(minimum=st.sampled_from(DATES), exclusiveMaximum=st.sampled_from(DATES))
arrays = some(
    minItems=st.integers(0, 1), maxItems=st.integers(1, 2), uniqueItems=st.booleans()
)  # fmt: skip
VALUES: Mapping[str, list[Any]] = {
    "string": ["a", "ab", "b", "", "aaaa", "2024-02-29", "YWI="],
    "integer": [-200, -1, 0, 1, 2, 3, 10, 300],
    "number": [-1, 0, 0.1, 0.5, 1, 2, 2.5, 3],
    "boolean": [True, False],
    "date": DATES,
    "array": [[], ["a"], ["a", "a"], ["b", "a"]],
    "object": [{}, {"x": 1}, {"x": 2, "y": "a"}, {"y": "b"}],
    "map": [{}, {"a": 1}, {"ab": 5}],
}
OPTIONS: Mapping[str, st.SearchStrategy[dict[str, Any]]] = {
    "string": texts, "integer": bounds, "number": bounds.map(
        lambda given: {name: value for name, value in given.items() if name != "format"}
    ), "date": dates, "array": arrays,
}  # fmt: skip
enums = {
    kind: st.lists(st.sampled_from(VALUES[kind]), min_size=1, max_size=3, unique_by=repr).map(
        lambda values: [{"value": value} for value in values]
    )
    for kind in ("string", "integer", "number")
}
counts = st.fixed_dictionaries(
    {"metric": st.sampled_from(["nullValues", "duplicateValues"])}
).flatmap(
    lambda rule: st.sampled_from(
        [{"mustBeLessThan": n} for n in (1, 2, 3)]
        + [{"mustBeBetween": [0, n]} for n in (0, 1, 2)]
        + [{"mustBe": 0}, {"mustBeGreaterOrEqualTo": 1}, {"mustBeLessThan": 50, "unit": "percent"}]
    ).map(lambda limit: {**rule, **limit})
)


@st.composite
def fields(draw: st.DrawFn, name: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(VALUES)))
    made: dict[str, Any] = {"name": name, "logicalType": kind}
    made |= draw(some(required=st.booleans(), unique=st.booleans()))
    if kind in OPTIONS and (chosen := draw(OPTIONS[kind])):
        made["logicalTypeOptions"] = chosen
    if kind in enums and draw(st.integers(0, 3)) == 0:
        made["enum"] = draw(enums[kind])
    if kind == "array":
        made["items"] = {"logicalType": "string", **draw(some(required=st.booleans()))}
    if kind == "object":
        made["properties"] = draw(st.sampled_from([NESTED, NESTED[:1], NESTED[1:]]))
    if kind == "map":
        made["map"] = {
            "key": {"logicalType": "string", "logicalTypeOptions": draw(texts)},
            "value": {"logicalType": "integer", "logicalTypeOptions": draw(bounds)},
        }
    if draw(st.integers(0, 4)) == 0:
        made["quality"] = draw(st.lists(counts, min_size=1, max_size=2))
    return made


NESTED = [{"name": "x", "logicalType": "integer"}, {"name": "y", "logicalType": "string"}]


@st.composite
def contracts(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True))
    properties = [draw(fields(name)) for name in names]
    for item in properties:
        item["primaryKey"] = draw(st.integers(0, 3)) == 0
    return contract(properties)


@st.composite
def changed(draw: st.DrawFn, old: Mapping[str, Any]) -> dict[str, Any]:
    """The contract with a change or two: a field invented anew, one less, one more, or touched."""
    new = copy.deepcopy(dict(old))
    properties = new["schema"][0]["properties"]
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.integers(0, len(properties) - 1))
        match draw(st.sampled_from(["anew", "less", "more", "touch", "touch", "touch"])):
            case "anew":
                properties[place] = draw(fields(properties[place]["name"]))
            case "less" if len(properties) > 1:
                del properties[place]
            case "more":
                name = draw(st.sampled_from("abcd"))
                if name not in {item["name"] for item in properties}:
                    properties.append(draw(fields(name)))
            case _:
                touch(draw, properties[place])
    return new


def touch(draw: st.DrawFn, item: dict[str, Any]) -> None:
    kind = item["logicalType"]
    match draw(st.sampled_from(["flag", "options", "enum", "quality"])):
        case "flag":
            name = draw(st.sampled_from(["required", "unique", "primaryKey"]))
            item[name] = not item.get(name)
        case "options" if kind in OPTIONS:
            item["logicalTypeOptions"] = {
                **item.get("logicalTypeOptions", {}), **draw(OPTIONS[kind])
            }  # fmt: skip
        case "enum" if kind in enums:
            item["enum"] = draw(enums[kind])
        case _:
            item["quality"] = draw(st.lists(counts, max_size=2))


def rows(draw: st.DrawFn, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A few records, of values that have a chance of being right."""
    made = []
    for _ in range(draw(st.integers(0, 3))):
        row = {}
        for item in document["schema"][0]["properties"]:
            listed = [entry["value"] for entry in item.get("enum") or ()]
            wanted = [*listed, *VALUES[item["logicalType"]]]
            value = draw(st.sampled_from([*wanted, *([] if item.get("required") else [None, ...])]))
            if value is not ...:
                row[item["name"]] = value
        made.append(row)
    return made


def accepts(document: Mapping[str, Any], records: list[dict[str, Any]]) -> bool:
    plan = compile_object(DataContract.from_document(document), "rows")
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    report = validate(plan, [data], file_format=JSON_LINES, sink=NullSink())
    return report.verdict == "accepted"


def known_to(properties: list[dict[str, Any]], record: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader who knows these fields sees of a record."""
    by_name = {item["name"]: item for item in properties}
    seen = {}
    for name, value in record.items():
        if name in by_name:
            inner = by_name[name].get("properties")
            cut = inner and isinstance(value, dict)
            seen[name] = known_to(inner, value) if cut else value
    return seen


@few
@given(st.data(), contracts())
def test_what_is_called_compatible_is(data: st.DataObject, old: dict[str, Any]) -> None:
    new = data.draw(changed(old))
    found = compare(DataContract.from_document(old), DataContract.from_document(new))
    producers = any(change.breaks_producers for change in found)
    consumers = any(change.breaks_consumers for change in found)
    event(f"breaks producers {producers}, consumers {consumers}")
    if not producers:
        records = data.draw(st.composite(rows)(old))
        assume(accepts(old, records))
        assert accepts(new, records), found
    if not consumers:
        records = data.draw(st.composite(rows)(new))
        assume(accepts(new, records))
        properties = old["schema"][0]["properties"]
        assert accepts(old, [known_to(properties, record) for record in records]), found


PLANTED = {
    # name of the change: what the field was, what it is, and whom that breaks
    "shorter": ("string", {"maxLength": 3}, {"maxLength": 2}, "producers"),
    "longer": ("string", {"maxLength": 2}, {"maxLength": 3}, "consumers"),
    "pattern gone": ("string", {"pattern": "^a"}, {}, "consumers"),
    "pattern given": ("string", {}, {"pattern": "^a"}, "producers"),
    "from above to at least": (
        "number", {"exclusiveMinimum": 0}, {"minimum": 0}, "consumers",
    ),
    "from at most to below": ("number", {"maximum": 3}, {"exclusiveMaximum": 3}, "producers"),
    "wider integer": ("integer", {"format": "i8"}, {"format": "i16"}, "consumers"),
    "narrower integer": ("integer", {"format": "i32"}, {"format": "u8"}, "producers"),
    "bound beside a width": (
        "integer", {"format": "i8", "minimum": 0}, {"format": "i8"}, "consumers",
    ),
    "finer": ("number", {"multipleOf": 1}, {"multipleOf": 0.1}, "consumers"),
    "earlier date": ("date", {"minimum": DATES[1]}, {"minimum": DATES[0]}, "consumers"),
    "later date": ("date", {"minimum": DATES[0]}, {"minimum": DATES[1]}, "producers"),
    "fewer entries": ("array", {"maxItems": 2}, {"maxItems": 1}, "producers"),
    "repeated entries": ("array", {"uniqueItems": True}, {}, "consumers"),
}  # fmt: skip


@few
@given(contracts(), st.sampled_from(sorted(PLANTED)))
def test_a_planted_breaking_change_is_found(base: dict[str, Any], name: str) -> None:
    kind, before, after, whom = PLANTED[name]
    documents = []
    for options in (before, after):
        document = copy.deepcopy(base)
        planted = {"name": "planted", "logicalType": kind, "logicalTypeOptions": options}
        document["schema"][0]["properties"].append(planted)
        documents.append(document)
    old, new = (DataContract.from_document(document) for document in documents)
    found = compare(old, new)
    assert {change.field for change in found} == {"planted"}
    assert {change.breaks_producers for change in found} == {whom == "producers"}
    assert {change.breaks_consumers for change in found} == {whom == "consumers"}
