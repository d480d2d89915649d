"""The real app on the backbone in memory, on a platform that kills and redelivers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

from azure.functions.servicebus import ServiceBusMessage

from mesh import outbox, suspects
from mesh.backbone import in_memory, replace_backbone
from mesh.memory.storage import Blob
from mesh.model.dropped_file import UNPLACED, Place, place_of
from tests import indexed
from tests.chaos.asides import Asides
from tests.chaos.broker import Broker, Waiting
from tests.chaos.clients import Clients
from tests.chaos.consumers import Receivers
from tests.chaos.copies import take_over
from tests.chaos.effects import Fate, Killed, Worker, unharmed, with_effects, working
from tests.chaos.evidence import Landed, Story
from tests.chaos.evidence import in_memory as evidence_of
from tests.chaos.promise import broken

A_MINUTE = timedelta(minutes=1)
LANDED = "landed-files"
LOCK = timedelta(minutes=1)
"""How long a message of a worker that died stays locked."""


@lru_cache(maxsize=1)
def functions() -> dict[str, Callable[[Any], None]]:
    """The app's functions with a Service Bus trigger, by what they listen to."""
    found = {}
    for function in indexed.functions():
        trigger = function.get_trigger().get_dict_repr()
        queue = trigger.get("queueName")
        if trigger.get("topicName"):
            queue = f"{trigger['topicName']}/{trigger['subscriptionName']}"
        if queue:
            found[queue] = function.get_user_function()
    return found


@dataclass(kw_only=True)
class World(Clients):
    """A mesh in memory and its platform.

    Attributes:
        died: how often a worker was killed.
        deaths: how often that happened while a file may have been judged, by version and message.
    """

    died: int = 0
    deaths: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        inner = in_memory(now=lambda: self.at + self.skew)
        self.broker = Broker(now=lambda: self.at, pull=inner.pull)
        self.receivers = Receivers(now=lambda: self.at)
        self.inner = inner
        whole = with_effects(replace(inner, topic=self.broker, queues=self.broker))
        self.destinations = self.receivers.as_destinations()
        self.asides = Asides()
        self.backbone = replace(
            whole,
            webhooks=self.receivers,
            destinations=self.destinations,
            asides=self.asides,
        )

    def become(self, other: World) -> None:
        """Take over all that is in another world; the other stays as it is."""
        self.at, self.skew, self.died = other.at, other.skew, other.died
        self.landed, self.split = list(other.landed), set(other.split)
        self.wishes = dict(other.wishes)
        for port in fields(self.inner):
            take_over(getattr(self.inner, port.name), getattr(other.inner, port.name))
        take_over(self.broker, other.broker)
        self.receivers.told = list(other.receivers.told)

    @contextmanager
    def running(self) -> Iterator[World]:
        """Let the app's functions find this world's backbone."""
        with replace_backbone(self.backbone):
            yield self

    def run(self, message: Waiting, fate: Fate = unharmed) -> Worker:
        """Let a worker handle a message, and settle it as the platform does."""
        worker = Worker(fate=fate)
        self.broker.hand_out(message)
        try:
            with working(worker):
                functions()[message.queue](_as_given(message))
                worker.pass_by("complete")
        except Killed:
            self.died += 1
            self._put_on(message, worker)
            self.at += LOCK
            a_new_process()
            self.broker.give_back(message)
        except Exception:  # noqa: BLE001 - whatever it is, the host gives the message back
            self.broker.give_back(message)
        else:
            self.broker.complete(message)
        return worker

    def _put_on(self, message: Waiting, worker: Worker) -> None:
        """A death counts that a first delivery met, or a further one that it had put down."""
        has_begun = message.deliveries == 1 or "before registry.suspect" in worker.passed
        if message.queue == LANDED and has_begun:
            self.deaths[json.loads(message.body)["data"]["eTag"], message.id] += 1

    def relay(self, fate: Fate = unharmed) -> None:
        """The timer."""
        try:
            with working(Worker(fate=fate)):
                outbox.relay_all(self.backbone)
        except (Killed, Exception):  # noqa: BLE001 - the timer comes again
            return

    def settle(self, fates: Callable[[Waiting], Fate] = lambda _: unharmed) -> None:
        """Hand out messages, in order, until there are none, scheduled ones included."""
        for _ in range(10_000):
            ready = self.broker.ready()
            if ready:
                self.run(ready[0], fates(ready[0]))
                continue
            due = self.broker.next_due()
            if due is None:
                break
            self.at = max(self.at, due)
        else:
            raise AssertionError("the mesh does not come to rest")

    def rest(self) -> None:
        """Let everything end, with nothing more going wrong: messages, schedules and the timer."""
        for _ in range(3):
            self.settle()
            self.at += 2 * A_MINUTE
            self.relay()
        self.settle()

    def drop(self, name: str, data: bytes, *, misplaced: bool = False) -> dict[str, Any]:
        """Drop a file; returns the event that storage raises, and puts it on its way."""
        location = f"landing/{name}"
        order = len(self.landed) + 1
        etag = f"0x{order:08X}"
        self.inner.storage.blobs[location] = Blob(data=data, content_type="text/csv", etag=etag)
        place = place_of(name)
        product = place.product if isinstance(place, Place) else UNPLACED
        self.landed.append(
            Landed(
                partition=product.key,
                place=name,
                etag=etag,
                data=data,
                order=order,
                split=product in self.split,
                misplaced=misplaced or product == UNPLACED,
                early=self.inner.registry.head(product).product is None,
            )
        )
        event = {
            "eventType": "Microsoft.Storage.BlobCreated",
            "eventTime": self.at.isoformat(),
            "data": {
                "url": self.inner.storage.url(location),
                "eTag": etag,
                "contentLength": len(data),
                "sequencer": f"{order:020x}",
            },
        }
        self.tell(event, f"created-{order}")
        return event

    def tell(self, event: dict[str, Any], identity: str) -> None:
        """Put a BlobCreated event on its queue."""
        self.broker.put(LANDED, identity, event)

    def broken(self) -> list[str]:
        """Every way in which the promise is broken."""
        deaths = Counter[str]()
        for (etag, _), times in self.deaths.items():
            deaths[etag] = max(deaths[etag], times)
        story = Story(landed=self.landed, wishes=list(self.wishes.values()), deaths=deaths)
        return broken(story, evidence_of(self))


def _as_given(message: Waiting) -> ServiceBusMessage:
    return ServiceBusMessage(
        body=message.body.encode(),
        message_id=message.id,
        sequence_number=message.number,
        delivery_count=message.deliveries,
        application_properties={},
        user_properties={},
    )


def a_new_process() -> None:
    """Nothing is left of what a process remembers."""
    if suspects._process is not suspects._Process:  # else it is new at every call
        suspects._process.cache_clear()
