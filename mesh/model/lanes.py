"""Which queue a subscriber's notifications wait in, so that one that is slow delays no other.

Whoever took too long lately, or is told what may take long, waits beside the others: there, an
attempt may take its time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mesh.model.notification import RecordedAttempt
from mesh.model.subscription import Subscription

QUICK = "notifications"
SLOW = "notifications-slow"


def lane_of(subscription: Subscription) -> str:
    """The queue of what is told as it happens; replays always take the slow one."""
    return SLOW if subscription.is_slow or subscription.copies else QUICK


def begins_slow(seconds: float, *, quick: timedelta) -> bool:
    """Whether a new subscription waits beside the others, by how long it took to answer once."""
    return seconds >= quick.total_seconds() / 2


def paced(
    subscription: Subscription, attempt: RecordedAttempt, *, quick: timedelta
) -> Subscription:
    """The subscription after an attempt that took as long as it did.

    It is slow once an attempt took as long as the quick lane waits, and quick again when it took
    less than half of that: one in between stays where it is.
    """
    seconds = quick.total_seconds()
    if attempt.duration_s >= seconds:
        return subscription if subscription.is_slow else replace(subscription, is_slow=True)
    is_quick_again = attempt.outcome == "delivered" and attempt.duration_s < seconds / 2
    return replace(subscription, is_slow=False) if is_quick_again else subscription
