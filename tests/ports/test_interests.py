"""Who wants an event is found among however many, for what those few cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mesh.azure import subscriptions
from mesh.backbone import Backbone, in_memory
from mesh.model.events import EVENT_TYPES, FILE_QUARANTINED, PRODUCT_UPDATED
from mesh.model.filters import Expression, exact
from mesh.model.interests import interests, of_event
from mesh.model.names import ProductId
from mesh.model.subscription import Channel, Filter
from tests.ports import nouns
from tests.ports.conftest import CountingTransport

PRODUCT = ProductId(domain="geo", product="regions")
UPDATES = Filter(types=frozenset({PRODUCT_UPDATED}))
REJECTS = Filter(types=frozenset({FILE_QUARANTINED}))
MATCHING = 10

objects = st.sampled_from(["runways", "regions", "lakes"])
comparisons = st.one_of(
    st.builds(exact, st.just("type"), st.sampled_from(EVENT_TYPES)),
    st.builds(exact, st.just("data.object"), objects),
    st.builds(exact, st.just("subject"), st.just("v1/runways")),
    st.builds(
        lambda text: Expression(dialect="prefix", attribute="type", value=text),
        st.sampled_from(["mesh.", "mesh.file", "x"]),
    ),
)
expressions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(lambda part: Expression(dialect="not", parts=(part,)), inner),
        st.builds(
            lambda kind, parts: Expression(dialect=kind, parts=tuple(parts)),
            st.sampled_from(["all", "any"]),
            st.lists(inner, min_size=1, max_size=4),
        ),
    ),
    max_leaves=8,
)


@given(wanted=st.lists(expressions, max_size=3), kind=st.sampled_from(EVENT_TYPES), about=objects)
def test_whoever_wants_an_event_is_found(wanted: list[Expression], kind: str, about: str) -> None:
    made = Filter(filters=tuple(wanted))
    event = nouns.received(PRODUCT, type=kind, data={"object": about})

    assert not made.matches(event) or interests(made) & set(of_event(event))


def test_a_hundred_thousand_cost_what_those_few_cost_that_match() -> None:
    few, many = in_memory(), in_memory()
    for backbone, others in ((few, 0), (many, 100_000)):
        for number in range(others):
            other = nouns.subscription(PRODUCT, id=f"n{number}", filter=REJECTS)
            backbone.subscriptions.add(other)
        for number in range(MATCHING):
            wants = nouns.subscription(PRODUCT, id=f"m{number}", filter=UPDATES)
            backbone.subscriptions.add(wants)
        event = nouns.received(PRODUCT)
        assert len(backbone.subscriptions.wanting(event)) == MATCHING

    assert few.subscriptions.looked_at == many.subscriptions.looked_at == MATCHING


def stored(ports: Backbone, product: ProductId, others: int) -> None:
    """So many that do not match, in as few transactions as may be, and ten that do."""
    rows = [
        row
        for number in range(others)
        for row in subscriptions._rows(
            nouns.subscription(product, id=f"n{number:05d}", filter=REJECTS)
        )
    ]
    table = ports.subscriptions._table
    for start in range(0, len(rows), 100):
        table.submit_transaction([("upsert", row) for row in rows[start : start + 100]])
    for number in range(MATCHING):
        ports.subscriptions.add(nouns.subscription(product, id=f"m{number}", filter=UPDATES))


def test_on_tables_too(azure: Backbone, counting: CountingTransport) -> None:
    costs = {}
    for others in (0, subscriptions.FEW, 6 * subscriptions.FEW):
        product = nouns.new_product()
        stored(azure, product, others)
        counting.requests.clear()
        found = azure.subscriptions.wanting(nouns.received(product))
        costs[others] = len(counting.requests)
        assert {wants.id for wants in found if wants.filter == UPDATES} == {
            f"m{number}" for number in range(MATCHING)
        }

    assert costs == {0: 1, subscriptions.FEW: 5, 6 * subscriptions.FEW: 5}


def test_what_is_found_is_as_it_was_last_changed(ports: Backbone, product: ProductId) -> None:
    wants = nouns.subscription(product, filter=UPDATES)
    ports.subscriptions.add(wants)
    for number in range(subscriptions.FEW + 1):  # so that they are many
        other = nouns.subscription(product, id=f"p{number}", channel=Channel.PULL)
        ports.subscriptions.add(other)

    def fail(found: object) -> object:
        from dataclasses import replace

        return replace(found, failing=50)  # type: ignore[type-var]

    ports.subscriptions.change(product, wants.id, fail)  # type: ignore[arg-type]
    found = {one.id: one for one in ports.subscriptions.wanting(nouns.received(product))}
    assert found[wants.id].failing == 50

    ports.subscriptions.remove(product, wants.id)
    left = ports.subscriptions.wanting(nouns.received(product))
    assert wants.id not in {one.id for one in left}
    assert ports.subscriptions.get(product, wants.id) is None
