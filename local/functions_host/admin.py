"""The host's own HTTP API, with Azure's paths; it takes the master key."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from local.functions_host.bindings import Binding
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import InvocationFailedError
from local.functions_host.keys import Keys
from local.functions_host.triggers import Listener
from local.functions_host.triggers.http import key_of

_log = logging.getLogger("Host.Admin")


class AdminApi:
    """`/admin/host/status`, `/admin/functions`, and calling functions by hand."""

    def __init__(
        self, functions: Sequence[IndexedFunction], listeners: Mapping[str, Listener], keys: Keys
    ) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._listeners = listeners
        self._keys = keys
        self._started = time.monotonic()
        self._calls: set[asyncio.Task[None]] = set()
        self.state = "Initialized"

    async def ping(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def status(self, request: web.Request) -> web.Response:
        if not self._keys.opens_admin(key_of(request)):
            return web.Response(status=401)
        return web.json_response(
            {
                "id": "local",
                "state": self.state,
                "version": "4.0.0-local",
                "processId": os.getpid(),
                "processUptime": round((time.monotonic() - self._started) * 1000),
                "functions": len(self._functions),
            }
        )

    async def list_functions(self, request: web.Request) -> web.Response:
        if not self._keys.opens_admin(key_of(request)):
            return web.Response(status=401)
        return web.json_response([describe(function) for function in self._functions.values()])

    async def show_function(self, request: web.Request) -> web.Response:
        if not self._keys.opens_admin(key_of(request)):
            return web.Response(status=401)
        function = self._functions.get(request.match_info["name"].lower())
        return web.json_response(describe(function)) if function else web.Response(status=404)

    async def call_function(self, request: web.Request) -> web.Response:
        """Run a function that HTTP does not trigger: body `{"input": "…"}`, 202 at once."""
        if not self._keys.opens_admin(key_of(request)):
            return web.Response(status=401)
        function = self._functions.get(request.match_info["name"].lower())
        if function is None:
            return web.Response(status=404)
        try:
            body = json.loads(await request.read() or b"{}")
            given = body.get("input", "")
        except (ValueError, AttributeError):
            return web.Response(status=400, text='The body must be JSON: {"input": "…"}')
        listener = self._listeners.get(function.name)
        if listener is None:
            is_http = function.trigger.type == "httpTrigger" and not function.disabled
            why = "is called at its own route" if is_http else "is disabled"
            return web.Response(status=400, text=f"'{function.name}' {why}.")
        text = given if isinstance(given, str) else json.dumps(given)
        call = asyncio.create_task(self._call(function.name, listener, text))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return web.Response(status=202)

    async def _call(self, name: str, listener: Listener, text: str) -> None:
        try:
            await listener.trigger_once(text, "This function was programmatically called.")
        except InvocationFailedError:
            pass  # logged there
        except Exception:  # noqa: BLE001 (whatever it was is logged; nobody waits for it)
            _log.exception("Function '%s' could not be called by hand", name)


def describe(function: IndexedFunction) -> dict[str, Any]:
    return {
        "name": function.name,
        "isDisabled": function.disabled,
        "language": "python",
        "config": {
            "name": function.name,
            "scriptFile": function.script_file,
            "entryPoint": function.call.__name__,
            "bindings": [_describe_binding(binding) for binding in function.bindings],
        },
    }


def _describe_binding(binding: Binding) -> dict[str, Any]:
    return {
        "name": binding.name,
        "type": binding.type,
        "direction": "out" if binding.is_output else "in",
        **binding.values,
    }
