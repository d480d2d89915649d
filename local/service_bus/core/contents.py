"""What lies in a mailbox: its messages by sequence number, and their locks."""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from local.service_bus.core.deadlines import Deadlines
from local.service_bus.core.delivery import Policy, Surroundings, new_token
from local.service_bus.core.errors import MessageLockLostError, MessageNotFoundError
from local.service_bus.core.message import Message, State


class Contents(ABC):
    """Messages of one queue, subscription or dead-letter queue, whoever receives them."""

    def __init__(self, box: int, policy: Policy, around: Surroundings) -> None:
        self.box = box
        self.policy = policy
        self.size = 0
        self.accessed_at = around.clock()
        self._around = around
        self._clock, self._journal = around.clock, around.journal
        self._messages: dict[int, Message] = {}
        self._locked: dict[bytes, Message] = {}
        self._lock_ends: Deadlines[bytes] = Deadlines()
        self._expiries: Deadlines[int] = Deadlines()
        self._schedule: Deadlines[int] = Deadlines()

    @abstractmethod
    def _make_ready(self, message: Message) -> None:
        """Let a message be delivered in its turn."""

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
