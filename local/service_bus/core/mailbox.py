"""A mailbox at work: who is given its messages, and what becomes of them."""

from __future__ import annotations

import heapq
from collections import deque

from local.service_bus.core.contents import Contents
from local.service_bus.core.delivery import (
    EXPIRED,
    MAX_DELIVERY,
    Consumer,
    Policy,
    Surroundings,
)
from local.service_bus.core.errors import NotAllowedError
from local.service_bus.core.message import Changes, Message, State


class Mailbox(Contents):
    """Delivers its messages, oldest first, and settles them.

    Those that can be delivered are in a heap of sequence numbers.
    """

    requires_session = False

    def __init__(self, box: int, policy: Policy, around: Surroundings) -> None:
        super().__init__(box, policy, around)
        self._ready: list[int] = []
        self._consumers: deque[Consumer] = deque()
        self._dispatch_pending = False

    # Delivery

    def attach(self, consumer: Consumer) -> None:
        """Begin to serve a consumer."""
        self._consumers.append(consumer)
        self.accessed_at = self._clock()
        self.dispatch_soon()

    def detach(self, consumer: Consumer) -> None:
        """Stop serving a consumer. Its locks stay until they expire, as in Azure."""
        self.accessed_at = self._clock()
        if consumer in self._consumers:
            self._consumers.remove(consumer)

    def consumers(self) -> list[Consumer]:
        """Give those who are served."""
        return list(self._consumers)

    def dispatch_soon(self) -> None:
        """Deliver what can be delivered, once everything recorded so far is durable."""
        if not self._dispatch_pending:
            self._dispatch_pending = True
            self._journal.when_durable(self._dispatch)

    def _dispatch(self) -> None:
        self._dispatch_pending = False
        now = self._clock()
        consumers, passed_over = self._consumers, 0
        while self._ready and passed_over < len(consumers):
            consumer = consumers[0]
            consumers.rotate(-1)
            if consumer.credit() <= 0:
                passed_over += 1
                continue
            message = self._next(self._ready, now)
            if message is None:
                return
            passed_over = 0
            self._hand_over(message, consumer, now)

    def _make_ready(self, message: Message) -> None:
        heapq.heappush(self._ready, message.sequence)
        if self._consumers:
            self.dispatch_soon()

    def _next(self, ready: list[int], now: float) -> Message | None:
        while ready:
            message = self._messages.get(heapq.heappop(ready))
            if message is None or message.state is not State.ACTIVE or message.token is not None:
                continue
            if message.expires_at is not None and message.expires_at <= now:
                self._expire(message)
                continue
            return message
        return None

    def _hand_over(self, message: Message, consumer: Consumer, now: float) -> None:
        self.accessed_at = now
        if consumer.settles:
            self._lock(message, now)
        else:
            self.take_out(message)
            self._journal.delete(message)
        consumer.deliver(message)

    # Settlement

    def complete(self, token: bytes) -> None:
        """Remove a message that was dealt with.

        Raises:
            MessageLockLostError: here and in the other settlements, the lock is not held.
        """
        message = self._held(token)
        self.take_out(message)
        self._journal.delete(message)

    def abandon(self, token: bytes, changes: Changes | None = None) -> None:
        """Give a message back; the delivery counts as failed."""
        message = self._held(token)
        self._change(message, changes)
        self._failed(message)

    def release(self, token: bytes) -> None:
        """Give a message back as if it had not been delivered."""
        message = self._held(token)
        self._unlock(message)
        self._back(message)

    def defer(self, token: bytes, changes: Changes | None = None) -> None:
        """Put a message aside until it is asked for by its sequence number."""
        message = self._held(token)
        self._change(message, changes)
        self._unlock(message)
        message.state = State.DEFERRED
        self._expiries.discard(message.sequence)
        self._journal.update(message)

    def dead_letter(
        self, token: bytes, reason: str, description: str, changes: Changes | None = None
    ) -> None:
        """Move a message to the dead-letter queue.

        Raises:
            NotAllowedError: this is the dead-letter queue.
        """
        message = self._held(token)
        if self._around.bury is None:
            raise NotAllowedError("A message of a dead-letter queue cannot be dead-lettered.")
        self.take_out(message)
        self._around.bury(message, reason, description, changes or Changes())

    def _change(self, message: Message, changes: Changes | None) -> None:
        if changes:
            before = message.content.size
            message.content = self._around.codec.rewrite(message.content, changes)
            self.size += message.content.size - before
            self._journal.rewrite(message)

    def _failed(self, message: Message) -> None:
        """Count a failed delivery, and give the message back or bury it."""
        self._unlock(message)
        message.failed_deliveries += 1
        limit = self.policy.max_delivery_count
        if limit is not None and message.failed_deliveries >= limit and self._around.bury:
            self.take_out(message)
            text = (
                "Message could not be consumed after "
                f"{message.failed_deliveries} delivery attempts."
            )
            self._around.bury(message, MAX_DELIVERY, text, Changes())
            return
        self._journal.update(message)
        self._back(message)

    def _back(self, message: Message) -> None:
        if message.state is not State.ACTIVE:
            return
        if message.expires_at is not None and message.expires_at <= self._clock():
            self._expire(message)
        else:
            self._make_ready(message)

    def _expire(self, message: Message) -> None:
        self.take_out(message)
        if self.policy.dead_letter_expired and self._around.bury:
            text = "The message expired and was dead lettered."
            self._around.bury(message, EXPIRED, text, Changes())
        else:
            self._journal.delete(message)

    # Time

    def next_deadline(self) -> float | None:
        """Give the time when `run_due` has work, if any."""
        pending = [self._lock_ends.next(), self._expiries.next(), self._schedule.next()]
        return min((when for when in pending if when is not None), default=None)

    def run_due(self, now: float) -> None:
        """Do what time brings: due messages, expired locks, expired messages."""
        for number in self._schedule.pop_due(now):
            message = self._messages[number]
            self.take_out(message)
            if self._around.due:
                self._around.due(message)
        for token in self._lock_ends.pop_due(now):
            self._failed(self._locked[token])
        for number in self._expiries.pop_due(now):
            message = self._messages[number]
            if message.token is None:
                self._expire(message)
