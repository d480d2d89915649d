"""What attempts at telling a subscription do to its state."""

from __future__ import annotations

from dataclasses import replace

from mesh.model.notification import RecordedAttempt
from mesh.model.subscription import ALERTS, State, Subscription


def after(
    subscription: Subscription, attempt: RecordedAttempt, *, attempts_in_all: int
) -> Subscription:
    """The subscription after an attempt at telling it; taking it twice changes nothing more.

    410 disables it. The last failure of a schedule suspends it. Failures on the way raise
    `failing`, at each of `ALERTS`; a success resets it.
    """
    if subscription.resumed_at is not None and attempt.at <= subscription.resumed_at:
        return subscription
    if subscription.state is State.BARRED:
        return subscription  # its agreement decides, not its receiver
    since = subscription.suspended_at or attempt.at
    if attempt.outcome == "gone":
        return replace(subscription, state=State.GONE, suspended_at=since, reason=attempt.reason)
    if attempt.outcome == "exhausted":
        return replace(
            subscription,
            state=State.SUSPENDED,
            suspended_at=since,
            reason=attempt.reason,
            failing=ALERTS[-1],
        )
    if attempt.outcome == "delivered":
        return replace(subscription, failing=0, reason="") if subscription.failing else subscription
    used = 100 * attempt.number / attempts_in_all
    alert = max((alert for alert in ALERTS if alert <= used), default=0)
    if alert <= subscription.failing:
        return subscription
    return replace(subscription, failing=alert, reason=attempt.reason)
