"""Events that could not be delivered: five minutes later they are in a blob, or gone.

The blob is named `SUBSCRIPTION/YYYY/M/D/H/{guid}.json` (upper case, no leading zeros, UTC) and
holds an array of all events of the subscription that were due together, as Azure lays it out:
https://learn.microsoft.com/azure/event-grid/manage-event-delivery.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.event_grid.clock import Clock, Timer, timestamp
from local.event_grid.destinations.storage import DeadLetterWriter
from local.event_grid.retry import DEAD_LETTER_PATIENCE, MINUTE, Outcome
from local.event_grid.schemas import CLOUD_EVENTS, CUSTOM_INPUT, EVENT_GRID, Event, as_json
from local.event_grid.store import Delivery, Store
from local.event_grid.topology import EventSubscription

_LOG = logging.getLogger(__name__)


class DeadLetterQueue:
    """The dead letters of one event subscription that still have to be written."""

    def __init__(
        self,
        subscription: EventSubscription,
        key: str,
        writer: DeadLetterWriter,
        store: Store,
        clock: Clock,
        on_done: Callable[[int, int], None],
    ) -> None:
        """`on_done(written, dropped)` is told what became of them."""
        assert subscription.dead_letters is not None, "nobody asked for dead letters"
        self._subscription = subscription
        self._container = subscription.dead_letters.container
        self._key, self._writer, self._store, self._clock = key, writer, store, clock
        self._on_done = on_done
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._order = itertools.count()
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, delivery: Delivery) -> None:
        """Write this one at `delivery.due`."""
        heapq.heappush(self._waiting, (delivery.due, next(self._order), delivery))
        if self._task is None:
            self._arm(self._waiting[0][0])

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_at(when, self._start)

    def _start(self) -> None:
        self._clock.begin()
        self._task = asyncio.create_task(self._write_due())
        self._task.add_done_callback(lambda _: self._clock.end())

    async def _write_due(self) -> None:
        now = self._clock.now()
        due: list[Delivery] = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[2])
        outcome = await self._write(due, now)
        if outcome.delivered:
            self._finish(due, written=True)
        else:
            self._try_later(due, outcome, now)
        self._task = None
        if self._waiting:
            self._arm(self._waiting[0][0])

    async def _write(self, due: list[Delivery], now: float) -> Outcome:
        hour = datetime.fromtimestamp(now, UTC)
        place = f"{self._subscription.name.upper()}/{hour.year}/{hour.month}/{hour.day}/{hour.hour}"
        schema = self._subscription.delivery_schema
        try:
            letters = [dead_letter(self._store.event(d.sequence), schema, d) for d in due]
            name = f"{place}/{uuid.uuid4()}.json"
            return await self._writer.write(self._container, name, as_json(letters))
        except Exception as problem:  # noqa: BLE001 - whatever breaks, no event may be lost
            _LOG.exception("Writing dead letters of '%s' broke", self._subscription.name)
            return Outcome(name="Aborted", detail=repr(problem))

    def _try_later(self, due: list[Delivery], outcome: Outcome, now: float) -> None:
        """Try again each minute for four hours; a container that is not there takes nothing."""
        hopeless = outcome.status == 404
        gone = [each for each in due if hopeless or now >= each.due + DEAD_LETTER_PATIENCE]
        if gone:
            _LOG.warning(
                "Event Grid drops %d events of subscription '%s': dead-letter container '%s': %s",
                *(len(gone), self._subscription.name, self._container, outcome.detail),
            )
            self._finish(gone, written=False)
        for each in due:
            if each not in gone:
                heapq.heappush(self._waiting, (now + MINUTE, next(self._order), each))

    def _finish(self, deliveries: list[Delivery], *, written: bool) -> None:
        self._store.finish(self._key, [each.sequence for each in deliveries])
        count = len(deliveries)
        self._on_done(count if written else 0, 0 if written else count)


def dead_letter(event: Event, delivery_schema: str, delivery: Delivery) -> dict[str, Any]:
    """The event with what happened to it, in the form of its delivery schema.

    The names are lower case in CloudEvents; an event of a custom schema comes in Event Grid's own.
    """
    story: dict[str, Any] = {
        "deadLetterReason": delivery.dead_letter_reason,
        "deliveryAttempts": delivery.attempts,
        "lastDeliveryOutcome": delivery.last_outcome or "Delivering",
        "publishTime": timestamp(event.published),
    }
    if delivery.last_status is not None:
        story["lastHttpStatusCode"] = delivery.last_status
    if delivery.last_attempt is not None:
        story["lastDeliveryAttemptTime"] = timestamp(delivery.last_attempt)
    if delivery_schema == CLOUD_EVENTS:
        story = {name.lower(): value for name, value in story.items()}
    shape = EVENT_GRID if delivery_schema == CUSTOM_INPUT else delivery_schema
    return {**event.rendered(shape), **story}
