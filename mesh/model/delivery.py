"""One notification on its way to one subscriber: its id, its attempts, and when to try again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Outcome = Literal["delivered", "retry", "gone", "refused"]
"""How an attempt ended.

`delivered`: the receiver answered 2xx. `retry`: it did not, and may do so later. `gone`: it
answered 410, and wants no more. `refused`: it is no receiver that we talk to (its URL points
inside the network, or it redirects), which may be for a while only: it is tried again, too.
"""

STANDARD_SCHEDULE = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The pause before each attempt, after Standard Webhooks 1.0: ten attempts in three days."""

LONGEST_PAUSE = timedelta(hours=24)
"""The longest pause that a receiver may ask for."""

JITTER = 0.2
"""Pauses grow by up to this share of themselves, so that what failed together returns apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryAttempt:
    """What became of one attempt.

    Attributes:
        status: the HTTP status; None when there was no answer.
        reason: one sentence for the subscriber, without secrets and without addresses.
        retry_after: the pause the receiver asked for, not yet bounded.
    """

    outcome: Outcome
    status: int | None
    reason: str
    retry_after: timedelta | None = None
    duration_s: float


def webhook_id(source: str, event_id: str, subscription_id: str) -> str:
    """Name a notification: `msg_` and 32 hexadecimal digits, the same at every attempt.

    A digest, for Standard Webhooks forbids dots, which the ids of CloudEvents may hold: a dot
    would let the border between id and timestamp move within what is signed.
    """
    named = json.dumps([source, event_id, subscription_id])
    return "msg_" + hashlib.sha256(named.encode()).hexdigest()[:32]


def next_attempt(
    schedule: Sequence[timedelta],
    attempt_number: int,
    *,
    retry_after: timedelta | None = None,
    jitter: float,
    longest: timedelta = LONGEST_PAUSE,
) -> timedelta | None:
    """The pause after an attempt that failed; None when the schedule is exhausted.

    Args:
        schedule: the pause before each attempt; the first is the one before the first attempt.
        attempt_number: of the attempt that failed: 1, 2, 3, …; 0 asks for the first pause.
        retry_after: what the receiver asked for. It can only lengthen the pause, up to `longest`.
        jitter: a random number, 0 ≤ jitter < 1, supplied by the caller.
        longest: bounds `retry_after`; the schedule is never cut.

    Raises:
        ValueError: `attempt_number` or `jitter` is out of its range.
    """
    if attempt_number < 0:
        raise ValueError(f"attempt_number must be 0 or more, not {attempt_number}")
    if not 0 <= jitter < 1:
        raise ValueError(f"jitter must be at least 0 and below 1, not {jitter}")
    if attempt_number >= len(schedule):
        return None
    pause = schedule[attempt_number]
    if retry_after is not None:
        pause = max(pause, min(retry_after, longest))
    return pause + pause * (JITTER * jitter)


def longest_schedule(schedule: Sequence[timedelta]) -> timedelta:
    """How long the attempts at one notification may take, with all that receivers may ask for."""
    return sum((max(pause, LONGEST_PAUSE) * (1 + JITTER) for pause in schedule), timedelta(0))


MOST_LIVE = 5
"""Generations of one secret that sign at once."""


def live_generations(
    generation: int, *, previous_until: datetime | None, now: datetime, oldest: int = 0
) -> tuple[int, ...]:
    """The generations of a signing secret to sign with, newest first.

    Rotating a secret raises its generation; the one before stays live until `previous_until`, so
    that a receiver can change its secret without missing a notification. So do those before it
    from `oldest` on: a receiver may still hold the first, when a new secret was lost and the secret
    rotated once more.
    """
    if previous_until is None or now >= previous_until:
        return (generation,)
    first = max(oldest or generation - 1, generation - MOST_LIVE + 1, 1)
    return tuple(range(generation, first - 1, -1))
