"""A message that was given up, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Settlement(StrEnum):
    """What was decided about a dead letter."""

    RESUBMITTED = "resubmitted"
    DISCARDED = "discarded"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """A message in a dead-letter queue.

    Attributes:
        source: the queue (`notifications`), or `TOPIC/SUBSCRIPTION`, that gave it up.
        number: what the broker numbered it by; unique within the source.
        reason: the broker's code, such as `MaxDeliveryCountExceeded`.
        description: what there is to say beyond the code.
        deliveries: how often it was tried.
    """

    source: str
    number: int
    message_id: str
    enqueued_at: datetime | None
    reason: str
    description: str
    deliveries: int
    body: bytes = field(repr=False)
    traceparent: str | None = None

    def is_same(self, other: DeadLetter) -> bool:
        """Whether it is the same message: one in a queue that was made anew may have its number.

        How often it was tried is counted on while it is looked at, and says nothing.
        """
        return (self.source, self.number, self.message_id, self.enqueued_at) == (
            other.source,
            other.number,
            other.message_id,
            other.enqueued_at,
        )

    @property
    def document(self) -> Mapping[str, Any] | None:
        """The body as a JSON object; None when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class SettledLetter:
    """A dead letter that somebody has decided about.

    Attributes:
        letter: as it was; what is kept of it has no body.
        repeated: whether it had been decided before the call that is answered.
    """

    letter: DeadLetter
    settlement: Settlement
    at: datetime
    repeated: bool = False
