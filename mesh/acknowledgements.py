"""A subscriber says that it has dealt with an event; a webhook says so by answering 2xx."""

from __future__ import annotations

from mesh import subscriptions
from mesh.backbone import Backbone
from mesh.errors import NotFound, Rejected
from mesh.model.events import ReceivedEvent
from mesh.model.names import ProductId
from mesh.model.notification import RecordedAttempt
from mesh.model.subscription import Channel


def acknowledge(
    backbone: Backbone, product: ProductId, identity: str, sequence: int
) -> RecordedAttempt:
    """Put on record that a subscriber has dealt with an event; once, however often it says so.

    It may say so before the mesh knows that it was told: that is not tried again then.

    Raises:
        NotFound: there is no such subscription, or no such event.
        Rejected: the subscription is a webhook or a composite, or its filter keeps the event back.
    """
    subscription = subscriptions.find(backbone, product, identity)
    if subscription.channel in {Channel.PUSH, Channel.COMPOSITE}:
        how = "a 2xx is" if subscription.channel is Channel.PUSH else "what it announces is"
        message = f"Subscription {identity} is {subscription.channel}; {how} its acknowledgement."
        raise Rejected(message, problem="not-pulled", status=409)
    known = backbone.deliveries.get(product, sequence, identity)
    if known is not None and known.acknowledgement is not None:
        return known.acknowledgement
    found = backbone.registry.events(product, after=sequence - 1, limit=1)
    event = ReceivedEvent.from_cloudevent(found[0]) if found else None
    if event is None or event.sequence != sequence or not subscription.filter.matches(event):
        message = f"{product} has announced no event {sequence} that subscription {identity} wants."
        raise NotFound(message, problem="unknown-event")
    made = RecordedAttempt(
        product=product,
        sequence=sequence,
        subscription=identity,
        subscriber=subscription.subscriber,
        channel=subscription.channel.value,
        number=0,
        outcome="acknowledged",
        status=None,
        reason="The subscriber says that it has dealt with it.",
        at=backbone.now(),
        duration_s=0.0,
        next_at=None,
    )
    backbone.deliveries.record(made)
    return made
