"""What a product needs before it can be registered: its contracts, and its inputs if it has any."""

from __future__ import annotations

from mesh import consuming, contracts, notifications
from mesh.backbone import Backbone
from mesh.model.declaration import Declaration
from mesh.model.events import PRODUCT_UPDATED, ReceivedEvent
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.model.product import DataProduct
from mesh.model.record import ContractEntry
from mesh.model.subscription import Channel, Filter, Route, State, Subscription, subscription_id

_WANTED = Filter(types=frozenset({PRODUCT_UPDATED}))


def publish_contracts(backbone: Backbone, declaration: Declaration) -> list[ContractEntry]:
    """Publish the contract of each output port."""
    return [
        contracts.publish(backbone, declaration.product.id, declared)
        for declared in declaration.contracts
    ]


def subscribe_to_inputs(backbone: Backbone, product: DataProduct) -> None:
    """Let a composite be told of its inputs' updates, and no more of those it no longer has."""
    before = backbone.registry.head(product.id).product
    inputs = {port.product for port in product.input_ports}
    dropped = set() if before is None else {port.product for port in before.input_ports} - inputs
    for upstream in inputs:
        wanted = _to_input(backbone, product, upstream)
        backbone.subscriptions.add(wanted)
        agreed = backbone.registry.agreement(upstream, product.id.domain)
        if agreed is not None:
            consuming.follow(backbone, agreed)
    for upstream in dropped:
        backbone.subscriptions.remove(upstream, _to_input(backbone, product, upstream).id)


def backfill_inputs(backbone: Backbone, product: DataProduct) -> None:
    """Tell a composite of what its inputs published before it was there."""
    for upstream in {port.product for port in product.input_ports}:
        subscription = _to_input(backbone, product, upstream)
        told = [
            (subscription, Notification.first(event, subscription.id))
            for event in _last_updates(backbone, upstream)
        ]
        notifications.enqueue(backbone, told, after=backbone.policy.schedule[0])


def _last_updates(backbone: Backbone, upstream: ProductId) -> list[ReceivedEvent]:
    """The events that announced the last good version of each of the product's objects."""
    sequences = [snapshot.sequence for snapshot in backbone.registry.snapshots(upstream)]
    found = [
        backbone.registry.events(upstream, after=sequence - 1, limit=1) for sequence in sequences
    ]
    return [ReceivedEvent.from_cloudevent(event) for events in found for event in events]


def _to_input(backbone: Backbone, product: DataProduct, upstream: ProductId) -> Subscription:
    identity = subscription_id(
        product=upstream,
        subscriber=product.id.domain,
        route=Route(channel=Channel.COMPOSITE, target=str(product.id)),
        wanted=_WANTED,
    )
    return Subscription(
        id=identity,
        product=upstream,
        subscriber=product.id.domain,
        channel=Channel.COMPOSITE,
        target=str(product.id),
        filter=_WANTED,
        state=State.ACTIVE,
        created_at=backbone.now(),
    )
