"""Suspicions and duplicates, as the record keeps them, and what they cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesh import landing
from mesh.azure.clients import Clients
from mesh.backbone import Backbone
from mesh.model.names import ProductId
from mesh.model.record import Commit, Head, Suspicion, Verdict
from tests.ports import nouns
from tests.ports.conftest import CountingTransport
from tests.ports.nouns import new_product
from tests.ports.test_journey_cost import backbone, dropped, onboarded

__all__ = ["backbone"]
GOOD = b"code,name,area\nCH,Switzerland,41285\n"
DROP = "a" * 20 + "-" + "1" * 12


def test_suspicions_are_kept_replaced_and_forgotten(ports: Backbone, product: ProductId) -> None:
    registry = ports.registry
    assert registry.suspicions(product, DROP, "a/message") == []
    registry.acquit(product, DROP, "a/message")
    begun = [
        Suspicion(drop=DROP, message=message, delivery=delivery, failed=False)
        for message, delivery in (("a/message", 2), ("a/message", 10), ("a/message2", 2))
    ]
    for suspicion in reversed(begun):
        registry.suspect(product, suspicion)
    failed = replace(begun[0], failed=True)

    registry.suspect(product, failed)
    assert registry.suspicions(product, DROP, "a/message") == [failed, begun[1]]

    registry.acquit(product, DROP, "a/message")
    assert registry.suspicions(product, DROP, "a/message") == []
    assert registry.suspicions(product, DROP, "a/message2") == [begun[2]]


@pytest.mark.parametrize("change", ["repeated", "mended"])
def test_a_changed_decision_stands_everywhere(
    ports: Backbone, product: ProductId, change: str
) -> None:
    entry = nouns.entry(DROP)
    ports.registry.commit(Commit(head=Head.new(product), entry=entry))
    changed = replace(entry, duplicates=1, mended_by=DROP)

    head = ports.registry.head(product)
    ports.registry.commit(replace(Commit(head=head), **{change: changed}))

    assert ports.registry.entry(product, DROP) == changed
    assert ports.registry.versions(product, "a" * 20) == [changed]
    assert ports.registry.entries(product, limit=10) == [changed]


def test_what_duplicates_and_second_deliveries_cost(
    backbone: Backbone, clients: Clients, counting: CountingTransport
) -> None:
    """A first delivery pays for neither."""
    product = new_product()
    onboarded(backbone, product)
    file = dropped(clients, f"{product}/v1/countries/first.csv", GOOD)
    landing.receive(backbone, file)
    counting.requests.clear()

    assert landing.receive(backbone, file).duplicates == 1
    head, versions, outbox, commit = 1, 1, 1, 1
    assert len(counting.requests) == head + versions + outbox + commit, counting.requests

    file = dropped(clients, f"{product}/v1/countries/second.csv", GOOD)
    counting.requests.clear()
    assert landing.receive(backbone, file).verdict is Verdict.ACCEPTED
    first_delivery = len(counting.requests)
    file = dropped(clients, f"{product}/v1/countries/third.csv", GOOD)
    counting.requests.clear()
    assert landing.receive(backbone, file, delivery=2).verdict is Verdict.ACCEPTED
    suspicions, suspect, acquit = 1, 1, 2
    assert len(counting.requests) == first_delivery + suspicions + suspect + acquit
