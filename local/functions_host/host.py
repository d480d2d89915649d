"""The host: binds indexed functions to their triggers, serves HTTP, stops with grace."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from local.functions_host.admin import AdminApi
from local.functions_host.clients import Clients
from local.functions_host.host_json import HostJson
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import Invoker, Worker, thread_count
from local.functions_host.keys import load_keys
from local.functions_host.outputs import Outputs
from local.functions_host.triggers import Listener
from local.functions_host.triggers.http import HttpFunctions, endpoint_of

_log = logging.getLogger("Host.Startup")
_LARGEST_BODY = 100 * 1024 * 1024  # Azure's default limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How to run: `state` keeps keys and timers; `grace` is seconds for running functions."""

    state: Path
    keys: Path | None
    grace: float


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
        self._functions = [f for f in functions if not f.disabled]
        keys = load_keys(options.state / "secrets", (f.name for f in functions), options.keys)
        clients = Clients(environ)
        self._outputs = Outputs(clients)
        self._worker = Worker(thread_count(environ))
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
        self._listeners = {
            f.name: self._listener(f, clients, host_json)
            for f in self._functions
            if f.trigger.type != "httpTrigger"
        }
        self._admin = AdminApi(functions, self._listeners, keys)

    def _listener(
        self, function: IndexedFunction, clients: Clients, host_json: HostJson
    ) -> Listener:
        """Make the listener of a function. Each kind is imported only where an app uses it."""
        if function.trigger.type == "serviceBusTrigger":
            from local.functions_host.triggers.service_bus import ServiceBusListener

            return ServiceBusListener(function, self._invoker, clients, host_json.service_bus)
        from local.functions_host.triggers.timer import TimerListener

        return TimerListener(function, self._invoker, self._options.state)

    async def run(self, bound: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop`; running functions get `grace` seconds, the rest is abandoned."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.SockSite(runner, bound).start()
        running = [
            asyncio.create_task(self._keep_running(name, listener, stop), name=f"{name}-listener")
            for name, listener in self._listeners.items()
        ]
        self._admin.state = "Running"
        try:
            await stop.wait()
        finally:
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
        for listener in self._listeners.values():
            with contextlib.suppress(Exception):
                await asyncio.wait_for(listener.close(), timeout=5)
        await runner.cleanup()
        await self._outputs.close()
        self._worker.stop()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_route("GET", "/admin/host/status", self._admin.status)
        application.router.add_route("GET", "/admin/host/ping", self._admin.ping)
        application.router.add_route("GET", "/admin/functions", self._admin.list_functions)
        application.router.add_route("GET", "/admin/functions/{name}", self._admin.show_function)
        application.router.add_route("POST", "/admin/functions/{name}", self._admin.call_function)
        application.router.add_route("*", "/{path:.*}", self._http.handle)
        return application
