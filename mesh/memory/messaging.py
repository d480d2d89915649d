"""Topic, queues, pull subscriptions, webhooks and destinations, in memory."""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from mesh.errors import Rejected
from mesh.model.broker_rules import rules_for
from mesh.model.dead_letter import DeadLetter, SettledLetter
from mesh.model.delivery import DeliveryAttempt
from mesh.model.destination import parse_destination
from mesh.model.names import ProductId
from mesh.model.subscription import Channel, Filter
from mesh.ports import Message, Parcel

_Result = TypeVar("_Result")


class Topic:
    """`mesh.ports.Topic` in memory.

    Attributes:
        published: every CloudEvent, in order.
        failure: when set, raised in place of publishing.
    """

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self._lock = threading.Lock()

    def publish(self, events: Sequence[Mapping[str, Any]]) -> None:
        if self.failure is not None:
            raise self.failure
        copies = [json.loads(json.dumps(event)) for event in events]
        with self._lock:
            self.published.extend(copies)


class Queues:
    """`mesh.ports.Queues` in memory; nobody receives unless `take` is called.

    Attributes:
        failure: when set, raised in place of sending.
    """

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self._waiting: defaultdict[str, list[Message]] = defaultdict(list)
        self._seen: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def send(self, queue: str, messages: Iterable[Message]) -> None:
        if self.failure is not None:
            raise self.failure
        with self._lock:
            for message in messages:
                if (queue, message.id) not in self._seen:
                    self._seen.add((queue, message.id))
                    body = json.loads(json.dumps(message.body))
                    self._waiting[queue].append(replace(message, body=body))

    def forget(self) -> None:
        """Take what was sent before for new: the time in which duplicates are dropped is over."""
        with self._lock:
            self._seen.clear()

    def dead_letters(self) -> Mapping[str, int]:
        return dict.fromkeys(self._waiting, 0)

    def waiting(self, queue: str) -> list[Message]:
        """What is in the queue, scheduled messages included, in the order it was sent."""
        with self._lock:
            return list(self._waiting[queue])

    def take(self, queue: str) -> list[Message]:
        """Take everything out of the queue, whether due or not."""
        with self._lock:
            return self._waiting.pop(queue, [])


class DeadLetters:
    """`mesh.ports.DeadLetters` in memory.

    Attributes:
        letters: what was given up, oldest first.
    """

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []
        self._settled: dict[tuple[str, int], SettledLetter] = {}
        self._lock = threading.Lock()

    def peek(self, source: str, *, limit: int) -> Sequence[DeadLetter]:
        with self._lock:
            return [letter for letter in self.letters if letter.source == source][:limit]

    def take(
        self, source: str, number: int, handle: Callable[[DeadLetter], None]
    ) -> DeadLetter | None:
        with self._lock:
            for letter in self.letters:
                if (letter.source, letter.number) == (source, number):
                    handle(letter)
                    self.letters.remove(letter)
                    return letter
            return None

    def settled(self, source: str, number: int) -> SettledLetter | None:
        return self._settled.get((source, number))

    def settle(self, settled: SettledLetter) -> None:
        letter = replace(settled.letter, body=b"")
        self._settled[letter.source, letter.number] = replace(settled, letter=letter)


class PullSubscriptions:
    """`mesh.ports.PullSubscriptions` in memory.

    Attributes:
        existing: product and filter of each subscription, by name.
    """

    def __init__(self) -> None:
        self.existing: dict[str, tuple[ProductId, Filter]] = {}

    def create(self, name: str, *, product: ProductId, wanted: Filter) -> None:
        rules_for(product, wanted)  # refuses what a broker cannot evaluate
        self.existing[name] = (product, wanted)

    def delete(self, name: str) -> None:
        self.existing.pop(name, None)


class Asides:
    """`mesh.ports.Asides` in memory: there is always time to wait."""

    def run(
        self,
        lane: str,  # noqa: ARG002 - nobody is in the way
        work: Callable[[], _Result],
        leave: Callable[[], None],  # noqa: ARG002 - nothing is left
    ) -> _Result | None:
        return work()


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """A request that a receiver was sent."""

    url: str
    body: bytes
    headers: Mapping[str, str]


class Webhooks:
    """`mesh.ports.Webhooks` in memory: receivers that answer what they are told to.

    Attributes:
        requests: all attempts, in order.
        answers: what comes of the next attempts; when empty, receivers answer 200.
        unwilling: URLs of receivers that do not want our notifications.
        seconds: how long it takes them to say whether they do.
    """

    def __init__(self) -> None:
        self.seconds = 0.001
        self.requests: list[Delivered] = []
        self.answers: deque[DeliveryAttempt] = deque()
        self.unwilling: set[str] = set()
        self._lock = threading.Lock()

    def verify(self, url: str) -> float:
        if url in self.unwilling:
            message = f"The receiver at {url} does not want our notifications."
            raise Rejected(message, problem="webhook-unverified", status=422)
        return self.seconds

    def deliver(
        self,
        *,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        limit: timedelta,  # noqa: ARG002 - nobody is slow here
    ) -> DeliveryAttempt:
        with self._lock:
            self.requests.append(Delivered(url=url, body=body, headers=dict(headers)))
            if self.answers:
                return self.answers.popleft()
        return DeliveryAttempt(outcome="delivered", status=200, reason="200 OK", duration_s=0.001)


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """What a destination was given.

    Attributes:
        files: copies of the data by their names, if there were any.
    """

    channel: Channel
    target: str
    id: str
    event: Mapping[str, Any]
    files: Mapping[str, bytes]


class Destinations:
    """`mesh.ports.Destinations` in memory: topics, queues and folders that take what comes.

    Attributes:
        arrived: all that was delivered, in order.
        answers: what comes of the next attempts; when empty, destinations take what comes.
    """

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.answers: deque[DeliveryAttempt] = deque()
        self._lock = threading.Lock()

    def check(self, channel: Channel, target: str) -> str:
        return parse_destination(channel, target).target

    def deliver(self, parcel: Parcel) -> DeliveryAttempt:
        files = {name: b"".join(content) for name, content in parcel.files}
        with self._lock:
            made = DeliveryAttempt(outcome="delivered", status=None, reason="ok", duration_s=0.001)
            if self.answers:
                made = self.answers.popleft()
            if made.outcome == "delivered":
                arrived = Arrived(
                    channel=parcel.channel,
                    target=parcel.target,
                    id=parcel.id,
                    event=json.loads(json.dumps(dict(parcel.event))),
                    files=files,
                )
                self.arrived.append(arrived)
        return made
