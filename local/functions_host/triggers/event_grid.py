"""Webhooks of the host: Event Grid functions, and blob functions with Event Grid as source."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from azure.functions.meta import Datum

from local.functions_host.context import Trace
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import Call, InvocationFailedError, Invoker
from local.functions_host.keys import Keys
from local.functions_host.triggers.http import key_of

_log = logging.getLogger("Host.Triggers.EventGrid")

Event = Mapping[str, Any]
Receive = Callable[[Event], Awaitable[bool]]


class EventGridListener:
    """One Event Grid function; events come through the webhook."""

    def __init__(self, function: IndexedFunction, invoker: Invoker) -> None:
        self._function = function
        self._invoker = invoker

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()

    async def close(self) -> None:
        """Nothing to close."""

    async def trigger_once(self, text: str, reason: str) -> None:
        """Run the function for an event given as JSON."""
        await self._invoker.invoke(self._function, _call(json.loads(text), reason))

    async def receive(self, event: Event) -> bool:
        """Run the function for an event; tell whether it succeeded."""
        reason = f"EventGrid event '{event.get('type') or event.get('eventType')}'"
        try:
            await self._invoker.invoke(self._function, _call(event, reason))
        except InvocationFailedError:
            return False  # logged there
        return True


def _call(event: Event, reason: str) -> Call:
    data = event.get("data")
    return Call(
        data=Datum(json.dumps(event), "json"),
        metadata={"data": Datum(json.dumps(data), "json")} if data is not None else {},
        reason=reason,
        trace=Trace.start(event.get("traceparent"), event.get("tracestate")),
        properties={**event},
    )


class Webhook:
    """`POST /runtime/webhooks/{extension}?functionName=…&code=…`, as Event Grid calls it."""

    def __init__(self, system_key: str, receivers: Mapping[str, Receive], keys: Keys) -> None:
        self._system_key = system_key
        self._receivers = {name.lower(): receive for name, receive in receivers.items()}
        self._keys = keys

    async def handle(self, request: web.Request) -> web.Response:
        """Answer the handshake, or hand the events over: 202, or 500 if a function failed."""
        if not self._keys.opens_webhook(self._system_key, key_of(request)):
            return web.Response(status=401)
        name = request.query.get("functionName", "")
        receive = self._receivers.get(name.lower())
        if receive is None:
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        if request.method == "OPTIONS":  # the handshake of CloudEvents
            origin = request.headers.get("WebHook-Request-Origin", "*")
            return web.Response(
                headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"}
            )
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "unsubscribe":
            return web.Response(status=202)
        if kind not in ("subscriptionvalidation", "notification"):
            return web.Response(
                status=400,
                text="The header aeg-event-type is absent or unknown; send Notification.",
            )
        try:
            events = _events(await request.read())
            if kind == "subscriptionvalidation":
                return web.json_response({"validationResponse": _validation_code(events[0])})
        except (ValueError, LookupError, TypeError) as wrong:
            return web.Response(status=400, text=f"The body cannot be read as events: {wrong}")
        return await self._notify(receive, events)

    async def _notify(self, receive: Receive, events: list[Event]) -> web.Response:
        outcomes = await asyncio.gather(*(receive(event) for event in events))
        return web.Response(status=202 if all(outcomes) else 500)


def _events(body: bytes) -> list[Event]:
    document = json.loads(body)
    events = document if isinstance(document, list) else [document]
    if not all(isinstance(event, dict) for event in events):
        raise ValueError("an event must be a JSON object")
    return events


def _validation_code(event: Event) -> str:
    data = event["data"]
    if isinstance(data, str):  # CloudEvents hold it encoded twice
        data = json.loads(data)
    return str(data["validationCode"])
