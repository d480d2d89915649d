"""Links: to entities that clients send to, from mailboxes they receive from, and to nodes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from local.service_bus.amqp import performatives as p
from local.service_bus.amqp.codec import write_message
from local.service_bus.amqp.outcomes import apply_outcome, echo
from local.service_bus.amqp.sections import BATCH_FORMAT, read_content, split_batch
from local.service_bus.amqp.types import MalformedError
from local.service_bus.core.errors import BrokerError, InvalidArgumentError, MessageTooLargeError
from local.service_bus.core.mailbox import Mailbox
from local.service_bus.core.message import Message

if TYPE_CHECKING:
    from local.service_bus.amqp.session import Session

_CREDIT = 2_000
"""Messages that a client may send before it needs more credit."""

_ID_MASK = 0xFFFFFFFF


class Link:
    """What all links share."""

    def __init__(self, session: Session, name: str, handle: int) -> None:
        self.session, self.name, self.handle = session, name, handle

    def on_flow(self, fields: list[Any]) -> None:
        """Take the client's view of the link."""

    def on_unblocked(self) -> None:
        """Learn that the session or the socket has room again."""

    def closed(self) -> None:
        """Learn that the link is over."""


class IncomingLink(Link):
    """A link over which the client sends. `receive` takes (message, format) or refuses."""

    def __init__(
        self,
        session: Session,
        name: str,
        handle: int,
        receive: Callable[[bytes, int], None],
        max_message_size: int,
    ) -> None:
        super().__init__(session, name, handle)
        self._receive = receive
        self._limit = max_message_size
        self._parts: list[bytes] = []
        self._size = 0
        self._first: list[Any] = []
        self._count = 0
        self._credit = 0

    def start(self) -> None:
        """Give the client its first credit."""
        self._credit = _CREDIT
        self.session.flow(self.handle, self._count, self._credit)

    def on_transfer(self, fields: list[Any], payload: bytes) -> None:
        """Take a transfer; the last of a delivery completes it."""
        if not self._first:
            self._first = fields
        self._size += len(payload)
        if self._size <= self._limit:
            self._parts.append(payload)
        if fields[5]:  # more
            return
        first, parts, size = self._first, self._parts, self._size
        self._first, self._parts, self._size = [], [], 0
        self._count = (self._count + 1) & _ID_MASK
        self._credit -= 1
        if not fields[9]:  # aborted
            self._complete(first, parts, size, settled=bool(first[4] or fields[4]))
        if self._credit <= _CREDIT // 2:
            self.start()

    def _complete(self, first: list[Any], parts: list[bytes], size: int, *, settled: bool) -> None:
        number = first[1]
        try:
            if size > self._limit:
                message = (
                    f"The received message (delivery-id: {number}, size: {size} bytes) exceeds "
                    f"the limit ({self._limit} bytes) currently allowed on the link."
                )
                raise MessageTooLargeError(message)
            self._receive(parts[0] if len(parts) == 1 else b"".join(parts), first[3] or 0)
        except MalformedError as broken:
            self._refuse(number, InvalidArgumentError(str(broken)), settled=settled)
        except BrokerError as refused:
            self._refuse(number, refused, settled=settled)
        else:
            if not settled:
                accept = partial(self.session.dispose, number, p.ACCEPTED_STATE, receiver=True)
                self.session.when_durable(accept)

    def _refuse(self, number: int, refused: BrokerError, *, settled: bool) -> None:
        if not settled:
            self.session.dispose(number, p.rejected_state(refused), receiver=True)


def entity_receiver(session: Session, path: str) -> Callable[[bytes, int], None]:
    """Give what takes messages for a queue or topic."""
    namespace = session.namespace

    def receive(message: bytes, message_format: int) -> None:
        encoded = split_batch(message) if message_format == BATCH_FORMAT else [message]
        contents = [read_content(one) for one in encoded]
        namespace.router.send(namespace.directory.sendable(path), contents)

    return receive


class ResponseLink(Link):
    """A link over which a node answers. Answers are few and small, and do not wait for credit."""

    def __init__(self, session: Session, name: str, handle: int, node: str) -> None:
        super().__init__(session, name, handle)
        self._node = node
        self._count = 0
        session.responses[node] = self

    def answer(self, message: bytes) -> None:
        """Send an answer."""
        self._count += 1
        tag = self._count.to_bytes(4, "big")
        self.session.send(self, tag, message, settled=True)

    def closed(self) -> None:
        """Leave the session's table."""
        if self.session.responses.get(self._node) is self:
            del self.session.responses[self._node]


class OutgoingLink(Link):
    """A link over which the client receives from a mailbox: the mailbox's consumer."""

    def __init__(
        self, session: Session, name: str, handle: int, mailbox: Mailbox, *, settles: bool
    ) -> None:
        super().__init__(session, name, handle)
        self.mailbox = mailbox
        self.settles = settles
        self.on_session: Callable[[str, float], None] | None = None
        self.on_refused: Callable[[BrokerError], None] | None = None
        self._credit = 0
        self._count = 0

    # mailbox.Consumer

    def credit(self) -> int:
        """Say how many messages the client would take now."""
        return 0 if self.session.blocked else self._credit

    def deliver(self, message: Message) -> None:
        """Send a message; one that is not to be settled goes once its removal is durable."""
        self._credit -= 1
        self._count = (self._count + 1) & _ID_MASK
        payload = write_message(message)
        if self.settles:
            assert message.token is not None
            self.session.send(self, message.token, payload, settled=False)
        else:
            tag = message.sequence.to_bytes(16, "little")
            send = partial(self.session.send, self, tag, payload, settled=True)
            self.session.when_durable(send)

    def session_accepted(self, session_id: str, locked_until: float) -> None:
        """Learn that the session which was waited for is ours."""
        if self.on_session is not None:
            self.on_session(session_id, locked_until)

    def lost(self, error: BrokerError) -> None:
        """Close the link: the session's lock expired, or the entity is gone."""
        self.mailbox.detach(self)
        if self.on_refused is not None:
            self.on_refused(error)
        else:
            self.session.drop(self.handle, error)

    # From the client

    def on_flow(self, fields: list[Any]) -> None:
        """Take credit. With `drain`, what cannot be used at once is given back."""
        count = fields[5] if fields[5] is not None else 0
        credit = (count + (fields[6] or 0) - self._count) & _ID_MASK
        self._credit = credit if credit < 0x80000000 else 0
        if self._credit:
            self.mailbox.dispatch_soon()
        if fields[8]:  # drain
            self.session.when_durable(self._drained)
        elif fields[9]:  # echo
            self.session.flow(self.handle, self._count, self._credit)

    def _drained(self) -> None:
        self._count = (self._count + self._credit) & _ID_MASK
        self._credit = 0
        self.session.flow(self.handle, self._count, 0, drain=True)

    def on_unblocked(self) -> None:
        """Look for messages again."""
        if self._credit:
            self.mailbox.dispatch_soon()

    def settle(self, number: int, token: bytes, state: Any, *, answer: bool) -> None:
        """Apply the outcome that the client chose, and echo it once that is durable."""
        try:
            apply_outcome(self.mailbox, token, state)
        except BrokerError as refused:
            if answer:
                self.session.dispose(number, p.rejected_state(refused), receiver=False)
            return
        if answer:
            reply = partial(self.session.dispose, number, echo(state), receiver=False)
            self.session.when_durable(reply)

    def closed(self) -> None:
        """Leave the mailbox. Messages stay locked; a session is freed."""
        self.mailbox.detach(self)
