"""A subscriber's webhook, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

Answer = Callable[["Received"], "web.Response | None"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One request as the webhook got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        return self.headers.get("aeg-event-type", "")


class Webhook:
    """Agrees to handshakes, answers as told, and remembers the notifications it got."""

    def __init__(self) -> None:
        self.notifications: list[Received] = []
        self.handshakes: list[Received] = []
        self.answer: Answer = lambda _: None
        self.agrees = True
        self.gate: asyncio.Event | None = None
        self._more = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._receive)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/hook"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def got(self, count: int) -> list[Received]:
        """Wait for this many notifications."""
        async with asyncio.timeout(20):
            while len(self.notifications) < count:
                self._more.clear()
                await self._more.wait()
        return self.notifications

    async def asked(self, count: int) -> list[Received]:
        """Wait for this many handshakes."""
        async with asyncio.timeout(20):
            while len(self.handshakes) < count:
                self._more.clear()
                await self._more.wait()
        return self.handshakes

    async def _receive(self, request: web.Request) -> web.Response:
        received = Received(
            method=request.method,
            path=request.path_qs,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        if request.method == "OPTIONS":
            self._note(self.handshakes, received)
            origin = request.headers["WebHook-Request-Origin"]
            return web.Response(headers={"WebHook-Allowed-Origin": origin} if self.agrees else {})
        if received.kind == "SubscriptionValidation":
            self._note(self.handshakes, received)
            code = received.json[0]["data"]["validationCode"]
            return self.answer(received) or web.json_response(
                {"validationResponse": code} if self.agrees else {}
            )
        self._note(self.notifications, received)
        if self.gate is not None:
            await self.gate.wait()
        return self.answer(received) or web.Response()

    def _note(self, where: list[Received], received: Received) -> None:
        where.append(received)
        self._more.set()
