"""The messages of one queue, subscription or dead-letter queue, and their locks."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence

from local.service_bus.core.deadlines import Deadlines
from local.service_bus.core.delivery import (
    EXPIRED,
    MAX_DELIVERY,
    Consumer,
    Policy,
    Surroundings,
    new_token,
)
from local.service_bus.core.errors import (
    MessageLockLostError,
    MessageNotFoundError,
    NotAllowedError,
)
from local.service_bus.core.message import Changes, Message, State


class Mailbox:
    """Messages by sequence number. Those that can be delivered are in a heap, oldest first."""

    requires_session = False

    def __init__(self, box: int, policy: Policy, around: Surroundings) -> None:
        self.box = box
        self.policy = policy
        self.size = 0
        self.accessed_at = around.clock()
        self._around = around
        self._clock, self._journal = around.clock, around.journal
        self._messages: dict[int, Message] = {}
        self._ready: list[int] = []
        self._locked: dict[bytes, Message] = {}
        self._lock_ends: Deadlines[bytes] = Deadlines()
        self._expiries: Deadlines[int] = Deadlines()
        self._schedule: Deadlines[int] = Deadlines()
        self._consumers: deque[Consumer] = deque()
        self._dispatch_pending = False

    # Contents

    def __len__(self) -> int:
        return len(self._messages)

    def count(self, state: State) -> int:
        """Count messages in a state; locked ones are active."""
        return sum(message.state is state for message in self._messages.values())

    def put(self, message: Message) -> None:
        """Take in a message that the journal has."""
        self._messages[message.sequence] = message
        self.size += message.content.size
        if message.state is State.SCHEDULED and message.scheduled_at is not None:
            self._schedule.set(message.sequence, message.scheduled_at)
            self._around.alarm(message.scheduled_at)
        elif message.state is State.ACTIVE:
            if message.expires_at is not None:
                self._expiries.set(message.sequence, message.expires_at)
                self._around.alarm(message.expires_at)
            self._make_ready(message)

    def take_out(self, message: Message) -> None:
        """Let go of a message; the journal is the caller's business."""
        self._unlock(message)
        if self._messages.pop(message.sequence, None) is not None:
            self.size -= message.content.size
        self._expiries.discard(message.sequence)
        self._schedule.discard(message.sequence)

    def take_out_active(self) -> list[Message]:
        """Let go of every active message that nobody holds, oldest first."""
        found = [
            message
            for _, message in sorted(self._messages.items())
            if message.state is State.ACTIVE and message.token is None
        ]
        for message in found:
            self.take_out(message)
        return found

    def peek(self, first: int, count: int, session_id: str | None = None) -> list[Message]:
        """Show up to `count` messages from a sequence number on, whatever their state."""
        self.accessed_at = self._clock()
        numbers = (
            number
            for number, message in self._messages.items()
            if number >= first and session_id in (None, message.content.session_id)
        )
        return [self._messages[number] for number in heapq.nsmallest(count, numbers)]

    def cancel(self, sequences: Iterable[int]) -> None:
        """Remove scheduled messages.

        Raises:
            MessageNotFoundError: one of them is not scheduled (any more); none is removed.
        """
        found = [self._in_state(number, State.SCHEDULED) for number in sequences]
        for message in found:
            self.take_out(message)
            self._journal.delete(message)

    def _in_state(self, number: int, state: State) -> Message:
        message = self._messages.get(number)
        if message is None or message.state is not state:
            text = f"Failed to find a {state.name.lower()} message with sequence number {number}."
            raise MessageNotFoundError(text)
        return message

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

    # Locks

    def _lock(self, message: Message, now: float) -> None:
        message.token = token = new_token()
        message.locked_until = now + self.policy.lock_duration
        self._locked[token] = message
        self._lock_ends.set(token, message.locked_until)
        self._around.alarm(message.locked_until)

    def _unlock(self, message: Message) -> None:
        if message.token is not None:
            self._locked.pop(message.token, None)
            self._lock_ends.discard(message.token)
            message.token = None
            message.locked_until = 0.0

    def _held(self, token: bytes) -> Message:
        message = self._locked.get(token)
        if message is None or message.locked_until <= self._clock():
            raise MessageLockLostError
        return message

    def renew(self, tokens: Iterable[bytes]) -> list[float]:
        """Extend locks; give their new ends.

        Raises:
            MessageLockLostError: one is lost; none is extended.
        """
        messages, until = [self._held(token) for token in tokens], []
        for message in messages:
            assert message.token is not None
            message.locked_until = self._clock() + self.policy.lock_duration
            self._lock_ends.set(message.token, message.locked_until)
            self._around.alarm(message.locked_until)
            until.append(message.locked_until)
        return until

    def receive_deferred(
        self, sequences: Sequence[int], *, settles: bool, session_id: str | None = None
    ) -> list[Message]:
        """Give deferred messages: locked, or removed if they are not to be settled.

        Raises:
            MessageNotFoundError: one is not deferred, is locked, or belongs to another session.
        """
        found, now = [self._in_state(number, State.DEFERRED) for number in sequences], self._clock()
        for message in found:
            if message.token is not None or session_id not in (None, message.content.session_id):
                text = f"Failed to lock the message with sequence number {message.sequence}."
                raise MessageNotFoundError(text)
        for message in found:
            if settles:
                self._lock(message, now)
            else:
                self.take_out(message)
                self._journal.delete(message)
        return found

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
