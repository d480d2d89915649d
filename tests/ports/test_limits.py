"""The limits of a table, which Azurite does not enforce, and rows that somebody spoilt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.azure import rows
from mesh.backbone import Backbone
from mesh.errors import Rejected, Unavailable
from mesh.model.names import ProductId
from mesh.model.record import Head
from tests.ports import nouns


def test_a_row_of_many_properties_is_read_again(azure: Backbone, product: ProductId) -> None:
    told = nouns.entry(summary="ü€🛬" * 20_000)

    azure.registry.commit(nouns.change(Head.new(product), entry=told))

    assert azure.registry.entry(product, told.drop) == told


def test_a_row_may_become_smaller_again(azure: Backbone, product: ProductId) -> None:
    for location in ("published/" + "x" * 100_000, "published/x.csv"):
        told = nouns.snapshot(location=location)
        azure.registry.commit(nouns.change(azure.registry.head(product), snapshot=told))

    assert azure.registry.snapshots(product) == [nouns.snapshot(location="published/x.csv")]


def test_a_row_above_one_mib_is_refused(azure: Backbone, product: ProductId) -> None:
    told = nouns.entry(summary="x" * 530_000)

    with pytest.raises(
        Rejected, match=r"is too large to be recorded: it has \d+ bytes, and 1048576 are allowed"
    ) as refused:
        azure.registry.commit(nouns.change(Head.new(product), entry=told))

    assert (refused.value.problem, refused.value.status) == ("too-large", 413)
    assert azure.registry.head(product) == Head.new(product)


def test_a_property_above_64_kib_is_refused(azure: Backbone, product: ProductId) -> None:
    told = nouns.attempt(product, reason="x" * 33_000)

    with pytest.raises(Rejected, match=r"attempt_001 has \d+ characters, and 32768 are allowed"):
        azure.deliveries.record(told)


def test_a_change_of_more_than_a_hundred_rows_is_refused(
    azure: Backbone, product: ProductId
) -> None:
    told = [nouns.announcement(f"{number}") for number in range(50)]

    with pytest.raises(
        Rejected, match="too large for one transaction of the record: 101 rows, and 100 are allowed"
    ):
        azure.registry.commit(nouns.change(Head.new(product), *told))

    azure.registry.commit(nouns.change(Head.new(product), *told[:49], snapshot=nouns.snapshot()))
    assert azure.registry.head(product).sequence == 49


def test_a_change_above_four_mib_is_refused(azure: Backbone, product: ProductId) -> None:
    told = [nouns.announcement(f"{number}", data={"x": "x" * 250_000}) for number in range(8)]

    azure.registry.commit(nouns.change(Head.new(product), *told[:7]))
    with pytest.raises(
        Rejected, match=r"one transaction of the record: \d+ bytes, and 4194304 are allowed"
    ):
        azure.registry.commit(nouns.change(azure.registry.head(product), *told, *told))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"sequence":', "Expecting value"),
        ('{"sequence": "one"}', "Expected `int`, got `str`"),
        ('{"sequence": 1}', "missing required field"),
        ('{"id":{"domain":"A","product":"b"},"sequence":1}', "cannot name a domain"),
    ],
)
def test_a_row_that_somebody_spoilt_is_named(
    azure: Backbone, product: ProductId, content: str, why: str
) -> None:
    table = azure.registry._clients.table("record")  # type: ignore[attr-defined]
    entity = {"PartitionKey": product.key, "RowKey": "head", "json00": content}
    table.upsert_entity(entity)

    with pytest.raises(Unavailable) as failed:
        azure.registry.head(product)

    message = str(failed.value)
    assert message.startswith(f"Row 'head' of partition '{product.key}' cannot be read as Head: ")
    assert why in message


def test_a_field_that_was_taken_away_is_ignored(azure: Backbone, product: ProductId) -> None:
    azure.subscriptions.add(nouns.subscription(product))
    table = azure.subscriptions._clients.table("subscriptions")  # type: ignore[attr-defined]
    entity = table.get_entity(product.key, "s1")
    entity["json00"] = entity["json00"].replace('{"id"', '{"colour":"blue","id"')
    table.upsert_entity(entity)

    assert azure.subscriptions.get(product, "s1") == nouns.subscription(product)


@given(st.lists(nouns.texts, min_size=1, max_size=3), st.lists(nouns.texts, min_size=1, max_size=3))
def test_keys_differ_and_are_allowed(first: list[str], second: list[str]) -> None:
    key = rows.row_key(*first)

    assert (key == rows.row_key(*second)) == (first == second)
    assert not set(key) & set("/\\#?%")
    assert all(" " < character < "\x7f" for character in key)
    assert len(key) <= 512


@given(st.text(min_size=150, max_size=2000), st.text(min_size=150, max_size=2000))
def test_long_parts_of_keys_differ_too(first: str, second: str) -> None:
    assert (rows.row_key(first) == rows.row_key(second)) == (first == second)
    assert len(rows.row_key(first)) <= 200
