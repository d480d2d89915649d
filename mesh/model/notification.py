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
        attempt: 1 for the first of the round.
        round: 0 when the event is told of as it happens; that of the subscription in a replay.
        again: whether to tell a subscriber that has been told already.
        called_by: with order, sequence of the event before, which called this one.
        moved: how often it found no place and was put off.
        traceparent: W3C trace context that all attempts continue; None for that of the event.
    """

    webhook_id: str
    subscription: str
    event: ReceivedEvent
    attempt: int
    traceparent: str | None = None
    round: int = 0
    again: bool = False
    called_by: int | None = None
    moved: int = 0

    @classmethod
    def first(
        cls,
        event: ReceivedEvent,
        subscription: str,
        *,
        traceparent: str | None = None,
        round: int = 0,  # noqa: A002 - the attribute's name
        again: bool = False,
        called_by: int | None = None,
    ) -> Notification:
        """The first attempt at telling a subscription of an event."""
        return cls(
            webhook_id=webhook_id(event.product.source, event.id, subscription),
            subscription=subscription,
            event=event,
            attempt=1,
            traceparent=traceparent,
            round=round,
            again=again,
            called_by=called_by,
        )

    @property
    def message_id(self) -> str:
        """The same for the same attempt, so that the queue drops it when it is sent twice."""
        replayed = f"-r{self.round}" if self.round else ""
        called = f"-c{self.called_by}" if self.called_by is not None else ""
        moved = f"-m{self.moved}" if self.moved else ""
        return f"{self.webhook_id}{replayed}-{self.attempt}{called}{moved}"

    def to_data(self) -> dict[str, Any]:
        """The notification as a JSON message."""
        return {
            "webhook_id": self.webhook_id,
            "subscription": self.subscription,
            "attempt": self.attempt,
            "traceparent": self.traceparent,
            "round": self.round,
            "again": self.again,
            "called_by": self.called_by,
            "moved": self.moved,
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
            round=int(data.get("round", 0)),
            again=bool(data.get("again", False)),
            called_by=data.get("called_by"),
            moved=int(data.get("moved", 0)),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedAttempt:
    """One attempt at one notification, as it stands in the record of deliveries.

    Attributes:
        number: 1, 2, 3, … within the round; 0 of an acknowledgement.
        outcome: `delivered`, `retry`, `gone`, `refused`, `exhausted` for the last of a schedule, or
            `acknowledged` by the subscriber.
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
    round: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What became of one notification: its attempts, oldest first, at least one.

    An acknowledgement is among them, as the first.
    """

    subscription: str
    subscriber: str
    channel: str
    attempts: tuple[RecordedAttempt, ...]

    @property
    def is_delivered(self) -> bool:
        """Whether the subscriber has been told, in whatever round, or says so itself."""
        return any(one.outcome in {"delivered", "acknowledged"} for one in self.attempts)

    @property
    def acknowledgement(self) -> RecordedAttempt | None:
        """That the subscriber has dealt with it; None while it has not said so."""
        return next((one for one in self.attempts if one.outcome == "acknowledged"), None)

    def of_round(self, number: int) -> tuple[RecordedAttempt, ...]:
        """The attempts of one round, oldest first."""
        return tuple(attempt for attempt in self.attempts if attempt.round == number)
