"""What each operation costs in storage transactions, which is what storage bills."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from mesh.backbone import Backbone
from mesh.model.names import ProductId
from mesh.model.record import Head
from tests.ports import nouns
from tests.ports.conftest import CountingTransport

MIB = 1024 * 1024
Operation = Callable[[Backbone, ProductId], object]

ONE_EACH: dict[str, Operation] = {
    "head": lambda ports, product: ports.registry.head(product),
    "commit": lambda ports, product: ports.registry.commit(
        nouns.change(
            ports.registry.head(product),
            nouns.announcement("next"),
            entry=nouns.entry("b" * 20 + "-0"),
            snapshot=nouns.snapshot(),
            contracts=(nouns.contract(),),
            inputs=(nouns.input_state(),),
        )
    ),
    "versions": lambda ports, product: ports.registry.versions(product, "a" * 20),
    "entry": lambda ports, product: ports.registry.entry(product, nouns.entry().drop),
    "entries": lambda ports, product: ports.registry.entries(product, limit=1),
    "entries of a file": lambda ports, product: ports.registry.entries(
        product, file="runways.csv", limit=5
    ),
    "contract": lambda ports, product: ports.registry.contract(product, "runways:1.0.0"),
    "contracts": lambda ports, product: ports.registry.contracts(product),
    "snapshots": lambda ports, product: ports.registry.snapshots(product),
    "inputs": lambda ports, product: ports.registry.inputs(product, "2026-11"),
    "events": lambda ports, product: ports.registry.events(product, after=0, limit=2),
    "outbox": lambda ports, product: ports.registry.outbox(product, limit=2),
    "relay of one": lambda ports, product: ports.registry.relayed(product, [1]),
    "relay of many": lambda ports, product: ports.registry.relayed(product, [1, 2, 3]),
    "subscriptions": lambda ports, product: ports.subscriptions.of_product(product),
    "subscription": lambda ports, product: ports.subscriptions.get(product, "s1"),
    "new subscription": lambda ports, product: ports.subscriptions.add(nouns.subscription(product)),
    "no subscription to remove": lambda ports, product: ports.subscriptions.remove(product, "x"),
    "who wants an event": lambda ports, product: ports.subscriptions.wanting(
        nouns.received(product)
    ),
    "attempt": lambda ports, product: ports.deliveries.record(nouns.attempt(product)),
    "delivery": lambda ports, product: ports.deliveries.get(product, 1, "s1"),
    "deliveries": lambda ports, product: ports.deliveries.of_event(product, 1),
    "saga": lambda ports, _: ports.onboardings.get("x"),
    "new saga": lambda ports, product: ports.onboardings.put(nouns.saga(product=product)),
    "sagas": lambda ports, product: ports.onboardings.of_product(product),
    "catalogue entry": lambda ports, product: ports.catalogue.put(nouns.summary(product)),
    "catalogue": lambda ports, _: list(ports.catalogue.products()),
    "container": lambda ports, _: ports.storage.exists("landing"),
}


@pytest.mark.parametrize("operation", ONE_EACH)
def test_one_transaction(
    azure: Backbone, counting: CountingTransport, product: ProductId, operation: str
) -> None:
    told = [nouns.announcement(f"{number}") for number in range(3)]
    azure.registry.commit(
        nouns.change(
            Head.new(product),
            *told,
            entry=nouns.entry(),
            contracts=(nouns.contract(),),
            inputs=(nouns.input_state(),),
        )
    )
    counting.requests.clear()

    ONE_EACH[operation](azure, product)

    expected = 2 if operation == "commit" else 1  # a commit has read the head before
    assert len(counting.requests) == expected, counting.requests


def test_an_event_that_is_off_the_outbox_already_costs_one_each(
    azure: Backbone, counting: CountingTransport, product: ProductId
) -> None:
    azure.registry.commit(nouns.change(Head.new(product), nouns.announcement()))
    counting.requests.clear()

    azure.registry.relayed(product, [1, 2])

    assert len(counting.requests) == 3


@pytest.mark.parametrize(
    ("size", "reads", "writes", "piecewise"),
    [(0, 2, 1, 1), (10, 1, 1, 1), (4 * MIB, 1, 1, 1), (9 * MIB, 3, 1, 4)],
)
def test_blobs_cost_one_transaction_per_piece(
    azure: Backbone,
    counting: CountingTransport,
    size: int,
    reads: int,
    writes: int,
    piecewise: int,
) -> None:
    location = f"landing/{uuid.uuid4().hex}"

    def cost(operation: Callable[[], object]) -> int:
        counting.requests.clear()
        operation()
        return len(counting.requests)

    def write_piecewise() -> None:
        writer = azure.storage.writer(location, content_type="text/csv")
        for start in range(0, size, MIB):
            writer.write(bytes(min(MIB, size - start)))
        writer.commit()

    data = bytes(size)
    assert cost(lambda: azure.storage.write(location, data, content_type="text/csv")) == writes
    assert cost(lambda: azure.storage.read(location)) == reads
    assert cost(lambda: list(azure.storage.open(location))) == reads
    assert cost(write_piecewise) == piecewise
    assert cost(lambda: azure.storage.url(location)) == 0
    assert cost(lambda: azure.storage.read(f"{location}-not-there")) == 1
