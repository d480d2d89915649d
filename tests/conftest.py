"""The HTTP functions of the app, called as the Functions host calls them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

FUNCTION_KEY = "test-key-of-the-functions-app"


@dataclass(frozen=True)
class HttpFunction:
    """An HTTP-triggered function; `route` is without the prefix, `{name}` stands for a part."""

    name: str
    route: str
    methods: frozenset[str]
    needs_key: bool
    call: Callable[[Any], Any]


class FunctionsOverHttp:
    """A WSGI app with all HTTP functions of `function_app`, under `/api`, asking for the key.

    What the functions host does is done here in its smallest form: a route, a key, a request
    decoded, an answer encoded. Which backbone they work on says `mesh.backbone`.
    """

    def __init__(self) -> None:
        from werkzeug.routing import Map, Rule

        from function_app import app

        self.functions = tuple(
            found for function in app.get_functions() if (found := _http_function(function))
        )
        self._routes = Map(
            [
                Rule(
                    "/api/" + function.route.replace("{", "<").replace("}", ">"),
                    endpoint=function,
                    methods=function.methods,
                )
                for function in self.functions
            ],
            strict_slashes=True,
            merge_slashes=False,
        )

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        from werkzeug.exceptions import HTTPException
        from werkzeug.wrappers import Request, Response

        request = Request(environ)
        try:
            function, parts = self._routes.bind_to_environ(environ).match()
        except HTTPException:
            return Response(status=404)(environ, start_response)
        if function.needs_key and request.headers.get("x-functions-key") != FUNCTION_KEY:
            return Response(status=401)(environ, start_response)
        answer = self.call(
            function,
            method=request.method,
            url=request.url,
            headers=dict(request.headers),
            query=request.args.to_dict(),
            parts=parts,
            body=request.get_data(),
        )
        response = Response(
            answer.get_body(),
            status=answer.status_code,
            headers=dict(answer.headers),
            mimetype=answer.mimetype,
        )
        return response(environ, start_response)

    def call(
        self,
        function: HttpFunction,
        *,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        parts: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Any:
        """Call a function with a request as the Functions worker decodes it."""
        import azure.functions as func

        request = func.HttpRequest(
            method,
            url,
            headers={name.lower(): value for name, value in (headers or {}).items()},
            params={name: value for name, value in (query or {}).items() if value},
            route_params=parts or {},
            body=body,
        )
        return function.call(request)


def _http_function(function: Any) -> HttpFunction | None:
    bindings = [json.loads(text) for text in function.get_raw_bindings()]
    trigger = next((found for found in bindings if found["type"] == "httpTrigger"), None)
    if trigger is None:
        return None
    return HttpFunction(
        name=function.get_function_name(),
        route=trigger["route"],
        methods=frozenset(trigger["methods"]),
        needs_key=trigger["authLevel"] != "ANONYMOUS",
        call=function.get_user_function(),
    )


@pytest.fixture(scope="session")
def functions_over_http() -> FunctionsOverHttp:
    """The app's HTTP functions; a function app can be indexed once in a process."""
    return FunctionsOverHttp()


@pytest.fixture(scope="session")
def function_key() -> str:
    """The key that the HTTP functions ask for."""
    return FUNCTION_KEY
