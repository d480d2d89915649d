"""One client's connection: protocol headers, SASL, frames, and the sessions in it."""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import TYPE_CHECKING, Any, cast

from local.service_bus.amqp import performatives as p
from local.service_bus.amqp.session import Session
from local.service_bus.amqp.types import Array, MalformedError, Symbol
from local.service_bus.core.errors import BrokerError
from local.service_bus.core.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

IDLE_TIMEOUT = 240_000
"""Milliseconds of silence after which clients may take us for dead, as Azure says it."""

_FRAME_HEADER = struct.Struct(">IBBH").unpack_from
_WRONG_FIELDS = (TypeError, ValueError, IndexError, KeyError, AttributeError, struct.error)
"""What it comes to when a performative's fields have types that its definition does not allow."""

_MECHANISMS = Array(Symbol(name) for name in ("ANONYMOUS", "PLAIN", "EXTERNAL", "MSSBCBS"))


class DecodeRefusedError(BrokerError):
    """The client sent something that is not AMQP."""

    condition = "amqp:decode-error"


class ShuttingDownError(BrokerError):
    """The broker stops."""

    condition = "amqp:connection:forced"


class Connection(asyncio.Protocol):
    """The server's side of a connection. Whoever connects is let in: the broker is local."""

    def __init__(self, namespace: Namespace, connections: set[Connection]) -> None:
        self.namespace = namespace
        self.writable = True
        self.max_frame_size = 512
        self._connections = connections
        self.loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._sessions: dict[int, Session] = {}
        self._headers_done = False
        self._closed = False
        self._heartbeat: asyncio.TimerHandle | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1024 * 1024)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: the client's receivers are gone; their locks stay until they expire."""
        del exc
        self._closed = True
        self._connections.discard(self)
        if self._heartbeat:
            self._heartbeat.cancel()
        for session in list(self._sessions.values()):
            session.ended()
        self._sessions.clear()

    def pause_writing(self) -> None:
        """Stop deliveries: the client reads too slowly."""
        self.writable = False

    def resume_writing(self) -> None:
        """Take deliveries up again."""
        self.writable = True
        for session in self._sessions.values():
            session.unblocked()

    def data_received(self, data: bytes) -> None:
        """Read what came; on nonsense, say so and close."""
        self._buffer += data
        try:
            self._consume()
        except MalformedError as broken:
            _log.warning("A client sent what is not AMQP 1.0: %s", broken)
            self.close(DecodeRefusedError(str(broken)))

    # Reading

    def _consume(self) -> None:
        buffer, at = self._buffer, 0
        while not self._closed and len(buffer) - at >= 8:
            if not self._headers_done and buffer[at : at + 4] == b"AMQP":
                self._on_header(bytes(buffer[at : at + 8]))
                at += 8
                continue
            size, offset, kind, channel = _FRAME_HEADER(buffer, at)
            if size < 8 or size > p.MAX_FRAME_SIZE or not 2 <= offset <= size // 4:
                message = f"a frame announces {size} bytes, its body at {offset * 4}"
                raise MalformedError(message)
            if len(buffer) - at < size:
                break
            body = bytes(buffer[at + offset * 4 : at + size])
            at += size
            if body:
                self._on_frame(kind, channel, body)
        del buffer[:at]

    def _on_header(self, header: bytes) -> None:
        if header == p.SASL_HEADER:
            self.write(p.SASL_HEADER)
            mechanisms = p.composite(p.SASL_MECHANISMS, _MECHANISMS)
            self.write(p.frame(0, mechanisms, sasl=True))
        elif header == p.AMQP_HEADER:
            self._headers_done = True
            self.write(p.AMQP_HEADER)
        else:
            self.write(p.SASL_HEADER)
            message = (
                f"protocol header {header!r} is not served: connect without TLS, with AMQP 1.0 "
                "(UseDevelopmentEmulator=true in the connection string)"
            )
            raise MalformedError(message)

    def _on_frame(self, kind: int, channel: int, body: bytes) -> None:
        code, fields, payload = p.read_performative(body)
        if kind == 1:
            if code == p.SASL_INIT:
                outcome = p.composite(p.SASL_OUTCOME, b"\x50\x00", None)
                self.write(p.frame(0, outcome, sasl=True))
            return
        if code == p.OPEN:
            self._on_open(fields)
        elif code == p.BEGIN:
            self._on_begin(channel, fields)
        elif code == p.CLOSE:
            self.close()
        else:
            self._on_session_frame(code, channel, fields, payload, body)

    def _on_session_frame(
        self, code: int, channel: int, fields: list[Any], payload: bytes, body: bytes
    ) -> None:
        session = self._sessions.get(channel)
        if session is None:  # the SDK detaches links after it has ended their session
            return
        if code == p.END:
            del self._sessions[channel]
            session.ended()
            self.write(p.end_frame(channel))
            return
        try:
            session.on_frame(code, fields, payload, body)
        except _WRONG_FIELDS as broken:
            message = f"a performative 0x{code:02x} with impossible fields: {broken!r}"
            raise MalformedError(message) from broken

    def _on_open(self, fields: list[Any]) -> None:
        limit = fields[2] if isinstance(fields[2], int) else p.MAX_FRAME_SIZE
        self.max_frame_size = max(512, min(limit, p.MAX_FRAME_SIZE))
        self.write(p.open_frame("local-service-bus", IDLE_TIMEOUT))
        if isinstance(fields[4], int) and fields[4] > 0:
            self._beat(fields[4] / 1000 / 2)

    def _beat(self, interval: float) -> None:
        def beat() -> None:
            self.write(p.EMPTY_FRAME)
            self._beat(interval)

        self._heartbeat = self.loop.call_later(interval, beat)

    def _on_begin(self, channel: int, fields: list[Any]) -> None:
        session = Session(self, channel, fields)
        self._sessions[channel] = session
        self.write(p.begin_frame(channel, channel, window=session.WINDOW))

    # Writing

    def write(self, frame: bytes) -> None:
        """Send a frame; frames of one turn of the event loop go out together."""
        if not self._out and not self._closed:
            self.namespace.journal.afterwards(self._flush)
        self._out.append(frame)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(out))

    def close(self, refused: BrokerError | None = None) -> None:
        """Close the connection, links first, and say why."""
        if self._closed:
            return
        for session in list(self._sessions.values()):
            session.ended()
        self._sessions.clear()
        if self._headers_done:
            self.write(p.close_frame(refused))
        self._flush()
        self._closed = True
        if self._transport is not None:
            self._transport.close()


def protocol_factory(
    namespace: Namespace, connections: set[Connection]
) -> Callable[[], Connection]:
    """Give what `loop.create_server` calls for each connection."""
    return lambda: Connection(namespace, connections)
