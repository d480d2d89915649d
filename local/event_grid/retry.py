"""What becomes of an event after an attempt to deliver it.

Source of the numbers: https://learn.microsoft.com/azure/event-grid/delivery-and-retry. The delay of
*new* events to an endpoint in probation, which that page also describes, is left out: Azure
publishes neither when it begins nor how long it lasts.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

SCHEDULE = (
    10,
    30,
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
)
"""Seconds after the first, second, … failed attempt; the last is repeated."""

RESPONSE_SECONDS = 30.0
"""How long Event Grid waits for an answer."""

DEAD_LETTER_DELAY = 5 * MINUTE
DEAD_LETTER_PATIENCE = 4 * HOUR
"""An event is dropped when its dead-letter container cannot be reached for this long."""

_MINIMUM_WAIT = {404: 5 * MINUTE, 408: 2 * MINUTE, 503: 30.0}
_MINIMUM_WAIT_OF_AZURE_RESOURCES = {401: 5 * MINUTE, **_MINIMUM_WAIT}
_NEVER_RETRIED = frozenset({400, 403, 413})
_NEVER_RETRIED_BY_WEBHOOKS = _NEVER_RETRIED | {401}

_OUTCOMES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    408: "TimedOut",
    413: "PayloadTooLarge",
    429: "Busy",
    503: "Busy",
}

Spread = Callable[[float], float]
"""Adds Event Grid's small randomisation to a delay in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How one attempt ended."""

    name: str
    """`Delivered`, or a `lastDeliveryOutcome` of Azure's table."""
    status: int | None = None
    detail: str = ""
    minimum_wait: float = 10.0
    never_retried: bool = False

    @property
    def delivered(self) -> bool:
        return self.name == "Delivered"


DELIVERED = Outcome(name="Delivered")


def outcome_of_status(status: int, *, webhook: bool, detail: str = "") -> Outcome:
    """The outcome of an HTTP status, for a webhook or for a resource of Azure."""
    if HTTPStatus.OK <= status <= HTTPStatus.NO_CONTENT:
        return Outcome(name="Delivered", status=status)
    waits = _MINIMUM_WAIT if webhook else _MINIMUM_WAIT_OF_AZURE_RESOURCES
    never = _NEVER_RETRIED_BY_WEBHOOKS if webhook else _NEVER_RETRIED
    return Outcome(
        name=_OUTCOMES.get(status) or _phrase(status),
        status=status,
        detail=detail,
        minimum_wait=waits.get(status, 10.0),
        never_retried=status in never,
    )


def reason_for_dead_letter(outcome: Outcome) -> str:
    """The `deadLetterReason` of an event that is not tried again."""
    assert outcome.status is not None, "only statuses are never retried"
    return f"UndeliverableDueToHttp{_phrase(outcome.status)}"


def delay_after(attempts: int, outcome: Outcome, spread: Spread) -> float:
    """Seconds until the next attempt, after `attempts` failed ones."""
    step = SCHEDULE[min(attempts, len(SCHEDULE)) - 1]
    return spread(max(float(step), outcome.minimum_wait))


def up_to_a_tenth_later(delay: float) -> float:
    """Event Grid's small randomisation, which never shortens a delay."""
    return delay * random.uniform(1.0, 1.1)  # noqa: S311 - spreads load, hides nothing


def _phrase(status: int) -> str:
    try:
        return "".join(word.capitalize() for word in HTTPStatus(status).name.split("_"))
    except ValueError:
        return f"Status{status}"
