"""Subscriptions, attempts, and what was given up, as the HTTP API tells of them."""

from __future__ import annotations

from typing import Any

from handlers.representations.times import time
from mesh.model.addresses import without_query
from mesh.model.dead_letter import DeadLetter, SettledLetter
from mesh.model.notification import RecordedAttempt
from mesh.model.subscription import Subscription
from mesh.subscriptions import Subscribed


def subscription(wants: Subscription) -> dict[str, Any]:
    return {
        "id": wants.id,
        "product": str(wants.product),
        "subscriber": wants.subscriber,
        "channel": wants.channel.value,
        "target": target(wants),
        "copies": wants.copies,
        "ordered": wants.ordered,
        "signature": wants.signature,
        "filters": [one.to_data() for one in wants.filter.expressions],
        "uses": list(wants.uses),
        "state": wants.state.value,
        "suspended_at": time(wants.suspended_at),
        "reason": wants.reason,
        "until": time(wants.until),
        "failing": wants.failing,
        "created_at": time(wants.created_at),
    }


def subscribed(made: Subscribed) -> dict[str, Any]:
    """For the subscriber alone, who gave the target: it is told in full."""
    wants = made.subscription
    return {**subscription(wants), "target": wants.target, "secret": made.secret}


def target(wants: Subscription) -> str:
    """What others may know of it."""
    return without_query(wants.target)


def attempt(made: RecordedAttempt) -> dict[str, Any]:
    return {
        "number": made.number,
        "round": made.round,
        "at": time(made.at),
        "outcome": made.outcome,
        "status": made.status,
        "reason": made.reason,
        "duration_s": made.duration_s,
        "next_at": time(made.next_at),
    }


def dead_letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "source": letter.source,
        "number": letter.number,
        "message_id": letter.message_id,
        "enqueued_at": time(letter.enqueued_at),
        "reason": letter.reason,
        "description": letter.description,
        "deliveries": letter.deliveries,
        "body": letter.body.decode(errors="replace"),
    }


def settled_letter(settled: SettledLetter) -> dict[str, Any]:
    body = settled.letter.body.decode(errors="replace") or None
    told = {"settlement": settled.settlement, "settled_at": time(settled.at)}
    return {**dead_letter(settled.letter), "body": body, **told, "repeated": settled.repeated}
