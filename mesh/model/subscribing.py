"""What a subscription is when it is asked for: a new one, or a known one once more."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from mesh.model.record import Head
from mesh.model.subscription import Filter, Route, State, Subscription


def asked(
    head: Head, identity: str, subscriber: str, route: Route, wanted: Filter, *, at: datetime
) -> Subscription:
    """The subscription that is asked for, as if there were none yet."""
    return Subscription(
        id=identity,
        product=head.id,
        subscriber=subscriber,
        channel=route.channel,
        # Service Bus takes 50 characters.
        target=route.target or f"{subscriber[:29]}-{identity}",
        filter=wanted,
        state=State.ACTIVE,
        created_at=at,
        after=head.sequence,
        copies=route.copies,
        signature=route.signature,
        ordered=route.ordered,
        settled=head.sequence,
    )


def once_more(anew: Subscription, known: Subscription) -> Subscription:
    """The known subscription, told again as it is asked for now."""
    return replace(
        anew,
        created_at=known.created_at,
        after=known.after,
        generation=known.generation,
        made_with=known.made_with,
        previous_until=known.previous_until,
        oldest=known.oldest,
        resumed_at=anew.created_at,
        round=known.round + 1,
        settled=known.settled,
        made_by=known.made_by,
        alert=known.alert,
        uses=known.uses,
    )
