"""What counts as breaking, for whom, and in which mode."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from mesh.model.compatibility import Change, Mode, compare, compare_all
from mesh.model.contract import DataContract
from tests.unit.validation.files import contract

BOTH, PRODUCERS, CONSUMERS, NOBODY = (True, True), (True, False), (False, True), (False, False)


def base() -> dict[str, Any]:
    document = contract(
        [
            {"name": "id", "logicalType": "integer", "primaryKey": True},
            {
                "name": "code",
                "logicalType": "string",
                "required": True,
                "logicalTypeOptions": {"maxLength": 5, "pattern": "^a"},
                "enum": [{"value": "ab"}, {"value": "ac"}],
            },
            {"name": "amount", "logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.1}},
            {"name": "count", "logicalType": "integer", "unique": True},
            {"name": "tags", "logicalType": "array", "items": {"logicalType": "string"}},
            {
                "name": "place",
                "logicalType": "object",
                "properties": [{"name": "x"}, {"name": "y", "unique": True}],
            },
            {
                "name": "rated",
                "logicalType": "number",
                "quality": [{"metric": "nullValues", "mustBeLessThan": 5}],
            },
        ],
        api_version="v3.1.0",
    )
    document["slaProperties"] = [{"property": "latency", "value": 2, "unit": "h"}]
    return document


def field(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = [item for item in document["schema"][0]["properties"] if item["name"] == name]
    assert isinstance(found[0], dict)
    return found[0]


def changes(edit: Callable[[dict[str, Any]], object], mode: Mode = "full") -> list[Change]:
    document = copy.deepcopy(base())
    edit(document)
    old, new = DataContract.from_document(base()), DataContract.from_document(document)
    return compare(old, new, mode)


def options(name: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: field(document, name).update(logicalTypeOptions=values)


def update(name: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: field(document, name).update(values)


def add(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["schema"][0]["properties"].append(values)


def remove(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["schema"][0]["properties"].remove(field(document, name))


def custom(name: str, **value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update(customProperties=[{"property": name, "value": value}])


CASES: list[tuple[str, Callable[[dict[str, Any]], Any], str, str, tuple[bool, bool]]] = [
    ("optional field", add(name="new", logicalType="string"), "new", "added", NOBODY),
    ("required field", add(name="new", required=True), "new", "added", PRODUCERS),
    ("field removed", remove("amount"), "amount", "removed", BOTH),
    ("now required", update("amount", required=True), "amount", "required", PRODUCERS),
    ("no longer required", update("code", required=False), "code", "required", CONSUMERS),
    ("integer to number", update("count", logicalType="number"), "count", "type", CONSUMERS),
    ("number to integer", update("amount", logicalType="integer"), "amount", "type", PRODUCERS),
    ("another type", update("count", logicalType="string"), "count", "type", BOTH),
    ("longer", options("code", maxLength=9, pattern="^a"), "code", "maxLength", CONSUMERS),
    ("shorter", options("code", maxLength=3, pattern="^a"), "code", "maxLength", PRODUCERS),
    ("no maximum", options("code", pattern="^a"), "code", "maxLength", CONSUMERS),
    ("new minimum", options("count", minimum=1), "count", "minimum", PRODUCERS),
    ("no pattern", options("code", maxLength=5), "code", "pattern", CONSUMERS),
    ("another pattern", options("code", maxLength=5, pattern="b"), "code", "pattern", BOTH),
    ("finer", options("amount", multipleOf=0.01), "amount", "multipleOf", CONSUMERS),
    ("coarser", options("amount", multipleOf=1), "amount", "multipleOf", PRODUCERS),
    ("other unit", options("amount", multipleOf=0.3), "amount", "multipleOf", PRODUCERS),
    (
        "value added",
        update("code", enum=[{"value": v} for v in ("ab", "ac", "ad")]),
        "code",
        "enum",
        CONSUMERS,
    ),
    ("value removed", update("code", enum=[{"value": "ab"}]), "code", "enum", PRODUCERS),
    ("enum dropped", update("code", enum=None), "code", "enum", CONSUMERS),
    ("enum given", update("count", enum=[{"value": 1}]), "count", "enum", PRODUCERS),
    ("may repeat", update("count", unique=False), "count", "unique", CONSUMERS),
    ("must be unique", update("amount", unique=True), "amount", "unique", PRODUCERS),
    (
        "unique within an object",
        update("place", properties=[{"name": "x", "unique": True}]),
        "place.x",
        "unique",
        PRODUCERS,
    ),
    (
        "unique within a list",
        update("tags", items={"logicalType": "string", "unique": True}),
        "tags[]",
        "unique",
        PRODUCERS,
    ),
    (
        "may repeat within an object",
        update("place", properties=[{"name": "x"}, {"name": "y"}]),
        "place.y",
        "unique",
        CONSUMERS,
    ),
    (
        "another key",
        lambda d: (
            update("id", primaryKey=False, required=True)(d),
            update("count", primaryKey=True, required=True)(d),
        ),
        "",
        "primaryKey",
        BOTH,
    ),
    ("items", update("tags", items={"logicalType": "integer"}), "tags[]", "type", BOTH),
    ("nested", update("place", properties=[]), "place.x", "removed", BOTH),
    (
        "now sensitive",
        update("amount", classification="secret"),
        "amount",
        "classification",
        CONSUMERS,
    ),
    ("now public", update("amount", classification="public"), "amount", "classification", NOBODY),
    ("rule dropped", update("rated", quality=[]), "rated", "quality", CONSUMERS),
    (
        "rule added",
        update("amount", quality=[{"metric": "nullValues", "mustBe": 0}]),
        "amount",
        "quality",
        PRODUCERS,
    ),
    (
        "rule tightened",
        update("rated", quality=[{"metric": "nullValues", "mustBeLessThan": 1}]),
        "rated",
        "quality",
        PRODUCERS,
    ),
    (
        "rule loosened",
        update("rated", quality=[{"metric": "nullValues", "mustBeLessThan": 9}]),
        "rated",
        "quality",
        CONSUMERS,
    ),
    ("separator", custom("fileDialect", separator=";"), "", "fileDialect", BOTH),
    (
        "split",
        custom("fileAcceptance", mode="split", maxRejectedShare=0.1),
        "",
        "fileAcceptance",
        CONSUMERS,
    ),
    (
        "parted",
        lambda d: field(d, "code").update(partitioned=True, partitionKeyPosition=1),
        "",
        "partitioned",
        BOTH,
    ),
    ("sets", custom("fileSet", count=2), "", "fileSet", BOTH),
    (
        "later",
        lambda d: d.update(slaProperties=[{"property": "latency", "value": 3, "unit": "h"}]),
        "",
        "slaProperties",
        CONSUMERS,
    ),
    (
        "sooner",
        lambda d: d.update(slaProperties=[{"property": "latency", "value": 1, "unit": "h"}]),
        "",
        "slaProperties",
        NOBODY,
    ),
    (
        "the same in minutes",
        lambda d: d.update(slaProperties=[{"property": "latency", "value": 120, "unit": "min"}]),
        "",
        "slaProperties",
        NOBODY,
    ),
    (
        "another schedule",
        lambda d: d["slaProperties"][0].update(schedule="0 6 * * *"),
        "",
        "slaProperties",
        CONSUMERS,
    ),
    (
        "must point",
        update("count", relationships=[{"to": "others.id"}]),
        "count",
        "relationships",
        PRODUCERS,
    ),
    (
        "a key of more fields",
        update("count", primaryKey=True, required=True),
        "",
        "primaryKey",
        CONSUMERS,
    ),
    ("no level", lambda d: d.update(slaProperties=[]), "", "slaProperties", CONSUMERS),
    (
        "object added",
        lambda d: d["schema"].append({"name": "more", "properties": [{"name": "x"}]}),
        "",
        "added",
        NOBODY,
    ),
    ("object renamed", lambda d: d["schema"][0].update(name="others"), "", "removed", BOTH),
]


@pytest.mark.parametrize(
    ("edit", "where", "rule", "breaks"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_change_breaks_whom_it_breaks(
    edit: Callable[[dict[str, Any]], Any], where: str, rule: str, breaks: tuple[bool, bool]
) -> None:
    found = [item for item in changes(edit) if (item.field, item.rule) == (where, rule)]
    assert [(item.breaks_producers, item.breaks_consumers) for item in found] == [breaks]
    assert found[0].message.endswith(".")
    assert found[0].verdict == ("breaking" if any(breaks) else "compatible")


def test_a_contract_is_compatible_with_itself() -> None:
    assert changes(lambda _: None) == []


def parted(*names: str) -> DataContract:
    document = copy.deepcopy(base())
    for position, name in enumerate(names, 1):
        field(document, name).update(partitioned=True, partitionKeyPosition=position)
    return DataContract.from_document(document)


@pytest.mark.parametrize(
    ("old", "new", "breaks"),
    [
        (("code", "count"), ("code",), CONSUMERS),
        (("code", "count"), (), CONSUMERS),
        (("code", "count"), ("count", "code"), CONSUMERS),
        (("code",), ("code", "count"), BOTH),
    ],
)
def test_readers_find_data_that_is_parted_otherwise_elsewhere(
    old: tuple[str, ...], new: tuple[str, ...], breaks: tuple[bool, bool]
) -> None:
    [found] = compare(parted(*old), parted(*new))
    assert (found.breaks_producers, found.breaks_consumers) == breaks
    shown = ", ".join(new) or "nothing"
    assert found.message == f"Published data is now parted by {shown} instead of {', '.join(old)}."


def in_sets(**values: Any) -> DataContract:
    document = copy.deepcopy(base())
    if values:
        custom("fileSet", **values)(document)
    return DataContract.from_document(document)


def hours(value: int) -> dict[str, Any]:
    return {"value": value, "unit": "h"}


@pytest.mark.parametrize(
    ("old", "new", "breaks", "says"),
    [
        ({"count": 2}, {}, BOTH, "Files are now delivered each by itself."),
        ({"count": 2}, {"count": 3}, BOTH, "A set is now made of other files."),
        (
            {"count": 2, "deadline": hours(6)},
            {"count": 2, "deadline": hours(7)},
            CONSUMERS,
            "now late 7:00:00 after its first file; it was late 6:00:00 after its first file.",
        ),
        (
            {"count": 2, "deadline": hours(6)},
            {"count": 2},
            CONSUMERS,
            "A set is now never late; it was late 6:00:00 after its first file.",
        ),
        (
            {"count": 2},
            {"count": 2, "deadline": hours(6)},
            NOBODY,
            "A set is now late 6:00:00 after its first file; it was never late.",
        ),
    ],
)
def test_who_relies_on_sets(
    old: dict[str, Any], new: dict[str, Any], breaks: tuple[bool, bool], says: str
) -> None:
    [found] = compare(in_sets(**old), in_sets(**new))
    assert (found.breaks_producers, found.breaks_consumers) == breaks
    assert found.message.endswith(says)


def test_what_only_people_read_is_no_change() -> None:
    assert changes(update("amount", description="of money", businessName="Amount")) == []


@pytest.mark.parametrize(
    ("mode", "tightened", "loosened"),
    [
        ("none", "compatible", "compatible"),
        ("backward", "breaking", "compatible"),
        ("forward", "compatible", "breaking"),
        ("full", "breaking", "breaking"),
        ("full_transitive", "breaking", "breaking"),
    ],
)
def test_the_mode_says_whose_side_counts(mode: Mode, tightened: str, loosened: str) -> None:
    assert changes(update("amount", required=True), mode)[0].verdict == tightened
    assert changes(update("code", required=False), mode)[0].verdict == loosened


def test_transitive_modes_look_at_every_version() -> None:
    def version(most: int) -> DataContract:
        document = base()
        options("code", maxLength=most, pattern="^a")(document)
        return DataContract.from_document(document)

    olds = [version(9), version(5)]
    assert [item.verdict for item in compare_all(olds, version(5), "backward")] == []
    found = compare_all(olds, version(5), "backward_transitive")
    assert [item.message for item in found] == ["code has its maxLength tightened from 9 to 5."]
    assert found[0].verdict == "breaking"


def test_keywords_that_cannot_be_compared_break_both_sides() -> None:
    schemas: list[dict[str, Any]] = [
        {"type": "object", "properties": {"a": {"anyOf": [{"type": name}]}}}
        for name in ("string", "integer")
    ]
    old, new = (DataContract.from_json_schema(schema, name="rows") for schema in schemas)
    found = compare(old, new)
    assert [(item.field, item.rule, item.verdict) for item in found] == [("a", "anyOf", "breaking")]


def test_a_relationship_that_is_gone_breaks_consumers() -> None:
    document = base()
    update("count", relationships=[{"to": "others.id"}])(document)
    old, new = DataContract.from_document(document), DataContract.from_document(base())

    [found] = compare(old, new)

    assert found.message == "count no longer has to point at others (id)."
    assert (found.breaks, found.pointer) == ("consumers", "/schema/0/properties/3")


@pytest.mark.parametrize(
    ("before", "after", "breaks"),
    [
        ({}, {"severity": "warning"}, "consumers"),
        ({"severity": "warning"}, {}, "producers"),
        ({"severity": "warning"}, None, "nobody"),
        ({"whenUnpublished": "accept"}, {}, "producers"),
        ({}, {"whenUnpublished": "accept"}, "consumers"),
        ({}, {"product": "other/product"}, "producers and consumers"),
        ({}, {"major": 2}, "producers and consumers"),
        ({"severity": "error"}, {}, "nobody"),
    ],
)
def test_a_relationship_is_what_it_demands(before: Any, after: Any, breaks: str) -> None:
    def version(check: Any) -> DataContract:
        document = base()
        about = [{"property": "referenceCheck", "value": check}] if check else []
        if check is not None:
            entry = {"to": "others.id", "customProperties": about}
            update("count", relationships=[entry])(document)
        return DataContract.from_document(document)

    found = compare(version(before), version(after))

    sides = {side for item in found for side in item.breaks.split(" and ")} - {"nobody"}
    assert sides == set(breaks.split(" and ")) - {"nobody"}
    assert all(item.message.endswith(".") for item in found)


@pytest.mark.parametrize(
    ("before", "after", "breaks"),
    [
        ({"const": 1}, {"const": True}, "producers and consumers"),
        ({"enum": [1]}, {"enum": [1.0]}, "nobody"),
        ({"enum": [1]}, {"enum": [1, None]}, "consumers"),
        ({"allOf": [{"pattern": "a"}]}, {}, "consumers"),
    ],
)
def test_json_schema_by_itself(before: Any, after: Any, breaks: str) -> None:
    old, new = (
        DataContract.from_json_schema({"type": "object", "properties": {"a": part}}, name="rows")
        for part in (before, after)
    )
    assert {item.breaks for item in compare(old, new)} - {"nobody"} == {breaks} - {"nobody"}


def test_in_an_open_record_a_new_field_may_have_been_something_else() -> None:
    schema = {"type": "object", "properties": {"a": {}}}
    more = {"type": "object", "properties": {"a": {}, "b": {"type": "string"}}}
    old, new = (DataContract.from_json_schema(one, name="rows") for one in (schema, more))

    assert [(item.field, item.breaks) for item in compare(old, new)] == [("b", "producers")]
