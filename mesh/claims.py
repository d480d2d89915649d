"""A destination is told of events once its domain has proven that it can read what comes there.

The identity of the mesh may write into the queues of many domains, so naming one proves nothing:
a token is delivered there first, and whoever can read it sends it back.
"""

from __future__ import annotations

import hmac
from dataclasses import replace

from mesh.backbone import Backbone
from mesh.errors import Rejected
from mesh.model.claim import PAUSE, TOKEN_LASTS, Claim
from mesh.model.delivery import webhook_id
from mesh.model.destination import resource_of
from mesh.model.subscription import Channel, Subscription
from mesh.model.subscription_events import tested
from mesh.ports import Parcel


def check(backbone: Backbone, wants: Subscription, *, token: str = "") -> float:
    """See that a destination is its subscriber's, and can be told.

    What is proven once stays so, for every subscription of the domain to that destination.

    Args:
        token: what was delivered there; without one, it is delivered.

    Returns:
        how long it took to tell it, in seconds; 0 when nothing was told.

    Raises:
        Rejected: `destination-unproven`: a token is on its way there. `wrong-token`: it is another
            one, or too old. `destination-unverified`: it cannot be told.
    """
    claim = backbone.claims.get(*_key(wants))
    if claim is not None and _spot(wants) in claim.proven:
        return _deliver(backbone, wants)
    if token:
        _prove(backbone, wants, token)
        return 0.0
    raise _challenged(backbone, wants)


def _prove(backbone: Backbone, wants: Subscription, token: str) -> None:
    now = backbone.now()

    def decide(found: Claim) -> Claim:
        is_awaited = found.is_awaited(_spot(wants), now)
        made = backbone.signing.tokens(found.secret_name) if is_awaited else ()
        if not any(hmac.compare_digest(token.encode(), one.encode()) for one in made):
            message = (
                f"That is not the token that was delivered to {wants.target} for "
                f"{wants.subscriber}, or it is older than {_hours()}. Subscribe without a token to "
                "be sent another one."
            )
            raise Rejected(message, problem="wrong-token", status=403)
        return replace(found, proven=(*found.proven, _spot(wants)), sent_at=None)

    backbone.claims.change(*_key(wants), decide)


def _challenged(backbone: Backbone, wants: Subscription) -> Rejected:
    """Deliver a token; that it will be is on record before, so that nobody is sent many."""
    now = backbone.now()

    def begun(found: Claim) -> Claim:
        if not found.may_be_sent(now):
            raise _unproven(wants)
        return replace(found, tokens=found.tokens + 1, sent_to=_spot(wants), sent_at=now)

    def failed(found: Claim) -> Claim:
        return replace(found, sent_at=None) if found.tokens == claim.tokens else found

    claim = backbone.claims.change(*_key(wants), begun)
    try:
        _deliver(backbone, wants, claim)
    except Rejected:
        backbone.claims.change(*_key(wants), failed)
        raise
    return _unproven(wants)


def _deliver(backbone: Backbone, wants: Subscription, claim: Claim | None = None) -> float:
    """Deliver a test event, with the token of a claim that is to be proven; returns the seconds.

    Raises:
        Rejected: it could not be delivered.
    """
    token, number = "", 0
    if claim is not None:
        token, number = backbone.signing.tokens(claim.secret_name)[0], claim.tokens
    event = tested(wants, at=backbone.now(), token=token, number=number)
    parcel = Parcel(
        channel=wants.channel,
        target=wants.target,
        id=webhook_id(wants.product.source, event["id"], wants.id),
        event=event,
        limit=backbone.policy.patient,
    )
    made = backbone.destinations.deliver(parcel)
    if made.outcome != "delivered":
        message = (
            f"A test event could not be delivered to {wants.target}. {made.reason} It has to "
            "exist, and the identity of the mesh needs a role that lets it write there."
        )
        raise Rejected(message, problem="destination-unverified", status=422)
    return made.duration_s


def _key(wants: Subscription) -> tuple[str, Channel, str]:
    return wants.subscriber, wants.channel, resource_of(wants.channel, wants.target)


def _spot(wants: Subscription) -> str:
    """What a token proves: a queue, a topic, or one folder."""
    return wants.target if wants.channel is Channel.INBOX else _key(wants)[2]


def _unproven(wants: Subscription) -> Rejected:
    minutes = PAUSE.total_seconds() / 60
    message = (
        f"{wants.target} has yet to be proven to belong to {wants.subscriber}. A test event has "
        "been delivered there. Read `data.token` in it, and subscribe again with it (`token`; "
        f"`mesh subscribe … --token TOKEN`) within {_hours()}. Another one can be asked for after "
        f"{minutes:.0f} minutes."
    )
    return Rejected(message, problem="destination-unproven", status=403)


def _hours() -> str:
    return f"{TOKEN_LASTS.total_seconds() / 3600:.0f} hours"
