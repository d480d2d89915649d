"""Telling one subscriber of one event, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mesh.model.delivery import webhook_id
from mesh.model.events import ReceivedEvent
from mesh.model.names import ProductId


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """The next attempt at telling a subscriber.

    Attributes:
        webhook_id: the Standard Webhooks id, the same over all attempts.
        attempt: 1 for the first.
        traceparent: W3C trace context that all attempts continue; None for that of the event.
    """

    webhook_id: str
    subscription: str
    event: ReceivedEvent
    attempt: int
    traceparent: str | None = None

    @classmethod
    def first(
        cls, event: ReceivedEvent, subscription: str, *, traceparent: str | None = None
    ) -> Notification:
        """The first attempt at telling a subscription of an event."""
        return cls(
            webhook_id=webhook_id(event.product.source, event.id, subscription),
            subscription=subscription,
            event=event,
            attempt=1,
            traceparent=traceparent,
        )

    @property
    def message_id(self) -> str:
        """The same for the same attempt, so that the queue drops it when it is sent twice."""
        return f"{self.webhook_id}-{self.attempt}"

    def to_data(self) -> dict[str, Any]:
        """The notification as a JSON message."""
        return {
            "webhook_id": self.webhook_id,
            "subscription": self.subscription,
            "attempt": self.attempt,
            "traceparent": self.traceparent,
            "event": dict(self.event.envelope),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Notification:
        """Read what `to_data` wrote.

        Raises:
            KeyError, ValueError: it is not a notification.
        """
        return cls(
            webhook_id=data["webhook_id"],
            subscription=data["subscription"],
            attempt=int(data["attempt"]),
            event=ReceivedEvent.from_cloudevent(data["event"]),
            traceparent=data.get("traceparent"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedAttempt:
    """One attempt at one notification, as it stands in the record of deliveries.

    Attributes:
        number: 1, 2, 3, …
        outcome: `delivered`, `retry`, `gone`, `refused`, or `exhausted` for the last of a schedule.
        status: HTTP status; None when there was no answer, or no HTTP.
        next_at: when the next attempt is due; None when there is none.
    """

    product: ProductId
    sequence: int
    subscription: str
    subscriber: str
    channel: str
    number: int
    outcome: str
    status: int | None
    reason: str
    at: datetime
    duration_s: float
    next_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What became of one notification: its attempts, oldest first, at least one."""

    subscription: str
    subscriber: str
    channel: str
    attempts: tuple[RecordedAttempt, ...]

    @property
    def is_settled(self) -> bool:
        """Whether no further attempt is to be made."""
        return self.attempts[-1].outcome != "retry"
