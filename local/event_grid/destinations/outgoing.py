"""An event as it leaves, and what every kind of destination can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from local.event_grid.destinations.settings import Attribute
from local.event_grid.retry import Outcome
from local.event_grid.schemas import CLOUD_EVENTS, Event, as_json

NOTIFICATION = "Notification"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """One event rendered for one subscription."""

    event: Event
    payload: bytes
    """The JSON of the event in the delivery schema."""
    delivery_schema: str
    subscription: str
    attempts: int
    """Earlier attempts: Event Grid's delivery count starts at 0."""

    @classmethod
    def render(
        cls, event: Event, delivery_schema: str, subscription: str, attempts: int
    ) -> Outgoing:
        return cls(
            event=event,
            payload=as_json(event.rendered(delivery_schema)),
            delivery_schema=delivery_schema,
            subscription=subscription,
            attempts=attempts,
        )

    @property
    def content_type(self) -> str:
        cloud = self.delivery_schema == CLOUD_EVENTS
        return f"application/{'cloudevents+' if cloud else ''}json; charset=utf-8"

    def headers(self) -> dict[str, str]:
        """The properties that Event Grid sets on every delivery."""
        cloud = self.delivery_schema == CLOUD_EVENTS
        headers = {
            "aeg-event-type": NOTIFICATION,
            "aeg-subscription-name": self.subscription.upper(),
            "aeg-delivery-count": str(self.attempts),
            "aeg-metadata-version": "1.0" if cloud else "1",
            "aeg-output-event-id": self.event.id,
        }
        if not cloud:
            headers["aeg-data-version"] = self.event.data_version
        return headers

    def custom(self, attributes: Sequence[Attribute]) -> dict[str, str]:
        """The delivery properties of the subscription; a field that is absent gives none."""
        values = ((attribute.name, attribute.of(self.event)) for attribute in attributes)
        return {name: value for name, value in values if value is not None}


class Deliverer(Protocol):
    """Takes events to one destination."""

    max_concurrent: int
    """How many attempts may be under way at once."""

    max_batch: int
    """How many events may go in one attempt."""

    async def deliver(self, outgoing: Sequence[Outgoing]) -> list[Outcome]:
        """Attempt to deliver; never raises. One outcome for each event, in order."""

    async def close(self) -> None: ...
