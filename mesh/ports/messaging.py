"""What carries events and messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from mesh.model.dead_letter import DeadLetter, SettledLetter
from mesh.model.names import ProductId
from mesh.model.subscription import Filter


class Topic(Protocol):
    """The Event Grid topic `mesh-events`."""

    def publish(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Publish CloudEvents in order; when it fails, some may have been accepted."""


class Queues(Protocol):
    """The mesh's own Service Bus queues."""

    def send(self, queue: str, messages: Iterable[Message]) -> None:
        """Send, or schedule those with a `due` time. The queue drops a repeated id."""

    def dead_letters(self) -> Mapping[str, int]:
        """How many messages each queue has given up, and each subscription of the topic.

        The subscriptions of pull subscribers are one entry together, `product-events/pull`.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A JSON message.

    Attributes:
        id: the same for the same work; at most 128 characters.
        due: when the queue is to let it appear; None for at once.
    """

    id: str
    body: Mapping[str, Any]
    due: datetime | None = None
    traceparent: str | None = None


class DeadLetters(Protocol):
    """Messages that were given up, by their source: a queue, or `TOPIC/SUBSCRIPTION`."""

    def peek(self, source: str, *, limit: int) -> Sequence[DeadLetter]:
        """The oldest of them, in order; they stay where they are.

        Raises:
            NotFound: there is no such source.
        """

    def take(
        self, source: str, number: int, handle: Callable[[DeadLetter], None]
    ) -> DeadLetter | None:
        """Take one away, once `handle` has done its work with it; None when it is not there.

        When `handle` raises, the message stays. It may be handled twice.

        Raises:
            NotFound: there is no such source.
        """

    def settled(self, source: str, number: int) -> SettledLetter | None:
        """What was decided about one, whether it is still there or not; it has no body."""

    def settle(self, settled: SettledLetter) -> None:
        """Keep what was decided about one, over what was kept before; its body is left out."""


class PullSubscriptions(Protocol):
    """Subscriptions of the Service Bus topic `product-events`, one per pull subscriber."""

    def create(self, name: str, *, product: ProductId, wanted: Filter) -> None:
        """Make sure that it exists, with rules for just this product and filter.

        Raises:
            Rejected: the broker cannot evaluate the filter.
        """

    def delete(self, name: str) -> None:
        """Make sure that it does not."""
