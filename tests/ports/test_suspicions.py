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


def test_a_suspicion_is_kept_replaced_and_forgotten(ports: Backbone, product: ProductId) -> None:
    assert ports.registry.suspicion(product, DROP) is None
    ports.registry.acquit(product, DROP)

    for deaths in (0, 1):
        noted = Suspicion(drop=DROP, deaths=deaths, running_in="a process")
        ports.registry.suspect(product, noted)
        assert ports.registry.suspicion(product, DROP) == noted

    ports.registry.acquit(product, DROP)
    assert ports.registry.suspicion(product, DROP) is None


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
    suspicion, suspect, acquit = 1, 1, 1
    assert len(counting.requests) == first_delivery + suspicion + suspect + acquit
