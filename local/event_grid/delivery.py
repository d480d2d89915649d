"""The way of events to one event subscription: attempts, retries, and the end of patience."""

from __future__ import annotations

import asyncio
import functools
import heapq
import itertools
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from local.event_grid.clock import Clock, Timer
from local.event_grid.dead_letters import DeadLetterQueue
from local.event_grid.destinations.outgoing import Deliverer, Outgoing
from local.event_grid.destinations.storage import DeadLetterWriter
from local.event_grid.failure_log import FailedDelivery, FailureLog
from local.event_grid.retry import (
    DEAD_LETTER_DELAY,
    Outcome,
    Spread,
    delay_after,
    reason_for_dead_letter,
)
from local.event_grid.store import Delivery, Store
from local.event_grid.topology import EventSubscription

_LOG = logging.getLogger(__name__)
_KEPT_IN_MEMORY = 1000
"""Waiting events beyond this are read from the store again when their turn comes."""


@dataclass(kw_only=True, slots=True)
class Counts:
    """What happened to the events of a subscription since the start."""

    matched: int = 0
    delivered: int = 0
    failed_attempts: int = 0
    dead_lettered: int = 0
    dropped: int = 0
    last_error: str | None = None


class Pump:
    """Brings every event that matches to its destination, or to its dead-letter container.

    Pumps share nothing but the store: a slow or broken destination delays no other one.
    """

    def __init__(
        self,
        subscription: EventSubscription,
        *,
        key: str,
        topic_id: str,
        failures: FailureLog,
        deliverer: Deliverer,
        writer: DeadLetterWriter | None,
        store: Store,
        clock: Clock,
        spread: Spread,
        held: bool,
    ) -> None:
        """A pump that is `held` keeps everything until `release`: its endpoint must agree first."""
        self.subscription = subscription
        self.key = key
        self.counts = Counts()
        self.held = held
        self._topic_id, self._failures = topic_id, failures
        self._deliverer, self._store = deliverer, store
        self._clock, self._spread = clock, spread
        self._ready: deque[Delivery] = deque()
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._order = itertools.count()
        self._timer: Timer | None = None
        self._attempts: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._dead_letters: DeadLetterQueue | None = None
        if subscription.dead_letters is not None and writer is not None:
            self._dead_letters = DeadLetterQueue(
                subscription, key, writer, store, clock, self._count_dead_letters
            )

    @property
    def pending(self) -> int:
        """Events neither delivered nor given up."""
        letters = len(self._dead_letters) if self._dead_letters else 0
        return len(self._ready) + len(self._waiting) + self._in_flight + letters

    def restore(self) -> None:
        """Take up what an earlier process left."""
        for delivery in self._store.deliveries(self.key):
            self._schedule(delivery)

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Deliver these now."""
        for delivery in deliveries:
            if len(self._ready) >= _KEPT_IN_MEMORY:
                delivery.event = None
            self.counts.matched += 1
            self._ready.append(delivery)
        self._start_attempts()

    def release(self) -> None:
        """The endpoint has agreed to get events."""
        self.held = False
        self._start_attempts()

    async def close(self) -> None:
        """Stop at once; what is not done stays in the store."""
        self.held = True
        if self._timer is not None:
            self._timer.cancel()
        for attempt in self._attempts:
            attempt.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)
        if self._dead_letters is not None:
            await self._dead_letters.close()
        await self._deliverer.close()

    def _schedule(self, delivery: Delivery) -> None:
        if delivery.dead_letter_reason is not None and self._dead_letters is not None:
            self._dead_letters.add(delivery)
            return
        heapq.heappush(self._waiting, (delivery.due, next(self._order), delivery))
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting:
            self._timer = self._clock.call_at(self._waiting[0][0], self._wake)

    def _wake(self) -> None:
        now = self._clock.now()
        while self._waiting and self._waiting[0][0] <= now:
            self._ready.append(heapq.heappop(self._waiting)[2])
        self._arm()
        self._start_attempts()

    def _start_attempts(self) -> None:
        while (
            self._ready and not self.held and len(self._attempts) < self._deliverer.max_concurrent
        ):
            size = min(len(self._ready), self._deliverer.max_batch)
            batch = [self._ready.popleft() for _ in range(size)]
            self._clock.begin()
            self._in_flight += size
            attempt = asyncio.create_task(self._attempt(batch))
            self._attempts.add(attempt)
            attempt.add_done_callback(functools.partial(self._attempt_ended, size))

    def _attempt_ended(self, size: int, attempt: asyncio.Task[None]) -> None:
        self._in_flight -= size
        self._attempts.discard(attempt)
        self._start_attempts()
        self._clock.end()

    async def _attempt(self, batch: list[Delivery]) -> None:
        started = self._clock.now()
        expired = [each for each in batch if self._has_expired(each, started)]
        self._give_up(expired, "TimeToLiveExceeded", started)
        live = [each for each in batch if each not in expired]
        if not live:
            return
        outcomes = await self._outcomes(live)
        now = self._clock.now()
        self._conclude(list(zip(live, outcomes, strict=True)), started, now)

    async def _outcomes(self, live: list[Delivery]) -> list[Outcome]:
        try:
            return await self._deliverer.deliver([self._outgoing(each) for each in live])
        except Exception as problem:  # noqa: BLE001 - whatever breaks, no event may be lost
            _LOG.exception("Delivery to '%s' broke", self.subscription.name)
            return [Outcome(name="Aborted", detail=repr(problem))] * len(live)

    def _has_expired(self, delivery: Delivery, now: float) -> bool:
        """The time to live is looked at only when an attempt is due, and never before the first."""
        return delivery.attempts > 0 and now - delivery.published >= self.subscription.time_to_live

    def _outgoing(self, delivery: Delivery) -> Outgoing:
        return Outgoing.render(
            delivery.event or self._store.event(delivery.sequence),
            self.subscription.delivery_schema,
            self.subscription.name,
            delivery.attempts,
        )

    def _conclude(
        self, results: list[tuple[Delivery, Outcome]], started: float, now: float
    ) -> None:
        done = [each.sequence for each, outcome in results if outcome.delivered]
        if done:
            self._store.finish(self.key, done)
            self.counts.delivered += len(done)
        later: list[Delivery] = []
        for delivery, outcome in results:
            if outcome.delivered:
                continue
            self._log_failure(delivery, outcome, started, now)
            self._note_failure(delivery, outcome, now)
            if outcome.never_retried:
                self._give_up([delivery], reason_for_dead_letter(outcome), now)
            elif delivery.attempts >= self.subscription.max_attempts:
                self._give_up([delivery], "MaxDeliveryAttemptsExceeded", now)
            else:
                delivery.due = now + delay_after(delivery.attempts, outcome, self._spread)
                later.append(delivery)
        if later:
            self._store.record(self.key, later)
            for delivery in later:
                self._schedule(delivery)

    def _log_failure(
        self, delivery: Delivery, outcome: Outcome, started: float, now: float
    ) -> None:
        event = delivery.event or self._store.event(delivery.sequence)
        self._failures.write(
            FailedDelivery(
                resource_id=self._topic_id,
                subscription=self.subscription.name,
                event_id=event.internal_id,
                attempts=delivery.attempts,
                published=delivery.published,
                started=started,
                ended=now,
                outcome=outcome.name,
                response=outcome.detail,
            )
        )

    def _note_failure(self, delivery: Delivery, outcome: Outcome, now: float) -> None:
        delivery.event = None
        delivery.attempts += 1
        delivery.last_attempt = now
        delivery.last_outcome, delivery.last_status = outcome.name, outcome.status
        self.counts.failed_attempts += 1
        self.counts.last_error = f"{outcome.name}: {outcome.detail}".rstrip(": ")

    def _give_up(self, deliveries: list[Delivery], reason: str, now: float) -> None:
        if not deliveries:
            return
        if self._dead_letters is None:
            self._store.finish(self.key, [each.sequence for each in deliveries])
            self._count_dead_letters(0, len(deliveries))
            _LOG.warning(
                "Event Grid drops %d events of subscription '%s', which has no dead letters: %s",
                *(len(deliveries), self.subscription.name, reason),
            )
            return
        for delivery in deliveries:
            delivery.dead_letter_reason = reason
            delivery.due = max(now, (delivery.last_attempt or now) + DEAD_LETTER_DELAY)
        self._store.record(self.key, deliveries)
        for delivery in deliveries:
            self._dead_letters.add(delivery)

    def _count_dead_letters(self, written: int, dropped: int) -> None:
        self.counts.dead_lettered += written
        self.counts.dropped += dropped
