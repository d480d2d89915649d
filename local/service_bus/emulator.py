"""The whole broker: namespace, journal, AMQP listener and administration endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.process import LOOPBACK, LocalError, listening_socket
from local.service_bus.admin.certificate import ensure_certificate, tls_context
from local.service_bus.admin.http import AdminServer
from local.service_bus.amqp.codec import SectionsCodec
from local.service_bus.amqp.connection import Connection, ShuttingDownError, protocol_factory
from local.service_bus.config import Declaration, load_declaration, read_declaration
from local.service_bus.core.journal import Journal
from local.service_bus.core.namespace import Namespace
from local.service_bus.core.restoring import restore
from local.service_bus.declaring import apply_declaration
from local.service_bus.store import SqliteJournal

_KEY = "SharedAccessKeyName=local;SharedAccessKey=bG9jYWw="
_SHORTEST_TIMER = 0.001
_LONGEST_TIMER = 30.0
"""Seconds after which the namespace looks at the time anyway, for entities that became idle."""


class ServiceBusEmulator:
    """A Service Bus on this machine.

        async with ServiceBusEmulator(entities=document, port=0, admin_port=0) as bus:
            ServiceBusClient.from_connection_string(bus.connection_string)

    `entities` is a file or a document of the form that `local.service_bus.config` describes, or
    nothing. Without `state`, nothing outlives the emulator. Port 0 takes a free one. `clock` gives
    seconds since the epoch.

    Raises:
        LocalError: on entering: a port is taken, the entities or the state folder are not usable.
    """

    def __init__(
        self,
        *,
        entities: Path | Mapping[str, Any] | None = None,
        port: int = 0,
        admin_port: int = 0,
        state: Path | None = None,
        certificate: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._entities, self._state, self._clock = entities, state, clock
        self._ports = port, admin_port
        self._certificate_folder = certificate or state
        self._stack = contextlib.AsyncExitStack()
        self._connections: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self.leftovers: list[str] = []
        self.failure: asyncio.Future[LocalError]
        self.port = self.admin_port = 0
        self.certificate = Path()

    @property
    def connection_string(self) -> str:
        """What `ServiceBusClient.from_connection_string` takes."""
        return f"Endpoint=sb://{LOOPBACK}:{self.port};{_KEY};UseDevelopmentEmulator=true;"

    @property
    def admin_connection_string(self) -> str:
        """What `ServiceBusAdministrationClient` takes, and `connection_verify=` the certificate."""
        return f"Endpoint=sb://{LOOPBACK}:{self.admin_port};{_KEY};UseDevelopmentEmulator=true;"

    @property
    def admin_url(self) -> str:
        """The address of the administration endpoint."""
        return f"https://{LOOPBACK}:{self.admin_port}"

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self.failure = loop.create_future()
        declaration = self._declaration()
        amqp = listening_socket(self._ports[0], purpose="AMQP", option="--port")
        self._stack.callback(amqp.close)
        admin = listening_socket(
            self._ports[1], purpose="the administration endpoint", option="--admin-port"
        )
        self._stack.callback(admin.close)
        self.port, self.admin_port = amqp.getsockname()[1], admin.getsockname()[1]
        journal = self._journal(loop)
        self._stack.callback(journal.close)
        self.namespace = Namespace(
            clock=self._clock, journal=journal, codec=SectionsCodec(), alarm=self._alarm
        )
        self._stack.callback(self.namespace.close)
        self._stack.callback(self._cancel_timer)
        restore(self.namespace)
        self.leftovers = apply_declaration(self.namespace, declaration)
        journal.flush()
        self._run_due()
        folder = self._certificate_folder or Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="service-bus-"))
        )
        self.certificate, key = ensure_certificate(folder)
        server = AdminServer(self.namespace, self.admin_url)
        await server.start(admin, tls_context(self.certificate, key))
        self._stack.push_async_callback(server.stop)
        listener = await loop.create_server(
            protocol_factory(self.namespace, self._connections), sock=amqp
        )
        self._stack.push_async_callback(self._stop_listening, listener)

    def _declaration(self) -> Declaration:
        if self._entities is None:
            return Declaration()
        if isinstance(self._entities, Path):
            return load_declaration(self._entities)
        return read_declaration(self._entities)

    def _journal(self, loop: asyncio.AbstractEventLoop) -> Journal:
        if self._state is None:
            return Journal(loop.call_soon)

        def failed(error: LocalError) -> None:
            if not self.failure.done():
                self.failure.set_result(error)

        return SqliteJournal(self._state, SectionsCodec(), loop.call_soon, failed)

    async def _stop_listening(self, listener: asyncio.Server) -> None:
        listener.close()
        for connection in list(self._connections):
            connection.close(ShuttingDownError("The broker is shutting down."))
        await asyncio.sleep(0)

    # Time: one timer, set to the earliest deadline of the namespace

    def _alarm(self, when: float) -> None:
        if when >= self._timer_at:
            return
        self._cancel_timer()
        self._timer_at = when
        delay = max(_SHORTEST_TIMER, when - self._clock())
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(min(delay, _LONGEST_TIMER), self._run_due)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = float("inf")

    def _run_due(self) -> None:
        self._cancel_timer()
        self.namespace.run_due()
        following = self.namespace.next_deadline()
        self._alarm(self._clock() + _LONGEST_TIMER if following is None else following)
