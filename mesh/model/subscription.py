"""Who wants to be told what, and how."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from mesh.errors import Rejected
from mesh.model.events import AGREEMENT_TYPES, EVENT_TYPES, ReceivedEvent
from mesh.model.filters import Expression, exact, expressions_from_data
from mesh.model.names import OBJECT_RULE, ProductId, is_object_name

Scheme = Literal["v1", "v1a"]
"""`v1`: HMAC-SHA256, the receiver holds the same secret. `v1a`: ed25519, it holds a public key."""


class Channel(StrEnum):
    """How a subscriber is told.

    `PULL` is a Service Bus topic subscription that the broker fills; `PUSH` a webhook after
    Standard Webhooks; `COMPOSITE` the composite product that reads the one subscribed to. The
    others are destinations, resources of the subscriber's own: an Event Grid topic, a Service Bus
    queue, a folder in blob storage.
    """

    PULL = "pull"
    PUSH = "push"
    EVENT_GRID = "event-grid"
    SERVICE_BUS = "service-bus"
    INBOX = "inbox"
    COMPOSITE = "composite"

    @property
    def is_destination(self) -> bool:
        return self in {Channel.EVENT_GRID, Channel.SERVICE_BUS, Channel.INBOX}


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """How and where a subscriber wants to be told.

    Attributes:
        target: URL of the webhook, Event Grid topic or folder, or `NAMESPACE/QUEUE`; empty for
            pull.
        copies: whether an inbox gets the data too, beside the event that points at it.
        signature: how webhooks are signed.
        ordered: whether each event waits until the one before it is delivered.
    """

    channel: Channel = Channel.PULL
    target: str = ""
    copies: bool = False
    signature: Scheme = "v1"
    ordered: bool = False

    def __post_init__(self) -> None:
        if self.ordered and self.channel in {Channel.PULL, Channel.COMPOSITE}:
            message = (
                f"The mesh cannot promise an order to who is told by {self.channel}: brokers do "
                "not keep one. Sort by `sequence`, or read the product's feed."
            )
            raise Rejected(message, problem="no-order", status=422)
        if self.signature != "v1" and self.channel is not Channel.PUSH:
            message = f"Only what is told to webhooks is signed; this is {self.channel}."
            raise Rejected(message, problem="no-secret", status=422)
        if self.copies and self.channel is not Channel.INBOX:
            message = f"Only an inbox can hold copies of the data; this is {self.channel}."
            raise Rejected(message, problem="no-copies", status=422)


PULL = Route()


_TARGETS = {
    "webhook": Channel.PUSH,
    "event_grid": Channel.EVENT_GRID,
    "service_bus": Channel.SERVICE_BUS,
    "inbox": Channel.INBOX,
}


def route_from_data(data: Mapping[str, Any]) -> Route:
    """The route that a request asks for, by at most one of its members; by pull if it names none.

    Raises:
        Rejected: it names several, or asks for what its channel does not have.
    """
    named = {channel: data[name] for name, channel in _TARGETS.items() if data.get(name)}
    if len(named) > 1:
        message = f"Choose one way to be told: {', '.join(_TARGETS)}, or none of them for pull."
        raise Rejected(message, problem="several-channels", status=422)
    [(channel, target)] = named.items() or [(Channel.PULL, "")]
    return Route(
        channel=channel,
        target=target,
        copies=data.get("copies", False),
        signature=data.get("signature", "v1"),
        ordered=data.get("ordered", False),
    )


def webhook(url: str, *, signature: Scheme = "v1") -> Route:
    """By webhook."""
    return Route(channel=Channel.PUSH, target=url, signature=signature)


class State(StrEnum):
    """`ACTIVE` is told.

    `SUSPENDED` is not, until it is resumed: by its owner's wish, or after a failure to the end of
    the schedule. `GONE` is not, for its receiver answered 410 (Gone). `BARRED` is not, for its
    domain's agreement has ended.
    """

    ACTIVE = "active"
    SUSPENDED = "suspended"
    GONE = "gone"
    BARRED = "barred"


ALERTS = (50, 70, 90, 100)
"""Per cent of the failure budget at which a subscription says that it is failing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which events of a product a subscriber wants.

    Attributes:
        types: shorthand: any of these types; empty for all.
        objects: shorthand: about any of these objects; empty for all.
        filters: all of these have to match too.
    """

    types: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()
    filters: tuple[Expression, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(self.types - set(EVENT_TYPES))
        if unknown:
            message = f"Unknown event type {unknown[0]!r}. The types are: {', '.join(EVENT_TYPES)}."
            raise Rejected(message, problem="unknown-event-type")
        for name in self.objects:
            if not is_object_name(name):
                message = f"{name!r} cannot name an object. An object name has {OBJECT_RULE}."
                raise Rejected(message, problem="invalid-name")

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The whole filter in the one language it is evaluated in; all have to match."""
        shorthand = (("type", self.types), ("data.object", self.objects))
        written_out = (exact(name, *sorted(values)) for name, values in shorthand if values)
        return (*written_out, *self.filters)

    def matches(self, event: ReceivedEvent) -> bool:
        return all(one.matches(event.envelope) for one in self.expressions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """That the owner of a subscription is to be told that it fails.

    Attributes:
        level: per cent of the failure budget.
        number: 1, 2, 3, … of the subscription.
        after: sequence of the owner's stream before it was told there.
        is_told: whether it was.
    """

    level: int
    number: int
    after: int
    is_told: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """A domain's standing wish to be told of one product's events.

    Attributes:
        subscriber: the consuming domain.
        target: webhook URL (push), name of the topic subscription (pull), `DOMAIN/PRODUCT` of the
            composite, or the destination (`mesh.model.destination`).
        copies: whether its inbox gets the data too.
        signature: how its webhook is signed.
        after: sequence of the product when it was made; it is told of what came later.
        generation: of the signing secret; rotating the secret raises it.
        made_with: the generation that it was made with: one that no subscription of this id had.
        rotated_by: the command that rotated its secret last (`mesh.audit`).
        previous_until: how long the generations before it, from `oldest` on, still sign too.
        suspended_at: when telling it ended; None while it is told. What happens from then on is
            held for it: it stands in the product's log.
        resumed_at: when it was last resumed; attempts before that have no consequences any more.
        was: what it was when it was barred.
        reason: why telling it ended, or what made the last attempt that counts in `failing` fail.
        failing: how much of its failure budget (the attempts of the schedule) the notification
            that fares worst has used, in per cent, of `ALERTS`; 0 when the last one was delivered.
        told_by, told_again: the command that had it told again last, and of how much.
        round: raised by each resumption and replay; attempts are numbered anew in each.
        made_by: digest of the key that the request which made it carried; empty without one. The
            same request again is told the secret again.
        is_slow: whether it took too long lately; its notifications wait in a lane of their own.
        ordered: whether it is told of one event after the other, in the order of their sequences.
        settled: with order, sequence of the last event that it was told of, or that was skipped.
        alert: what its owner was told last, or is to be told.
        again_until: with order, up to which sequence it is told again of what it was told before.
        until: when the domain's agreement ends; None when it needs none.
        uses: what the subscriber relies on, each `OBJECT` or `OBJECT.FIELD`; empty for everything.
            It says nothing about what the subscriber is told.
    """

    id: str
    product: ProductId
    subscriber: str
    channel: Channel
    target: str
    filter: Filter
    state: State
    created_at: datetime
    after: int = 0
    generation: int = 1
    made_with: int = 1
    rotated_by: str = ""
    previous_until: datetime | None = None
    oldest: int = 0
    suspended_at: datetime | None = None
    resumed_at: datetime | None = None
    was: State = State.ACTIVE
    reason: str = ""
    failing: int = 0
    told_by: str = ""
    told_again: int = 0
    round: int = 0
    copies: bool = False
    signature: Scheme = "v1"
    made_by: str = ""
    is_slow: bool = False
    ordered: bool = False
    settled: int = 0
    again_until: int = 0
    alert: Alert | None = None
    until: datetime | None = None
    uses: tuple[str, ...] = ()

    def is_told_of(self, event: ReceivedEvent, now: datetime) -> bool:
        """Whether the mesh itself tells this subscriber of an event that its filter lets through.

        That its agreement has ended, a domain is told too, where it was told until then.
        """
        if event.type in AGREEMENT_TYPES and event.envelope["data"]["consumer"] == self.subscriber:
            state = self.was if self.state is State.BARRED else self.state
            return state is State.ACTIVE and self.channel is not Channel.PULL
        return self.is_told and (self.until is None or now < self.until)

    @property
    def is_told(self) -> bool:
        """Whether the mesh itself tells this subscriber (the broker tells a pull subscriber)."""
        return self.state is State.ACTIVE and self.channel is not Channel.PULL


def subscription_id(
    *,
    product: ProductId,
    subscriber: str,
    route: Route,
    wanted: Filter,
) -> str:
    """The same wish has the same id: subscribing twice is subscribing once."""
    parts = [product.key, subscriber, route.channel, route.target, *sorted(wanted.types), "/"]
    parts += sorted(wanted.objects)
    if wanted.filters:
        parts.append(json.dumps([one.to_data() for one in wanted.filters], sort_keys=True))
    if route.copies:
        parts.append("copies")
    if route.signature != "v1":
        parts.append(route.signature)
    if route.ordered:
        parts.append("ordered")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def filter_from_data(data: Mapping[str, Any], filters: object = ()) -> Filter:
    """A wish as a request has it: the shorthand, and CloudEvents filters; no wish wants all.

    Raises:
        Rejected: it makes no sense.
    """
    return Filter(
        types=frozenset(data.get("types", ())),
        objects=frozenset(data.get("objects", ())),
        filters=expressions_from_data(filters),
    )
