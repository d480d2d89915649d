"""An HTTP proxy that refuses, fails and goes silent: before calls took effect, and after."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from typing import Self

from aiohttp import ClientConnectionError, ClientSession, TCPConnector, web
from yarl import URL

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
FAULTS = ("429", "500", "503", "reset")


class Proxy:
    """Proxies for any number of HTTP services, in a thread of their own; use it with `with`.

    Attributes:
        rate: share of the calls that something happens to; may be changed at any time.
        happened: what did.
    """

    def __init__(self, chance: random.Random) -> None:
        self.rate = 0.0
        self.happened: Counter[str] = Counter()
        self._chance = chance
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._fronts: dict[str, str] = {}
        self._runners: list[web.AppRunner] = []
        self._session: ClientSession | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def front(self, service: str) -> str:
        """The address of a proxy before a service, `http://HOST:PORT` both."""
        if service not in self._fronts:
            made = asyncio.run_coroutine_threadsafe(self._open(service), self._loop)
            self._fronts[service] = made.result()
        return self._fronts[service]

    async def _open(self, service: str) -> str:
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=0, force_close=True), auto_decompress=False
            )
        app = web.Application(client_max_size=2**30)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(service, request)

        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _handle(self, service: str, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read()
        except ConnectionResetError:  # the caller was killed in the middle
            return web.Response(status=400)
        strikes = self._chance.random() < self.rate
        fault, after = self._chance.choice(FAULTS), self._chance.random() < 0.5
        if strikes:
            self.happened[f"{fault} {'after' if after else 'before'}"] += 1
        if strikes and not after:
            return self._fail(request, fault)
        try:
            answer = await self._forward(service, request, body)
        except (TimeoutError, ClientConnectionError):
            return self._fail(request, "reset")
        return self._fail(request, fault) if strikes else answer

    async def _forward(self, service: str, request: web.Request, body: bytes) -> web.Response:
        assert self._session is not None  # it was made with the first front
        headers = [(n, v) for n, v in request.headers.items() if n.lower() not in HOP_BY_HOP]
        async with self._session.request(
            request.method,
            # As it was written: the signature of the request covers it.
            URL(service + request.raw_path, encoded=True),
            headers=headers,
            data=body if body or request.method in {"PUT", "POST"} else None,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            allow_redirects=False,
        ) as answer:
            content = await answer.read()
            kept = [(n, v) for n, v in answer.headers.items() if n.lower() not in HOP_BY_HOP]
            made = web.Response(status=answer.status, body=content)
            made.headers.clear()
            for name, value in kept:
                made.headers.add(name, value)
            if request.method == "HEAD":
                made.headers["Content-Length"] = answer.headers.get("Content-Length", "0")
            return made

    @staticmethod
    def _fail(request: web.Request, fault: str) -> web.Response:
        if fault == "reset":
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return web.Response(status=int(fault), text="a fault of the platform")
