"""Tell one subscriber again of what stands in a product's log, and nobody else.

A notification keeps its `webhook-id` when it is replayed: a receiver that kept the first one skips
the second, one that lost it gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from mesh import consuming, lanes, subscriptions, turns
from mesh.backbone import Backbone
from mesh.errors import NotFound, Rejected
from mesh.history import PAGE, log, matching
from mesh.model.events import ReceivedEvent
from mesh.model.lanes import SLOW
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.model.subscription import State, Subscription

Held = Literal["replay", "last", "skip"]
"""Of what a resumed subscription missed: all, the last of each subject and type, or nothing."""

MOST_REPLAYED = 1000
"""Notifications of one replay; asking for the rest takes another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What is being told again.

    Attributes:
        notifications: how many were put on their way.
        next_sequence: where the next replay has to begin; None when nothing is left.
    """

    notifications: int
    next_sequence: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class From:
    """Where a replay begins; exactly one of these is given.

    Attributes:
        sequence: with the event that has this sequence.
        time: with the first event at or after this time.
        event: this event alone, by its id.
        last: as many of the newest events that the subscription's filter lets through, among the
            newest thousand.
    """

    sequence: int | None = None
    time: datetime | None = None
    event: str | None = None
    last: int | None = None

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> From:
        """Read what a request has, which is as its schema says.

        Raises:
            Rejected: its time is none.
        """
        try:
            time = datetime.fromisoformat(data["time"]) if "time" in data else None
        except ValueError:
            message = f"{data['time']!r} is no time. Write it as 2026-11-22T09:30:00Z."
            raise Rejected(message, problem="invalid-time", status=422) from None
        return cls(
            sequence=data.get("sequence"),
            time=time,
            event=data.get("event"),
            last=data.get("last"),
        )


def replay(
    backbone: Backbone, product: ProductId, identity: str, *, start: From, command: str = ""
) -> Replayed:
    """Tell a webhook again of past events that its filter lets through.

    Args:
        command: that asks for it; again, it tells nothing that it has told already.

    Raises:
        NotFound: there is no such subscription, or no such event.
        Rejected: it is not the mesh that tells it, or it is suspended.
    """
    found = subscriptions.find(backbone, product, identity)
    subscriptions.check_pushed(found)
    if found.state is State.BARRED:
        raise consuming.lacking(product, found.subscriber)
    if found.state is not State.ACTIVE:
        message = f"Subscription {identity} is {found.state}: resume it, and it is told."
        raise Rejected(message, problem="not-active", status=409)
    events = iter(_events(backbone, found, start))
    if found.ordered and start.event is None:
        return _replay_in_order(backbone, found, events, command)
    moved = subscriptions.change(backbone, product, identity, _next_round(command))
    told = list(islice(events, MOST_REPLAYED))
    following = next(events, None)
    return Replayed(
        notifications=_tell(backbone, moved, told, again=True),
        next_sequence=None if following is None else following.sequence,
    )


def _replay_in_order(
    backbone: Backbone, subscription: Subscription, events: Iterator[ReceivedEvent], command: str
) -> Replayed:
    """Begin anew with the first of the events; each calls the next."""
    sequences = [event.sequence for event in events]

    def begin_anew(found: Subscription) -> Subscription:
        if command and found.told_by == command:
            return found
        return replace(
            found,
            round=found.round + 1,
            told_by=command,
            settled=min(sequences[0] - 1, found.settled),
            again_until=max(found.again_until, found.settled),
        )

    if sequences:
        moved = subscriptions.change(backbone, subscription.product, subscription.id, begin_anew)
        turns.call_next(backbone, moved)
    return Replayed(notifications=len(sequences))


def catch_up(backbone: Backbone, subscription: Subscription, first: int, held: Held) -> int:
    """Tell a subscription of what it has not been told since the event with sequence `first`.

    Returns how many notifications are on their way; those that were delivered before end there.
    """
    if subscription.ordered:
        return _catch_up_in_order(backbone, subscription, held)
    if held == "skip":
        return 0
    events: Iterable[ReceivedEvent] = matching(backbone, subscription, first)
    if held == "last":
        newest = {(event.type, event.envelope.get("subject")): event for event in events}
        events = sorted(newest.values(), key=lambda event: event.sequence)
    total = 0
    remaining = iter(events)
    while batch := list(islice(remaining, MOST_REPLAYED)):
        total += _tell(backbone, subscription, batch, again=False)
    return total


def _catch_up_in_order(backbone: Backbone, subscription: Subscription, held: Held) -> int:
    """Go on after the last event that was settled, or, to skip, after the newest."""
    if held == "skip":
        newest = backbone.registry.head(subscription.product).sequence
        subscriptions.change(
            backbone,
            subscription.product,
            subscription.id,
            lambda found: replace(found, settled=max(found.settled, newest)),
        )
        return 0
    turns.call_next(backbone, subscription)
    return sum(1 for _ in matching(backbone, subscription, subscription.settled + 1))


def first_since(backbone: Backbone, product: ProductId, time: datetime) -> int:
    """The sequence of the first event at or after a time; one more than the last if there is none.

    Events are in the order of their times, but for what clocks differ by, so halving finds it.
    """
    low, high = 1, backbone.registry.head(product).sequence + 1
    while low < high:
        middle = (low + high) // 2
        [event] = backbone.registry.events(product, after=middle - 1, limit=1)
        if datetime.fromisoformat(event["time"]) < time:
            low = middle + 1
        else:
            high = middle
    return low


def _next_round(command: str) -> Callable[[Subscription], Subscription]:
    def decide(found: Subscription) -> Subscription:
        if command and found.told_by == command:
            return found
        return replace(found, round=found.round + 1, told_by=command)

    return decide


def _events(backbone: Backbone, subscription: Subscription, start: From) -> Iterable[ReceivedEvent]:
    product = subscription.product
    if start.event is not None:
        return [_by_id(backbone, product, start.event)]
    if start.last is not None:
        newest = backbone.registry.head(product).sequence
        window = list(matching(backbone, subscription, max(newest - PAGE, 0) + 1))
        return window[max(len(window) - start.last, 0) :]
    if start.time is not None:
        return matching(backbone, subscription, first_since(backbone, product, start.time))
    return matching(backbone, subscription, start.sequence or 1)


def _by_id(backbone: Backbone, product: ProductId, event: str) -> ReceivedEvent:
    for found in log(backbone, product, 1):
        if found.id == event:
            return found
    message = f"{product} has announced no event {event!r}; `mesh events {product}` lists them."
    raise NotFound(message, problem="unknown-event")


def _tell(
    backbone: Backbone, subscription: Subscription, events: Iterable[ReceivedEvent], *, again: bool
) -> int:
    told = [
        Notification.first(event, subscription.id, round=subscription.round, again=again)
        for event in events
    ]
    # Beside what happens now, which nobody else has to wait for longer.
    lanes.enqueue(backbone, SLOW, told, after=backbone.policy.schedule[0])
    return len(told)
