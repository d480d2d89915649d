"""The HTTP side: OTLP comes in, a page and its data go out. Loopback only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from local.telemetry import kql, otlp, reading
from local.telemetry.saved import saved_queries
from local.telemetry.store import Store

STATIC = Path(__file__).parent / "static"

LARGEST_REQUEST = 32 * 1024 * 1024
"""Bytes of an OTLP request once it is unpacked."""

_RESPONSES: dict[str, Any] = {
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
    "logs": ExportLogsServiceResponse,
}
_BINARY, _JSON = "application/x-protobuf", "application/json"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def make_app(store: Store, *, queries: Path | None = None) -> web.Application:
    """The web application.

    Args:
        queries: folder of `*.kql` files and workbooks that the page offers.
    """
    app = web.Application(client_max_size=LARGEST_REQUEST, middlewares=[_guard])
    site = _Site(store, queries)
    app.add_routes(
        [
            web.post("/v1/{signal:traces|metrics|logs}", site.receive),
            web.post("/v1/workspaces/{workspace}/query", site.query_workspace),
            web.get("/api/traces", site.traces),
            web.get("/api/traces/{trace}", site.trace),
            web.get("/api/metrics", site.metrics),
            web.get("/api/logs", site.logs),
            web.get("/api/counts", site.counts),
            web.get("/api/queries", site.queries),
            web.post("/api/kql", site.kql),
            web.delete("/api/telemetry", site.clear),
            web.get("/", _page),
            web.static("/static", STATIC),
        ]
    )
    return app


@web.middleware
async def _guard(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer only who asks for this machine by its name: a foreign page cannot (DNS rebinding)."""
    name = request.host.rpartition(":")[0] or request.host
    if name not in {"127.0.0.1", "localhost"}:
        return web.json_response({"error": f"This is not {name}."}, status=403)
    try:
        response = await handler(request)
    except otlp.MalformedRequestError as wrong:
        response = web.json_response({"code": 3, "message": str(wrong)}, status=400)
    response.headers.update(_HEADERS)
    return response


async def _page(_: web.Request) -> web.StreamResponse:
    return web.FileResponse(STATIC / "index.html")


class _Site:
    """The routes; what reads or writes the store does so in a thread."""

    def __init__(self, store: Store, queries: Path | None) -> None:
        self._store = store
        self._queries = queries

    async def receive(self, request: web.Request) -> web.Response:
        signal, kind = request.match_info["signal"], request.content_type
        if kind not in {_BINARY, _JSON}:
            message = f"{kind} is neither {_BINARY} nor {_JSON}."
            return web.json_response({"code": 3, "message": message}, status=415)
        body = await request.read()
        await asyncio.to_thread(self._take, signal, body, kind == _JSON)
        answer = _RESPONSES[signal]()
        if kind == _JSON:
            return web.Response(text=MessageToJson(answer), content_type=_JSON)
        return web.Response(body=answer.SerializeToString(), content_type=_BINARY)

    def _take(self, signal: str, body: bytes, is_json: bool) -> None:
        request = otlp.read_request(signal, body, is_json=is_json)
        if signal == "traces":
            self._store.add_spans(otlp.spans(request))
        elif signal == "metrics":
            self._store.add_points(otlp.points(request))
        else:
            self._store.add_logs(otlp.logs(request))

    async def traces(self, request: web.Request) -> web.Response:
        return await self._told(
            lambda store: reading.traces(store, words=_words(request), limit=_limit(request))
        )

    async def trace(self, request: web.Request) -> web.Response:
        found = await asyncio.to_thread(reading.trace, self._store, request.match_info["trace"])
        return web.json_response(found, status=200 if found["spans"] else 404)

    async def metrics(self, request: web.Request) -> web.Response:
        return await self._told(lambda store: reading.metrics(store, words=_words(request)))

    async def logs(self, request: web.Request) -> web.Response:
        least = request.query.get("least", "0")
        severity = int(least) if least.isdecimal() and len(least) < 3 else 0
        return await self._told(
            lambda store: reading.logs(
                store, words=_words(request), least=severity, limit=_limit(request)
            )
        )

    async def counts(self, _: web.Request) -> web.Response:
        return await self._told(reading.counts)

    async def queries(self, _: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(saved_queries, self._queries))

    async def kql(self, request: web.Request) -> web.Response:
        try:
            asked = await request.json()
            answer = await asyncio.to_thread(kql.run, self._store, str(asked["query"]))
        except (kql.KqlError, ValueError, KeyError, TypeError) as refused:
            return web.json_response({"error": str(refused)}, status=400)
        columns = [{"name": column.name, "type": column.type} for column in answer.columns]
        return web.json_response({"columns": columns, "rows": answer.rows})

    async def query_workspace(self, request: web.Request) -> web.Response:
        """The Log Analytics query API, for its SDK: whatever the workspace, there is one.

        https://learn.microsoft.com/azure/azure-monitor/logs/api/request-format
        """
        try:
            asked = await request.json()
            if asked.get("timespan") or asked.get("workspaces"):
                return _bad_argument("timespan and workspaces are not known here.")
            answer = await asyncio.to_thread(kql.run, self._store, str(asked["query"]))
        except (kql.KqlError, ValueError, KeyError, TypeError, AttributeError) as refused:
            return _bad_argument(str(refused))
        columns = [{"name": column.name, "type": column.type} for column in answer.columns]
        table = {"name": "PrimaryResult", "columns": columns, "rows": answer.rows}
        return web.json_response({"tables": [table]})

    async def clear(self, _: web.Request) -> web.Response:
        await asyncio.to_thread(self._store.clear)
        return web.Response(status=204)

    async def _told(self, read: Callable[[Store], Any]) -> web.Response:
        found = await asyncio.to_thread(read, self._store)
        return web.json_response(found, dumps=lambda data: json.dumps(data, ensure_ascii=False))


def _bad_argument(message: str) -> web.Response:
    error = {"code": "BadArgumentError", "message": message}
    return web.json_response({"error": error}, status=400)


def _words(request: web.Request) -> str:
    return request.query.get("q", "")[:200]


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", "100")
    return min(int(text), 1000) if text.isdecimal() and len(text) < 6 else 100
