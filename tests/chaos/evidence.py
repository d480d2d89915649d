"""What is in storage and in inboxes, as plain rows, read without verbs and adapters."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tests.chaos.consumers import Told

if TYPE_CHECKING:
    from tests.chaos.world import World


UNPLACED = "unplaced.files"


@dataclass(frozen=True, kw_only=True)
class Landed:
    """A version of a file that was dropped.

    Attributes:
        partition: `DOMAIN.PRODUCT` of the record that must hold its verdict.
        place: in order: all versions of one blob share it.
        misplaced: whether its path is none, or names no object; it is rejected unread then.
        early: whether its product was not there yet: it may have been refused for that, elsewhere.
        split: whether its product publishes the good rows of a file with bad ones.
        order: place among all drops; higher is later.
    """

    partition: str
    place: str
    etag: str
    data: bytes
    order: int
    split: bool = False
    misplaced: bool = False
    early: bool = False


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A subscription, as its subscriber remembers it.

    Attributes:
        target: URL of the receiver, or name of the topic subscription.
        types: event types asked for; empty for all.
        secret: what notifications are verified with; None where they are not signed.
        is_pulled: whether it is by pull.
        ordered: whether it is to be told of one event after the other.
        first: order of the first drop of whose events it must be told.
        last: order of the last drop of whose events it may be told; None while it is subscribed.
        subscriber: the domain.
        barred_after: how often it had been told when its agreement ended; None while it has not.
            Later it may be told of nothing but that.
    """

    id: str
    partition: str
    target: str
    types: frozenset[str]
    secret: str | None
    is_pulled: bool = False
    ordered: bool = False
    first: int = 0
    last: int | None = None
    subscriber: str = ""
    barred_after: int | None = None


@dataclass(frozen=True, kw_only=True)
class Story:
    """What was done to the mesh, told by whoever did it.

    Attributes:
        deaths: how often workers died while they had a message about each version and may have
            been judging it; for one message. It may be called poison after the second.
            None when that is not known, and only how often a worker died at all.
        kills: how often that was.
    """

    landed: Sequence[Landed]
    wishes: Sequence[Wish]
    deaths: Mapping[str, int] | None = None
    kills: int = 0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What there is.

    Attributes:
        heads: sequence of each record's head, by partition.
        ledger: decisions, by partition.
        log: events, by partition, in the order of their keys.
        outbox: sequences still in the outbox, by partition.
        snapshots: by partition.
        subscriptions: state of each, by id.
        blob: content of a blob, by location.
        published: events that the topic handed on.
        told: what webhooks received.
        pulled: events that topic subscriptions held, by name.
        dead: dead letters, each described.
    """

    heads: Mapping[str, int]
    ledger: Mapping[str, Sequence[Mapping[str, Any]]]
    log: Mapping[str, Sequence[tuple[int, Mapping[str, Any]]]]
    outbox: Mapping[str, Sequence[int]]
    snapshots: Mapping[str, Sequence[Mapping[str, Any]]]
    subscriptions: Mapping[str, str]
    blob: Callable[[str], bytes | None]
    published: Sequence[Mapping[str, Any]]
    told: Sequence[Told]
    pulled: Mapping[str, Sequence[Mapping[str, Any]]]
    dead: Sequence[str] = field(default_factory=list)


def in_memory(world: World) -> Evidence:
    """The evidence of a world in memory."""
    inner = world.inner
    partitions = {product.key: held for product, held in inner.registry._partitions.items()}
    log = {
        key: [(at, json.loads(held.events[at])) for at in sorted(held.events)]
        for key, held in partitions.items()
    }
    blobs = inner.storage.blobs
    return Evidence(
        heads={key: held.head.sequence if held.head else 0 for key, held in partitions.items()},
        ledger={
            key: [asdict(entry) for entry in held.entries.values()]
            for key, held in partitions.items()
        },
        log=log,
        outbox={key: sorted(held.outbox) for key, held in partitions.items()},
        snapshots={
            key: [asdict(snapshot) for snapshot in held.snapshots.values()]
            for key, held in partitions.items()
        },
        subscriptions={
            wants.id: wants.state.value for wants in inner.subscriptions._subscriptions.values()
        },
        blob=lambda location: blobs[location].data if location in blobs else None,
        published=world.broker.published,
        told=world.receivers.told,
        pulled=defaultdict(list, world.broker.pulled),
        dead=[f"{letter.queue}: {letter.body[:200]}" for letter in world.broker.dead],
    )
