"""A session of a connection: its links, windows, and unsettled deliveries."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local.service_bus.amqp import performatives as p
from local.service_bus.amqp.attaching import attach
from local.service_bus.amqp.links import IncomingLink, Link, OutgoingLink, ResponseLink
from local.service_bus.amqp.types import Described
from local.service_bus.core.errors import BrokerError

if TYPE_CHECKING:
    from local.service_bus.amqp.connection import Connection

_ID_MASK = 0xFFFFFFFF


class Session:
    """The server's side of a session. Handles and channels are the client's own numbers."""

    WINDOW = 0x7FFFFFFF
    """Transfers we say we take at once: they are worked off as they come."""

    def __init__(self, connection: Connection, channel: int, begin: list[Any]) -> None:
        self.connection = connection
        self.namespace = connection.namespace
        self.channel = channel
        self.responses: dict[str, ResponseLink] = {}
        self._links: dict[int, Link] = {}
        self._next_incoming: int = begin[1] or 0
        self._next_outgoing = 0
        self._next_delivery = 0
        self._window: int = begin[2] or 0
        self._held_back: deque[bytes] = deque()
        self._unsettled: dict[int, tuple[OutgoingLink, bytes]] = {}

    # Reading

    def on_frame(self, code: int, fields: list[Any], payload: bytes, body: bytes) -> None:
        """Take a frame of this session."""
        if code == p.TRANSFER:
            self._on_transfer(fields, payload)
        elif code == p.DISPOSITION:
            self._on_disposition(fields)
        elif code == p.FLOW:
            self._on_flow(fields)
        elif code == p.ATTACH:
            attach(self, fields, body)
        elif code == p.DETACH:
            self._on_detach(fields)

    def _on_transfer(self, fields: list[Any], payload: bytes) -> None:
        self._next_incoming = (self._next_incoming + 1) & _ID_MASK
        link = self._links.get(fields[0])
        if isinstance(link, IncomingLink):
            link.on_transfer(fields, payload)

    def _on_flow(self, fields: list[Any]) -> None:
        first, was_blocked = fields[0] if fields[0] is not None else 0, self.blocked
        self._window = (first + fields[1] - self._next_outgoing) & _ID_MASK
        while self._held_back and self._window:
            self._send_now(self._held_back.popleft())
        link = None if fields[4] is None else self._links.get(fields[4])
        if link is not None:
            link.on_flow(fields)
        if was_blocked:
            self.unblocked()

    def _on_detach(self, fields: list[Any]) -> None:
        link = self._links.pop(fields[0], None)
        if link is not None:
            link.closed()
            self._forget_deliveries(link)
            self.connection.write(p.detach_frame(self.channel, fields[0]))

    def _forget_deliveries(self, link: Link) -> None:
        for number in [n for n, (owner, _) in self._unsettled.items() if owner is link]:
            del self._unsettled[number]

    def _on_disposition(self, fields: list[Any]) -> None:
        if not fields[0]:  # the role: about deliveries that the client sent
            return
        first, last = fields[1], fields[1] if fields[2] is None else fields[2]
        settled, state = bool(fields[3]), fields[4]
        for number in self._between(first, last):
            delivery = self._unsettled.get(number)
            if delivery is not None and (settled or isinstance(state, Described)):
                del self._unsettled[number]
                link, token = delivery
                link.settle(number, token, state, answer=not settled)

    def _between(self, first: int, last: int) -> list[int]:
        span = (last - first) & _ID_MASK
        if span < len(self._unsettled):
            return [(first + step) & _ID_MASK for step in range(span + 1)]
        return [number for number in self._unsettled if (number - first) & _ID_MASK <= span]

    # Links

    def add(self, handle: int, link: Link) -> None:
        """Keep a link under its handle."""
        self._links[handle] = link

    def forget(self, handle: int) -> None:
        """Free a handle."""
        self._links.pop(handle, None)

    def drop(self, handle: int, refused: BrokerError | None) -> None:
        """Close a link from our side."""
        link = self._links.pop(handle, None)
        if link is not None:
            self._forget_deliveries(link)
            self.connection.write(p.detach_frame(self.channel, handle, refused))

    def ended(self) -> None:
        """Close all links: the session or the connection is over."""
        links, self._links = list(self._links.values()), {}
        for link in links:
            link.closed()
        self._unsettled.clear()

    @property
    def blocked(self) -> bool:
        """Whether deliveries must wait: the window is closed or the socket is full."""
        return bool(self._held_back) or self._window <= 0 or not self.connection.writable

    def unblocked(self) -> None:
        """Look for deliveries that waited."""
        for link in list(self._links.values()):
            link.on_unblocked()

    # Writing

    def send(
        self, link: OutgoingLink | ResponseLink, tag: bytes, payload: bytes, *, settled: bool
    ) -> None:
        """Send a message over a link, in as many frames as it needs."""
        number = self._next_delivery
        self._next_delivery = (number + 1) & _ID_MASK
        if not settled and isinstance(link, OutgoingLink):
            self._unsettled[number] = link, tag
        start = p.transfer_start(link.handle, number, tag, settled=settled)
        room = self.connection.max_frame_size - p.TRANSFER_OVERHEAD
        if len(payload) <= room:
            self._send_frame(p.transfer_frame(self.channel, start, payload, more=False))
            return
        for at in range(0, len(payload), room):
            more = at + room < len(payload)
            part = payload[at : at + room]
            self._send_frame(p.transfer_frame(self.channel, start, part, more=more))

    def _send_frame(self, frame: bytes) -> None:
        if self._held_back or self._window <= 0:
            self._held_back.append(frame)
        else:
            self._send_now(frame)

    def _send_now(self, frame: bytes) -> None:
        self._next_outgoing = (self._next_outgoing + 1) & _ID_MASK
        self._window -= 1
        self.connection.write(frame)

    def flow(self, handle: int, delivery_count: int, credit: int, *, drain: bool = False) -> None:
        """Send the state of a link."""
        self.connection.write(
            p.flow_frame(
                self.channel,
                next_incoming=self._next_incoming,
                next_outgoing=self._next_outgoing,
                window=self.WINDOW,
                handle=handle,
                delivery_count=delivery_count,
                credit=credit,
                drain=drain,
            )
        )

    def dispose(self, number: int, state: bytes, *, receiver: bool) -> None:
        """Settle a delivery; `receiver` is our role in it."""
        self.connection.write(
            p.disposition_frame(
                self.channel, receiver=receiver, first=number, last=number, state=state
            )
        )

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call back once everything recorded so far is durable."""
        self.namespace.journal.when_durable(callback)
