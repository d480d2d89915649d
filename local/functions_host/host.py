"""The host: binds indexed functions to their triggers, serves HTTP, stops with grace."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from local.functions_host.admin import AdminApi
from local.functions_host.clients import Clients
from local.functions_host.easy_auth import Authentication, EasyAuth
from local.functions_host.host_json import HostJson
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import Invoker
from local.functions_host.keys import load_keys
from local.functions_host.outputs import Outputs
from local.functions_host.telemetry import attachment
from local.functions_host.triggers import Listener
from local.functions_host.triggers.event_grid import EventGridListener, Receive, Webhook
from local.functions_host.triggers.http import HttpFunctions, endpoint_of
from local.functions_host.worker import Worker, thread_count

if TYPE_CHECKING:
    from local.functions_host.blob_queue import BlobQueue

_log = logging.getLogger("Host.Startup")
_CLOSE_WITHIN = 5.0
_LARGEST_BODY = 100 * 1024 * 1024  # Azure's default limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How to run: `state` keeps keys and timers; `grace` is seconds for running functions.

    With `authentication`, requests are checked before they reach a function.
    """

    state: Path
    keys: Path | None
    grace: float
    host_id: str
    authentication: Authentication | None = None


class Host:
    """Runs an indexed app until told to stop."""

    def __init__(
        self,
        functions: Sequence[IndexedFunction],
        host_json: HostJson,
        options: Options,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._options = options
        wanted = host_json.functions
        self._functions = [
            f for f in functions if not f.disabled and (wanted is None or f.name in wanted)
        ]
        keys = load_keys(options.state / "secrets", (f.name for f in functions), options.keys)
        self._host_json = host_json
        self._clients = Clients(environ)
        self._outputs = Outputs(self._clients, message_encoding=host_json.queues.message_encoding)
        self._worker = Worker(thread_count(environ), attachment(environ))
        timeout = host_json.function_timeout
        self._invoker = Invoker(
            worker=self._worker,
            bindings=self._outputs,
            timeout=timeout.total_seconds() if timeout else None,
        )
        http = [f for f in self._functions if f.trigger.type == "httpTrigger"]
        self._http = HttpFunctions(
            (endpoint_of(f, host_json.route_prefix) for f in http), self._invoker, keys
        )
        self._blob_queues: dict[str, BlobQueue] = {}
        self._event_grid: dict[str, Receive] = {}
        self._blob_events: dict[str, Receive] = {}
        self._listeners = {
            f.name: self._listener(f) for f in self._functions if f.trigger.type != "httpTrigger"
        }
        self._admin = AdminApi(functions, self._listeners, keys)
        self._webhooks = {
            "EventGrid": Webhook("eventgrid_extension", self._event_grid, keys),
            "blobs": Webhook("blobs_extension", self._blob_events, keys),
        }

    def _listener(self, function: IndexedFunction) -> Listener:
        """Make the listener of a function. Each kind is imported only where an app uses it."""
        settings, invoker = self._host_json, self._invoker
        match function.trigger.type:
            case "serviceBusTrigger":
                from local.functions_host.triggers.service_bus import ServiceBusListener

                return ServiceBusListener(function, invoker, self._clients, settings.service_bus)
            case "queueTrigger":
                from local.functions_host.triggers.queue import QueueListener

                return QueueListener(function, invoker, self._clients, settings.queues)
            case "blobTrigger":
                return self._blob_listener(function)
            case "eventGridTrigger":
                listener = EventGridListener(function, invoker)
                self._event_grid[function.name] = listener.receive
                return listener
            case _:
                from local.functions_host.triggers.timer import TimerListener

                return TimerListener(function, invoker, self._options.state)

    def _blob_listener(self, function: IndexedFunction) -> Listener:
        from local.functions_host.blob_queue import BlobQueue
        from local.functions_host.triggers.blob import BlobListener, function_id

        connection, host = function.trigger.connection, self._options.host_id
        queue = self._blob_queues.get(connection)
        if queue is None:
            queue = BlobQueue(self._clients, connection, host, self._host_json.blobs)
            self._blob_queues[connection] = queue
        listener = BlobListener(function, self._invoker, self._clients, queue, host)
        if listener.takes_events:
            self._blob_events[function_id(function.name)] = listener.receive
        return listener

    async def run(self, bound: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop`; running functions get `grace` seconds, the rest is abandoned."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.SockSite(runner, bound)
        await site.start()
        running = [
            asyncio.create_task(self._keep_running(name, listener, stop), name=f"{name}-listener")
            for name, listener in self._listeners.items()
        ]
        self._admin.state = "Running"
        try:
            await stop.wait()
        finally:
            await site.stop()  # from here on nothing new is taken
            await self._stop(running, runner)

    async def _keep_running(self, name: str, listener: Listener, stop: asyncio.Event) -> None:
        try:
            await listener.run(stop)
        except Exception:  # noqa: BLE001 (one listener must not end the others)
            _log.exception("Function '%s': its listener broke down", name)

    async def _stop(self, running: Sequence[asyncio.Task[None]], runner: web.AppRunner) -> None:
        self._admin.state = "Offline"
        idle = asyncio.create_task(self._invoker.wait_until_idle())
        await asyncio.wait({*running, idle}, timeout=self._options.grace)
        if not idle.done():
            _log.warning(
                "%d invocation(s) still run after %g s and are abandoned",
                self._invoker.in_flight,
                self._options.grace,
            )
        idle.cancel()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, idle, return_exceptions=True)
        await asyncio.gather(
            *(self._close(name, listener) for name, listener in self._listeners.items())
        )
        await runner.cleanup()
        await self._outputs.close()
        self._worker.stop()

    async def _close(self, name: str, listener: Listener) -> None:
        try:
            await asyncio.wait_for(listener.close(), _CLOSE_WITHIN)
        except Exception as error:  # noqa: BLE001 (whatever it is, the process ends)
            _log.warning("Function '%s': its listener did not close: %r", name, error)

    def _application(self) -> web.Application:
        wanted = self._options.authentication
        application = web.Application(
            client_max_size=_LARGEST_BODY,
            middlewares=() if wanted is None else (EasyAuth(wanted).middleware(),),
        )
        application.router.add_route("GET", "/admin/host/status", self._admin.status)
        application.router.add_route("GET", "/admin/host/ping", self._admin.ping)
        application.router.add_route("GET", "/admin/functions", self._admin.list_functions)
        application.router.add_route("GET", "/admin/functions/{name}", self._admin.show_function)
        application.router.add_route("POST", "/admin/functions/{name}", self._admin.call_function)
        for extension, webhook in self._webhooks.items():
            for method in ("POST", "OPTIONS"):
                path = f"/runtime/webhooks/{{extension:(?i:{extension})}}"
                application.router.add_route(method, path, webhook.handle)
        application.router.add_route("*", "/{path:.*}", self._http.handle)
        return application
