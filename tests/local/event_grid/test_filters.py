"""Filters against an oracle that follows Azure's pseudo-code word by word."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.event_grid.documents import Document, InvalidDocument
from local.event_grid.filters import OPERATORS, Filter, read_filter
from local.event_grid.schemas import CLOUD_EVENTS, EVENT_GRID, Event
from tests.local.event_grid.building import cloud_event, own_event
from tests.thorough import examples

TEXTS = st.text("aBß1", max_size=4)
NUMBERS = st.one_of(st.integers(-5, 5), st.sampled_from([0.1, 2.5, -1.0, 10**20, 1e20]))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=4))
ABSENT = object()


def event(**members: Any) -> Event:
    return Event(
        attributes=cloud_event(**members),
        input_schema=CLOUD_EVENTS,
        internal_id="i",
        published=0.0,
    )


def filtered(condition: dict[str, Any], *, arrays: bool = False) -> Filter:
    document = {"advancedFilters": [condition], "enableAdvancedFilteringOnArrays": arrays}
    return read_filter(Document(value=document))


def matches(condition: dict[str, Any], value: Any, *, arrays: bool = False) -> bool:
    data = {} if value is ABSENT else {"key": value}
    condition = {"key": "data.key", **condition}
    return filtered(condition, arrays=arrays).matches(event(data=data))


def is_number(value: Any) -> bool:
    return type(value) in (int, float)


def oracle(condition: dict[str, Any], value: Any, *, arrays: bool) -> bool:  # noqa: C901
    operator = condition["operatorType"]
    missing = value is ABSENT or value is None
    if operator == "IsNullOrUndefined":
        return missing
    if operator == "IsNotNull":
        return not missing
    if missing:
        return operator in ("NumberNotIn", "StringNotIn")
    wants_text = operator.startswith("String")
    wanted = condition.get("values", [condition.get("value")])
    if isinstance(value, list) and not arrays:
        return False
    keys = value if isinstance(value, list) else [value]
    if wants_text:
        keys = [key.casefold() for key in keys if isinstance(key, str)]
        wanted = [text.casefold() for text in wanted]
    elif operator == "BoolEquals":
        keys = [key for key in keys if isinstance(key, bool)]
    else:
        keys = [key for key in keys if is_number(key)]
    if not keys and not isinstance(value, list):
        return operator in ("NumberNotIn", "StringNotIn")
    hit = False
    for filter_value in wanted:
        for key in keys:
            if operator.endswith("InRange"):
                hit |= filter_value[0] <= key <= filter_value[1]
            elif operator in ("NumberIn", "NumberNotIn", "StringIn", "StringNotIn", "BoolEquals"):
                hit |= key == filter_value
            elif operator.endswith("Contains"):
                hit |= filter_value in key
            elif operator.endswith("BeginsWith"):
                hit |= key[: len(filter_value)] == filter_value
            elif operator.endswith("EndsWith"):
                hit |= key.endswith(filter_value)
            elif operator == "NumberLessThan":
                hit |= key < filter_value
            elif operator == "NumberLessThanOrEquals":
                hit |= key <= filter_value
            elif operator == "NumberGreaterThan":
                hit |= key > filter_value
            else:
                assert operator == "NumberGreaterThanOrEquals"
                hit |= key >= filter_value
    return not hit if "Not" in operator else hit


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    operator = draw(st.sampled_from(OPERATORS))
    condition: dict[str, Any] = {"operatorType": operator}
    if operator == "BoolEquals":
        condition["value"] = draw(st.booleans())
    elif operator.startswith("String"):
        condition["values"] = draw(st.lists(TEXTS, min_size=1, max_size=3))
    elif operator.endswith("InRange"):
        pair = st.tuples(NUMBERS, NUMBERS).map(sorted)
        condition["values"] = draw(st.lists(pair, min_size=1, max_size=3))
    elif operator in ("NumberIn", "NumberNotIn"):
        condition["values"] = draw(st.lists(NUMBERS, min_size=1, max_size=3))
    elif operator.startswith("Number"):
        condition["value"] = draw(NUMBERS)
    return condition


@settings(max_examples=examples(100))
@given(conditions(), st.one_of(st.just(ABSENT), VALUES), st.booleans())
def test_every_operator_agrees_with_the_oracle(
    condition: dict[str, Any], value: Any, arrays: bool
) -> None:
    assert matches(condition, value, arrays=arrays) == oracle(condition, value, arrays=arrays)


def test_every_operator_of_azure_is_known() -> None:
    assert len(set(OPERATORS)) == len(OPERATORS) == 19


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("NumberNotIn", True),
        ("StringNotIn", True),
        ("StringNotContains", False),
        ("StringNotBeginsWith", False),
        ("StringNotEndsWith", False),
        ("NumberNotInRange", False),
        ("StringIn", False),
    ],
)
def test_a_missing_key(operator: str, expected: bool) -> None:
    values: list[Any] = ["a"] if operator.startswith("String") else [1]
    if operator.endswith("InRange"):
        values = [[1, 2]]
    condition = {"operatorType": operator, "values": values}
    assert matches(condition, ABSENT) is matches(condition, None) is expected


def test_arrays_need_to_be_switched_on() -> None:
    condition = {"operatorType": "StringIn", "values": ["a"]}
    assert not matches(condition, ["a"])
    assert matches(condition, ["b", "A"], arrays=True)
    negated = {"operatorType": "StringNotIn", "values": ["a"]}
    assert not matches(negated, ["b", "A"], arrays=True)
    assert matches(negated, [], arrays=True)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("data.a.b", True),
        ("Data.A.B", True),
        ("data.a.b.c", False),
        ("data.a", False),
        ("type", False),
        ("extension", True),
        ("TYPE", False),
    ],
)
def test_keys_reach_into_data_and_attributes(key: str, expected: bool) -> None:
    condition = {"operatorType": "StringIn", "key": key, "values": ["x"]}
    assert filtered(condition).matches(event(data={"a": {"b": "X"}}, extension="x")) is expected


def test_a_name_as_written_wins_over_another_case() -> None:
    condition = {"operatorType": "StringIn", "key": "data.Key", "values": ["exact"]}
    assert filtered(condition).matches(event(data={"key": "other", "Key": "exact"}))


def test_a_number_in_an_extension_is_a_text_to_text_operators() -> None:
    condition = {"operatorType": "StringBeginsWith", "key": "ordinal", "values": ["5", "1"]}
    assert filtered(condition).matches(event(ordinal=57))
    assert not filtered({**condition, "key": "data.ordinal"}).matches(event(data={"ordinal": 57}))


def test_keys_of_event_grid_schema() -> None:
    own = Event(
        attributes={**own_event(), "topic": "/t"},
        input_schema=EVENT_GRID,
        internal_id="i",
        published=0.0,
    )
    for key in ("ID", "Topic", "Subject", "EventType", "DataVersion", "data.amount"):
        assert filtered({"operatorType": "IsNotNull", "key": key}).matches(own), key


@pytest.mark.parametrize(
    ("declared", "subject", "expected"),
    [
        ({"subjectBeginsWith": "ORDERS/"}, "orders/1", True),
        ({"subjectBeginsWith": "ORDERS/", "isSubjectCaseSensitive": True}, "orders/1", False),
        ({"subjectEndsWith": ".csv"}, "a.CSV", True),
        ({"subjectBeginsWith": "a", "subjectEndsWith": "b"}, "ac", False),
        ({"subjectBeginsWith": ""}, None, True),
        ({"subjectBeginsWith": "a"}, None, False),
    ],
)
def test_subjects(declared: dict[str, Any], subject: str | None, expected: bool) -> None:
    assert read_filter(Document(value=declared)).matches(event(subject=subject)) is expected


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["order.placed"], True),
        (["Order.Placed"], False),
        (["other"], False),
        (["All"], True),
        ([], True),
        (None, True),
    ],
)
def test_event_types(types: list[str] | None, expected: bool) -> None:
    assert read_filter(Document(value={"includedEventTypes": types})).matches(event()) is expected


def test_conditions_must_all_hold() -> None:
    document = Document(
        value={
            "advancedFilters": [
                {"operatorType": "NumberGreaterThan", "key": "data.n", "value": 1},
                {"operatorType": "NumberLessThan", "key": "data.n", "value": 3},
            ]
        }
    )
    wanted = read_filter(document)
    assert [n for n in range(5) if wanted.matches(event(data={"n": n}))] == [2]


def many(count: int, values: int = 1) -> dict[str, Any]:
    condition = {"operatorType": "StringIn", "key": "data.k", "values": ["v"] * values}
    return {"advancedFilters": [condition] * count}


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (many(26), "advancedFilters holds 26 filters; Azure takes at most 25."),
        (many(13, 2), "advancedFilters holds 26 values in all; Azure takes at most 25."),
        (
            {"advancedFilters": [{"operatorType": "StringIs", "key": "data.k", "values": ["a"]}]},
            "advancedFilters[0].operatorType is 'StringIs'. Expected one of: NumberIn, ",
        ),
        (
            {"advancedFilters": [{"operatorType": "StringIn", "values": ["a"]}]},
            "advancedFilters[0].key is missing. It must be a text that is not empty.",
        ),
        (
            {"advancedFilters": [{"operatorType": "IsNotNull", "key": "data..k"}]},
            "advancedFilters[0].key has an empty name between its dots.",
        ),
        (
            {"advancedFilters": [{"operatorType": "StringIn", "key": "k", "values": ["a" * 513]}]},
            "advancedFilters[0].values holds a text of 513 characters; Azure takes at most 512.",
        ),
        (
            {"advancedFilters": [{"operatorType": "StringIn", "key": "k", "values": [1]}]},
            "advancedFilters[0].values must be a list of texts for this operator.",
        ),
        (
            {"advancedFilters": [{"operatorType": "NumberIn", "key": "k", "values": [True]}]},
            "advancedFilters[0].values must be a list of numbers for this operator.",
        ),
        (
            {"advancedFilters": [{"operatorType": "NumberLessThan", "key": "k", "value": "1"}]},
            "advancedFilters[0].value must be a number for this operator.",
        ),
        (
            {"advancedFilters": [{"operatorType": "BoolEquals", "key": "k", "value": 1}]},
            "advancedFilters[0].value must be true or false for this operator.",
        ),
        (
            {"advancedFilters": [{"operatorType": "NumberInRange", "key": "k", "values": [[1]]}]},
            "advancedFilters[0].values must be a list of ranges, each [from, to] of two numbers.",
        ),
        (
            {"advancedFilters": [{"operatorType": "NumberInRange", "key": "k", "values": []}]},
            "advancedFilters[0].values must be a list of ranges, each [from, to] of two numbers.",
        ),
        (
            {
                "advancedFilters": [
                    {"operatorType": "NumberInRange", "key": "k", "values": [[2, 1]]}
                ]
            },
            "advancedFilters[0].values holds a range that ends before it begins: [2, 1].",
        ),
        (
            {"includedEventTypes": [1]},
            "includedEventTypes must hold the names of event types.",
        ),
        (
            {"subjectBeginWith": "a"},
            "subjectBeginWith is not known here. Expected one of: advancedFilters, ",
        ),
    ],
)
def test_what_azure_refuses_is_refused_with_its_place(
    declared: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidDocument) as refused:
        read_filter(Document(value=declared))
    assert str(refused.value).startswith(message)


def test_exactly_the_limits_are_taken() -> None:
    assert len(read_filter(Document(value=many(25))).advanced) == 25
    assert read_filter(Document(value=many(5, 5))).matches(event(data={"k": "v"}))
