"""Put notifications into their lanes, and let no subscriber have all of one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from mesh.backbone import Backbone
from mesh.errors import TooMany
from mesh.model.lanes import QUICK, SLOW
from mesh.model.notification import Notification
from mesh.ports import Message

WAIT_S = {QUICK: 0.25, SLOW: 1.0}
"""How long to wait for a place, by lane: a subscriber that answers at once soon has one again."""

_ASKED = "asked"
"""Not a queue: where receivers are asked whether they want to be told, while callers wait."""

LONGEST_WAIT = timedelta(minutes=1)
"""Who finds no place in the slow lane comes again, after 1, 2, 4, … seconds up to this."""

ASK_AGAIN_S = 5

GRACE = timedelta(seconds=10)
"""What an attempt may take beyond its limit: a place, a look-up, a body, its record."""

_DOUBLINGS = 16
"""More of them than `LONGEST_WAIT` lets have an effect, and no pause is too long for a number."""

_places: Counter[tuple[str, str]] = Counter()
_changed = threading.Condition()


def enqueue(
    backbone: Backbone, lane: str, notifications: Sequence[Notification], *, after: timedelta
) -> None:
    """Put notifications on a queue, to appear there after a pause."""
    due = backbone.now() + after if after else None
    messages = [
        Message(
            id=notification.message_id,
            body=notification.to_data(),
            due=due,
            traceparent=notification.traceparent or notification.event.envelope.get("traceparent"),
        )
        for notification in notifications
    ]
    if messages:
        backbone.queues.send(lane, messages)


@contextmanager
def place(lane: str, whose: str, *, at_once: int) -> Iterator[bool]:
    """One of the places that a subscription has in a lane of this process; False: all are taken."""
    key = (lane, whose)
    with _changed:
        is_free = _changed.wait_for(lambda: _places[key] < at_once, timeout=WAIT_S.get(lane, 0))
        if is_free:
            _places[key] += 1
    try:
        yield is_free
    finally:
        if is_free:
            with _changed:
                _places[key] -= 1
                if not _places[key]:
                    del _places[key]
                _changed.notify_all()


@contextmanager
def asking(backbone: Backbone, subscriber: str) -> Iterator[None]:
    """Ask a receiver of a domain, which may take its time, and hold up no other domain's calls.

    Raises:
        TooMany: as many of the domain's receivers are being asked as may be at once.
    """
    with place(_ASKED, subscriber, at_once=backbone.policy.at_once) as is_free:
        if not is_free:
            message = (
                f"{backbone.policy.at_once} receivers of {subscriber} are being asked already "
                f"whether they want to be told. Try again in {ASK_AGAIN_S} s."
            )
            raise TooMany(message, problem="too-many-calls", after=ASK_AGAIN_S)
        yield


def leave(backbone: Backbone, notification: Notification, lane: str) -> None:
    """Leave a message for when an attempt that goes on aside is surely over.

    It finds the attempt on record, and sees to what follows; if the process has ended meanwhile,
    it makes the attempt again.
    """
    policy = backbone.policy
    limit = policy.quick if lane == QUICK else policy.patient
    left = replace(notification, moved=notification.moved + 1)
    enqueue(backbone, SLOW, [left], after=limit + GRACE)


def move(backbone: Backbone, notification: Notification, lane: str) -> None:
    """Let a notification that has no place in its lane wait in the slow one."""
    moved = replace(notification, moved=notification.moved + 1)
    doubled = timedelta(seconds=2 ** min(notification.moved, _DOUBLINGS))
    pause = min(doubled, LONGEST_WAIT) if lane == SLOW else timedelta(0)
    enqueue(backbone, SLOW, [moved], after=pause)
