"""HTTP functions: routing, access levels, and translation of requests and answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

from aiohttp import hdrs, web
from azure.functions.meta import Datum
from multidict import CIMultiDict

from local.functions_host.context import Trace
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import Call, InvocationFailedError, Invoker
from local.functions_host.keys import Keys
from local.functions_host.routes import Route, compile_route

_NO_BODY = (204, 304)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One HTTP function, where it answers, and who may call it."""

    function: IndexedFunction
    route: Route
    methods: frozenset[str]
    level: str


def endpoint_of(function: IndexedFunction, prefix: str) -> Endpoint:
    """Read the HTTP trigger of a function.

    Raises:
        LocalError: its route template is wrong.
    """
    trigger = function.trigger
    template = str(trigger.values.get("route") or function.name)
    return Endpoint(
        function=function,
        route=compile_route(prefix, template, function.name),
        methods=frozenset(str(method).upper() for method in trigger.values.get("methods") or ()),
        level=str(trigger.values.get("authLevel") or "FUNCTION").lower(),
    )


def key_of(request: web.Request) -> str:
    """The key a caller gives: the header `x-functions-key`, else `?code=`."""
    return request.headers.get("x-functions-key") or request.query.get("code", "")


class HttpFunctions:
    """Finds the function for a request, checks the key, calls it and answers."""

    def __init__(self, endpoints: Iterable[Endpoint], invoker: Invoker, keys: Keys) -> None:
        self._endpoints = sorted(endpoints, key=lambda endpoint: endpoint.route.rank)
        self._invoker = invoker
        self._keys = keys

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request: 404 where no route fits (a wrong method included), 401 without key."""
        found = self._find(request.method, request.rel_url.raw_path.strip("/"))
        if found is None:
            return web.Response(status=404)
        endpoint, values = found
        if not self._allowed(endpoint, key_of(request)):
            return web.Response(status=401)
        call = Call(
            data=await _request_datum(request, values),
            metadata={},
            reason="This function was programmatically called via the host APIs.",
            trace=Trace.start(
                request.headers.get("traceparent"), request.headers.get("tracestate")
            ),
            properties={**request.query, **values},
        )
        try:
            answer = await self._invoker.invoke(endpoint.function, call)
        except InvocationFailedError:
            return web.Response(status=500)
        return _response(answer)

    def _find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        for endpoint in self._endpoints:
            if endpoint.methods and method not in endpoint.methods:
                continue
            values = endpoint.route.match(path)
            if values is not None:
                return endpoint, values
        return None

    def _allowed(self, endpoint: Endpoint, key: str) -> bool:
        if endpoint.level == "anonymous":
            return True
        if endpoint.level == "admin":
            return self._keys.opens_admin(key)
        return self._keys.opens_function(endpoint.function.name, key)


async def _request_datum(request: web.Request, values: dict[str, str]) -> Datum:
    """What the host sends: names of headers lower-cased, repeated values joined, no empty query."""
    query = {name: Datum(",".join(request.query.getall(name)), "string") for name in request.query}
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(str(request.url), "string"),
            "headers": {
                name.lower(): Datum(",".join(request.headers.getall(name)), "string")
                for name in request.headers
            },
            "query": {name: value for name, value in query.items() if value.value},
            "params": {name: Datum(value, "string") for name, value in values.items()},
            "body": Datum(await request.read(), "bytes"),
        },
        "http",
    )


def _response(answer: Datum | None) -> web.Response:
    if answer is None:
        return web.Response(status=204)
    if answer.type != "http":
        return web.Response(text=str(answer.value))
    value: dict[str, Any] = answer.value
    status = int(value["status_code"].value)
    headers: CIMultiDict[str] = CIMultiDict(
        (name, datum.value) for name, datum in value["headers"].items()
    )
    for cookie in value.get("cookies") or ():
        _add_cookie(headers, cookie)
    headers.popall(hdrs.CONTENT_LENGTH, None)
    headers.popall(hdrs.TRANSFER_ENCODING, None)
    body: bytes | None = value["body"].value
    if status in _NO_BODY:
        body = None
        headers.popall(hdrs.CONTENT_TYPE, None)
    return web.Response(status=status, headers=headers, body=body)


def _add_cookie(headers: CIMultiDict[str], cookie: SimpleCookie) -> None:
    for morsel in cookie.values():
        headers.add(hdrs.SET_COOKIE, morsel.OutputString())
