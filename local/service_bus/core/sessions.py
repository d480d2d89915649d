"""Mailboxes whose messages are received session by session, each by one receiver at a time."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable

from local.service_bus.core.deadlines import Deadlines
from local.service_bus.core.delivery import Consumer, Policy, Surroundings
from local.service_bus.core.errors import (
    MessageLockLostError,
    NotAllowedError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)
from local.service_bus.core.journal import StoredSession
from local.service_bus.core.mailbox import Mailbox
from local.service_bus.core.message import Message, State


class Session:
    """One session: its deliverable messages, its state, and who holds it until when."""

    __slots__ = ("holder", "locked_until", "messages", "name", "ready", "state", "updated_at")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: list[int] = []
        self.messages = 0
        self.holder: Consumer | None = None
        self.locked_until = 0.0
        self.state: bytes | None = None
        self.updated_at = 0.0


class SessionMailbox(Mailbox):
    """A mailbox of sessions. The session's lock covers the messages given to its holder."""

    requires_session = True

    def __init__(self, box: int, policy: Policy, around: Surroundings) -> None:
        super().__init__(box, policy, around)
        self._sessions: dict[str, Session] = {}
        self._held_by: dict[Consumer, Session] = {}
        self._session_ends: Deadlines[str] = Deadlines()
        self._waiting: deque[Consumer] = deque()

    def restore(self, stored: Iterable[StoredSession]) -> None:
        """Take in session states that the journal has."""
        for kept in stored:
            session = self._session(kept.session_id)
            session.state, session.updated_at = kept.state, kept.updated_at

    def _session(self, name: str) -> Session:
        return self._sessions.setdefault(name, Session(name))

    def _session_of(self, message: Message) -> Session:
        assert message.content.session_id is not None
        return self._session(message.content.session_id)

    def _drop_if_empty(self, session: Session) -> None:
        if not session.messages and session.holder is None and session.state is None:
            self._sessions.pop(session.name, None)

    # Contents

    def put(self, message: Message) -> None:
        """Take in a message that the journal has."""
        self._session_of(message).messages += 1
        super().put(message)

    def take_out(self, message: Message) -> None:
        """Let go of a message; the journal is the caller's business."""
        if message.sequence in self._messages:
            session = self._session_of(message)
            session.messages -= 1
            super().take_out(message)
            self._drop_if_empty(session)

    # Holding sessions

    def accept(self, consumer: Consumer, name: str) -> float:
        """Lock a session for a consumer; give the end of the lock.

        Raises:
            SessionCannotBeLockedError: another consumer holds it.
        """
        session = self._session(name)
        if session.holder is not None:
            if session.locked_until > self._clock():
                raise SessionCannotBeLockedError(name)
            self._expire_session(session)
            session = self._session(name)
        self._hold(session, consumer)
        return session.locked_until

    def wait_for_any(self, consumer: Consumer) -> None:
        """Give the consumer the next session that has messages and no holder."""
        self._waiting.append(consumer)
        self.dispatch_soon()

    def detach(self, consumer: Consumer) -> None:
        """Free the consumer's session; its messages return uncounted."""
        self.accessed_at = self._clock()
        if consumer in self._waiting:
            self._waiting.remove(consumer)
        session = self._held_by.get(consumer)
        if session is not None:
            self._let_go(session, count=False)

    def consumers(self) -> list[Consumer]:
        """Give those who hold a session or wait for one."""
        return [*self._held_by, *self._waiting]

    def _hold(self, session: Session, consumer: Consumer) -> None:
        session.holder = consumer
        self._held_by[consumer] = session
        self._extend(session)
        self.dispatch_soon()

    def _extend(self, session: Session) -> None:
        session.locked_until = self._clock() + self.policy.lock_duration
        self._session_ends.set(session.name, session.locked_until)
        self._around.alarm(session.locked_until)

    def _let_go(self, session: Session, *, count: bool) -> None:
        holder = session.holder
        session.holder, session.locked_until = None, 0.0
        self._session_ends.discard(session.name)
        if holder is not None:
            self._held_by.pop(holder, None)
        held = [m for m in self._locked.values() if m.content.session_id == session.name]
        for message in held:
            if count:
                self._failed(message)
            else:
                self._unlock(message)
                self._back(message)
        self._drop_if_empty(session)
        if self._waiting:
            self.dispatch_soon()

    def _owned(self, name: str, link_name: str | None) -> Session:
        session = self._sessions.get(name)
        holder = session.holder if session is not None else None
        if session is None or holder is None or session.locked_until <= self._clock():
            raise SessionLockLostError(name)
        if link_name is not None and holder.name != link_name:
            raise SessionLockLostError(name)
        return session

    # What a holder may do; `link_name` is the name of the link that asks, where it says so

    def renew_session(self, name: str, link_name: str | None = None) -> float:
        """Extend a session's lock; give its new end.

        Raises:
            SessionLockLostError: here and below, the link does not hold the session.
        """
        session = self._owned(name, link_name)
        self._extend(session)
        return session.locked_until

    def get_state(self, name: str, link_name: str | None = None) -> bytes | None:
        """Give a session's state."""
        return self._owned(name, link_name).state

    def set_state(self, name: str, state: bytes | None, link_name: str | None = None) -> None:
        """Set a session's state; None clears it."""
        session = self._owned(name, link_name)
        session.state, session.updated_at = state, self._clock()
        if state is None:
            self._journal.delete_session(self.box, name)
            return
        stored = StoredSession(session_id=name, state=state, updated_at=session.updated_at)
        self._journal.save_session(self.box, stored)

    def names(self, *, updated_after: float | None = None) -> list[str]:
        """List sessions with active messages or a state; or those whose state changed since."""
        if updated_after is not None:
            return sorted(
                session.name
                for session in self._sessions.values()
                if session.state is not None and session.updated_at > updated_after
            )
        active = {
            message.content.session_id
            for message in self._messages.values()
            if message.state is State.ACTIVE
        }
        return sorted(n for n, s in self._sessions.items() if n in active or s.state is not None)

    # Delivery

    def attach(self, consumer: Consumer) -> None:
        """Refuse: sessions are accepted."""
        raise NotAllowedError(
            "It is not possible for an entity that requires sessions to create a non-sessionful "
            f"message receiver ('{consumer.name}')."
        )

    def _make_ready(self, message: Message) -> None:
        session = self._session_of(message)
        heapq.heappush(session.ready, message.sequence)
        if session.holder is not None or self._waiting:
            self.dispatch_soon()

    def _dispatch(self) -> None:
        self._dispatch_pending = False
        now = self._clock()
        while self._waiting and (found := self._available(now)) is not None:
            consumer = self._waiting.popleft()
            self._hold(found, consumer)
            consumer.session_accepted(found.name, found.locked_until)
        for consumer, session in list(self._held_by.items()):
            while session.ready and session.locked_until > now and consumer.credit() > 0:
                message = self._next(session.ready, now)
                if message is None:
                    break
                self._hand_over(message, consumer, now)

    def _available(self, now: float) -> Session | None:
        """Find the session without holder whose first deliverable message is the oldest."""
        best: tuple[int, Session] | None = None
        for session in list(self._sessions.values()):
            if session.holder is None and session.ready:
                message = self._next(session.ready, now)
                if message is None:
                    continue
                heapq.heappush(session.ready, message.sequence)
                if best is None or message.sequence < best[0]:
                    best = message.sequence, session
        return None if best is None else best[1]

    # Locks

    def _lock(self, message: Message, now: float) -> None:
        super()._lock(message, now)
        assert message.token is not None
        self._lock_ends.discard(message.token)
        message.locked_until = self._session_of(message).locked_until

    def _held(self, token: bytes) -> Message:
        message = self._locked.get(token)
        if message is None:
            raise MessageLockLostError
        session = self._session_of(message)
        if session.holder is None or session.locked_until <= self._clock():
            raise SessionLockLostError(session.name)
        return message

    # Time

    def next_deadline(self) -> float | None:
        """Give the time when `run_due` has work, if any."""
        pending = [super().next_deadline(), self._session_ends.next()]
        return min((when for when in pending if when is not None), default=None)

    def run_due(self, now: float) -> None:
        """Do what time brings, expired session locks too."""
        super().run_due(now)
        for name in self._session_ends.pop_due(now):
            self._expire_session(self._sessions[name])

    def _expire_session(self, session: Session) -> None:
        holder = session.holder
        self._let_go(session, count=True)
        if holder is not None:
            holder.lost(SessionLockLostError(session.name))
