"""How Hypothesis draws; and the HTTP functions of the app, called as the Functions host does."""

from __future__ import annotations

import asyncio
import base64
import functools
import inspect
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.indexed import functions
from tests.thorough import THOROUGH

# What a machine does besides is no failure. What holds up a change in CI is not what another run
# drew: there the same is drawn each time, and the nightly run draws anew.
settings.register_profile(
    "mesh",
    settings.get_profile("default"),
    deadline=None,
    derandomize=bool(os.environ.get("CI")) and not THOROUGH,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mesh")

EVERYTHING = "developer"
"""The token of somebody who may do everything."""


def easy_auth(token: str | None) -> dict[str, str]:
    """The headers that App Service authentication makes of a token; of tests' own kind.

    `NAME` has the roles of the domain NAME, `NAME=ROLE,ROLE` just these.
    """
    if token is None:
        return {}
    name, given, roles = token.partition("=")
    if not given:
        domain = "*" if name == EVERYTHING else name
        roles = f"{domain}.producer,{domain}.consumer,{domain}.owner"
        roles += ",ops" if name == EVERYTHING else ""
    claims = [{"typ": "oid", "val": f"id-of-{name}"}, {"typ": "azp", "val": f"app-of-{name}"}]
    claims += [{"typ": "roles", "val": role} for role in roles.split(",") if role]
    told = {"auth_typ": "aad", "name_typ": "name", "role_typ": "roles", "claims": claims}
    return {
        "x-ms-client-principal": base64.b64encode(json.dumps(told).encode()).decode(),
        "x-ms-client-principal-id": f"id-of-{name}",
        "x-ms-client-principal-name": name,
        "x-ms-client-principal-idp": "aad",
    }


@dataclass(frozen=True)
class HttpFunction:
    """An HTTP-triggered function; `route` is without the prefix, `{name}` stands for a part."""

    name: str
    route: str
    methods: frozenset[str]
    auth_level: str
    call: Callable[[Any], Any]


class FunctionsOverHttp:
    """A WSGI app with all HTTP functions of `function_app`, under `/api`, behind Easy Auth.

    What the platform does is done here in its smallest form: a route, a principal, a request
    decoded, an answer encoded. Which backbone they work on says `mesh.backbone`.
    """

    def __init__(self) -> None:
        from werkzeug.routing import Map, Rule

        self.functions = tuple(found for each in functions() if (found := _http_function(each)))
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

    def match(self, environ: Any) -> tuple[HttpFunction, dict[str, str]] | None:
        """The function for a request, and the parts of its path."""
        from werkzeug.exceptions import HTTPException

        try:
            function, parts = self._routes.bind_to_environ(environ).match()
        except HTTPException:
            return None
        return function, dict(parts)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        from werkzeug.wrappers import Request, Response

        request = Request(environ)
        matched = self.match(environ)
        if matched is None:
            return Response(status=404)(environ, start_response)
        function, parts = matched
        told = request.headers.get("Authorization", "").partition("Bearer ")[2]
        answer = self.call(
            function,
            method=request.method,
            url=request.url,
            headers={**dict(request.headers), **easy_auth(told or None)},
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
        answer = function.call(request)
        return asyncio.run(answer) if inspect.isawaitable(answer) else answer


def _http_function(function: Any) -> HttpFunction | None:
    bindings = [json.loads(text) for text in function.get_raw_bindings()]
    trigger = next((found for found in bindings if found["type"] == "httpTrigger"), None)
    if trigger is None:
        return None
    return HttpFunction(
        name=function.get_function_name(),
        route=trigger["route"],
        methods=frozenset(trigger["methods"]),
        auth_level=trigger["authLevel"],
        call=function.get_user_function(),
    )


@dataclass(frozen=True)
class Answer:
    """An answer of the API; `json` is None where there is no content."""

    status: int
    json: Any
    headers: Mapping[str, str]


class Api:
    """The HTTP API; each answer is held against what `schemas/openapi.json` says of it."""

    def __init__(self, functions: FunctionsOverHttp) -> None:
        self._functions = functions

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: bytes = b"",
        query: Mapping[str, object] | None = None,
        by: str | None = EVERYTHING,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call `/api{path}` with a JSON `body`, or with `data` as it is, and the token `by`."""
        from werkzeug.test import Client, EnvironBuilder

        builder = EnvironBuilder(
            path=f"/api{path}",
            method=method,
            query_string={name: str(value) for name, value in (query or {}).items()},
            data=data if body is None else json.dumps(body),
            headers=({} if by is None else {"Authorization": f"Bearer {by}"}) | dict(headers or {}),
        )
        environ = builder.get_environ()
        builder.close()
        response = Client(self._functions).open(environ)
        text = response.get_data()
        answer = Answer(
            status=response.status_code,
            json=json.loads(text) if text else None,
            headers=dict(response.headers),
        )
        matched = self._functions.match(environ)
        if matched is not None:
            self.check(matched[0], method, answer)
        return answer

    def check(self, function: HttpFunction, method: str, answer: Answer) -> None:
        """Hold an answer against its description."""
        from jsonschema import Draft202012Validator

        from mesh.schemas import openapi

        described = openapi()
        operation = described["paths"][f"/{function.route}"][method.lower()]
        said = _resolved(described, operation["responses"][str(answer.status)])
        if answer.json is None:
            assert "content" not in said
            return
        schema = said["content"][answer.headers["Content-Type"].partition(";")[0]]["schema"]
        Draft202012Validator(
            {**schema, "components": described["components"]},
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        ).validate(answer.json)
        assert set(said.get("headers", ())) <= set(answer.headers)


def _resolved(described: Mapping[str, Any], value: Any) -> Any:
    """The value, or what it refers to in the document."""
    if "$ref" not in value:
        return value
    return functools.reduce(lambda at, part: at[part], value["$ref"].split("/")[1:], described)


@pytest.fixture(scope="session")
def functions_over_http() -> FunctionsOverHttp:
    """The app's HTTP functions."""
    return FunctionsOverHttp()


@pytest.fixture(scope="session")
def token() -> str:
    """The token of somebody who may do everything."""
    return EVERYTHING


@pytest.fixture
def api(world: Any, functions_over_http: FunctionsOverHttp) -> Iterator[Api]:
    """The HTTP API on the mesh in memory."""
    from mesh.backbone import replace_backbone

    with replace_backbone(world.backbone):
        yield Api(functions_over_http)
