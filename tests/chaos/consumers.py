"""Receivers of notifications, with moods, and what they were told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mesh.errors import Rejected, Unavailable
from mesh.model.delivery import DeliveryAttempt
from mesh.model.destination import parse_destination
from mesh.model.subscription import Channel
from mesh.model.subscription_events import SUBSCRIPTION_TESTED
from mesh.ports import Parcel
from tests.chaos.effects import perform

Mood = Callable[[], str]
"""What the receiver does next: a status (`204`), `lost` (it took it, and its answer is lost), or
`slow` (it did not answer in time)."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """A request that a receiver got.

    Attributes:
        taken: whether the receiver took it for its own (2xx, or an answer that got lost).
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime
    taken: bool


@dataclass(kw_only=True)
class Receivers:
    """`mesh.ports.Webhooks` for the backbone in memory.

    Attributes:
        moods: by URL; who has none answers 204.
        told: all that was received, in order.
    """

    now: Callable[[], datetime]
    moods: dict[str, Mood] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    def verify(self, url: str) -> float:
        if url.endswith("/unwilling"):
            message = f"The receiver at {url} does not want our notifications."
            raise Rejected(message, problem="webhook-unverified", status=422)
        return 0.001

    def as_destinations(self) -> Destinations:
        """`mesh.ports.Destinations`: the same moods, by target."""
        return Destinations(receivers=self)

    def deliver(
        self,
        *,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        limit: timedelta,  # noqa: ARG002 - how long is told by the mood
    ) -> DeliveryAttempt:
        """A kill comes before the request or after it; a fault is a value, as in reality."""
        try:
            return perform("webhooks.deliver", lambda: self._deliver(url, body, headers))
        except Unavailable:
            return _attempt("retry", None)

    def _deliver(self, url: str, body: bytes, headers: Mapping[str, str]) -> DeliveryAttempt:
        mood = self.moods[url]() if url in self.moods else "204"
        taken = mood in {"204", "lost"}
        self.told.append(
            Told(url=url, headers=dict(headers), body=body, at=self.now(), taken=taken)
        )
        if mood == "lost":
            return _attempt("retry", None)
        if mood == "slow":
            return replace(_attempt("retry", None), duration_s=20.0)
        if mood == "429":
            return _attempt("retry", 429, retry_after=timedelta(seconds=30))
        outcome = {"204": "delivered", "410": "gone"}.get(mood, "retry")
        return _attempt(outcome, int(mood))


@dataclass(frozen=True, kw_only=True)
class Destinations:
    """Topics, queues and folders of consumers: what they were given is what receivers are told.

    Attributes:
        tokens: what was delivered last to prove that a target is its subscriber's.
    """

    receivers: Receivers
    tokens: dict[str, str] = field(default_factory=dict)

    def check(self, channel: Channel, target: str) -> str:
        return parse_destination(channel, target).target

    def deliver(self, parcel: Parcel) -> DeliveryAttempt:
        """The first delivery is a test, which is not among the events that one is told of."""
        if parcel.event["type"] == SUBSCRIPTION_TESTED:
            return perform("destinations.deliver", lambda: self._tested(parcel))
        body = json.dumps(dict(parcel.event)).encode()
        headers = {"webhook-id": parcel.id}
        made = self.receivers.deliver(
            url=parcel.target, body=body, headers=headers, limit=parcel.limit
        )
        return replace(made, status=None)

    def _tested(self, parcel: Parcel) -> DeliveryAttempt:
        if "token" in parcel.event["data"]:
            self.tokens[parcel.target] = parcel.event["data"]["token"]
        return _attempt("delivered", None)


def _attempt(
    outcome: str, status: int | None, *, retry_after: timedelta | None = None
) -> DeliveryAttempt:
    return DeliveryAttempt(
        outcome=outcome,  # type: ignore[arg-type]
        status=status,
        reason=f"answered {status}",
        retry_after=retry_after,
        duration_s=0.001,
    )
