"""Queues with locks, delivery counts, schedules and dead letters, and a topic, in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mesh.ports import Message

MOST_DELIVERIES = 10
FAN_OUT = "product-events/fan-out"


@dataclass(kw_only=True)
class Waiting:
    """A message in a queue.

    Attributes:
        number: that no other message has.
        deliveries: how often it was handed out.
        locked: whether a worker has it.
    """

    queue: str
    id: str
    body: str
    due: datetime | None = None
    number: int = 0
    deliveries: int = 0
    locked: bool = False


@dataclass(kw_only=True)
class Broker:
    """`mesh.ports.Queues`, `mesh.ports.Topic` and the pull subscriptions of that topic.

    A queue drops a repeated id for ever, and Service Bus forgets after ten minutes: what relies on
    a repetition being let through does not work here. The topic drops none: Event Grid gives each
    event that it takes an id of its own.

    Attributes:
        now: its own clock.
        dead: dead letters.
        pulled: what each topic subscription of a pull subscriber holds.
        published: every event that the topic took, repetitions included.
    """

    now: Callable[[], datetime]
    pull: Any
    waiting: list[Waiting] = field(default_factory=list)
    dead: list[Waiting] = field(default_factory=list)
    pulled: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    published: list[dict[str, Any]] = field(default_factory=list)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def send(self, queue: str, messages: Iterable[Message]) -> None:
        for message in messages:
            self.put(queue, message.id, message.body, due=message.due)

    def put(
        self, queue: str, identity: str, body: Mapping[str, Any], *, due: datetime | None = None
    ) -> None:
        """Take a message, unless one with this id came before."""
        if (queue, identity) in self._seen:
            return
        self._seen.add((queue, identity))
        made = Waiting(queue=queue, id=identity, body=json.dumps(body), due=due)
        self.waiting.append(replace(made, number=len(self._seen)))

    def publish(self, events: Sequence[Mapping[str, Any]]) -> None:
        for event in events:
            copy = json.loads(json.dumps(event))
            self.published.append(copy)
            self.put(FAN_OUT, f"internal-{len(self.published)}", copy)
            for name, (product, wanted) in self.pull.existing.items():
                if self._is_wanted(copy, product, wanted):
                    self.pulled.setdefault(name, []).append(copy)

    def ready(self) -> list[Waiting]:
        """Messages that can be handed out now, oldest first."""
        now = self.now()
        return [
            message
            for message in self.waiting
            if not message.locked and (message.due is None or message.due <= now)
        ]

    def next_due(self) -> datetime | None:
        """When the next scheduled message appears."""
        return min((m.due for m in self.waiting if m.due is not None), default=None)

    def hand_out(self, message: Waiting) -> None:
        message.deliveries += 1
        message.locked = True

    def complete(self, message: Waiting) -> None:
        self.waiting.remove(message)

    def give_back(self, message: Waiting) -> None:
        """The worker failed, or its lock ran out."""
        message.locked = False
        if message.deliveries >= MOST_DELIVERIES:
            self.waiting.remove(message)
            self.dead.append(message)

    def resubmit(self) -> None:
        """Put all dead letters back into their queues."""
        for letter in self.dead:
            letter.deliveries = 0
            self.waiting.append(letter)
        self.dead.clear()

    @staticmethod
    def _is_wanted(event: Mapping[str, Any], product: Any, wanted: Any) -> bool:
        """What the broker's correlation rules compare."""
        data = event["data"]
        return (
            (data["domain"], data["product"]) == (product.domain, product.product)
            and (not wanted.types or event["type"] in wanted.types)
            and (not wanted.objects or data.get("object") in wanted.objects)
        )
