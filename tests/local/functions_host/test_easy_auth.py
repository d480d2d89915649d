"""Requests as App Service authentication lets them through, by tokens of the local issuer."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from local.functions_host.easy_auth import Authentication, EasyAuth
from local.identity.issuer import Issuer
from local.identity.registrations import TENANT, Application, Registrations
from local.identity.tokens import Signer, load_signer
from local.process import LocalError

AUDIENCE = "api://thing"
CALLER = Application(name="fleet", app_id="an-app", object_id="an-object", roles=("a", "b"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return load_signer(tmp_path_factory.mktemp("keys"), issuer="replaced below")


@pytest_asyncio.fixture
async def issuer(keys: Signer) -> AsyncIterator[Signer]:
    """A signer whose discovery and keys are served."""
    server = TestServer(web.Application())
    handlers: dict[str, Issuer] = {}

    async def dispatch(request: web.Request) -> web.StreamResponse:
        match = await handlers["issuer"].application().router.resolve(request)
        return await match.handler(request)

    server.app.router.add_route("*", "/{path:.*}", dispatch)
    await server.start_server()
    url = str(server.make_url("")).rstrip("/")
    signer = replace(keys, issuer=f"{url}/{TENANT}/v2.0")
    nobody = Registrations(audience=AUDIENCE, roles={})
    handlers["issuer"] = Issuer(url=url, registrations=nobody, signer=signer, secret="")
    yield signer
    await server.close()


@pytest_asyncio.fixture
async def app(issuer: Signer) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """An app that answers with the headers it gets."""
    wanted = Authentication(
        issuer=issuer.issuer,
        audiences=(AUDIENCE,),
        require=True,
        excluded_paths=frozenset({"/api/health"}),
    )

    async def echo(request: web.Request) -> web.Response:
        return web.json_response({name.lower(): value for name, value in request.headers.items()})

    application = web.Application(middlewares=(EasyAuth(wanted).middleware(),))
    application.router.add_route("*", "/{path:.*}", echo)
    async with TestClient(TestServer(application)) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.asyncio
async def test_a_good_token_becomes_headers(app: Any, issuer: Signer) -> None:
    token = issuer.token(CALLER, audience=AUDIENCE, now=time.time())
    forged = {"X-MS-CLIENT-PRINCIPAL-NAME": "root", "x-ms-token-aad-id-token": "x"}

    answer = await app.get("/api/thing", headers=bearer(token) | forged)
    told = await answer.json()

    assert (told["x-ms-client-principal-id"], told["x-ms-client-principal-name"]) == (
        "an-object",
        "fleet",
    )
    assert told["x-ms-client-principal-idp"] == "aad"
    assert "x-ms-token-aad-id-token" not in told
    principal = json.loads(base64.b64decode(told["x-ms-client-principal"]))
    claims = [(claim["typ"].rpartition("/")[2], claim["val"]) for claim in principal["claims"]]
    assert {("roles", "a"), ("roles", "b"), ("azp", "an-app")} <= set(claims)
    assert ("objectidentifier", "an-object") in claims


@pytest.mark.parametrize("wrong", ["none", "audience", "old", "issuer", "other key", "garbage"])
@pytest.mark.asyncio
async def test_who_is_not_believed_does_not_get_in(
    app: Any, issuer: Signer, wrong: str, tmp_path: Path
) -> None:
    now = time.time()
    tokens = {
        "none": "",
        "audience": issuer.token(CALLER, audience="api://other", now=now),
        "old": issuer.token(CALLER, audience=AUDIENCE, now=now - 7200),
        "issuer": replace(issuer, issuer="https://elsewhere.example/v2.0").token(
            CALLER, audience=AUDIENCE, now=now
        ),
        "other key": load_signer(tmp_path, issuer=issuer.issuer).token(
            CALLER, audience=AUDIENCE, now=now
        ),
        "garbage": "a.b.c",
    }
    headers = bearer(tokens[wrong]) | {"X-MS-CLIENT-PRINCIPAL-ID": "an-object"}

    answer = await app.get("/api/thing", headers=headers)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.asyncio
async def test_an_excluded_path_takes_anybody_and_tells_of_nobody(app: Any) -> None:
    answer = await app.get("/api/health", headers={"X-MS-CLIENT-PRINCIPAL": "forged"})

    assert answer.status == 200
    assert "x-ms-client-principal" not in await answer.json()


@pytest.mark.asyncio
async def test_the_hosts_own_paths_have_keys_of_their_own(app: Any) -> None:
    answer = await app.get("/admin/host/status")

    assert answer.status == 200


@pytest.mark.asyncio
async def test_when_the_issuer_is_away_nobody_gets_in(issuer: Signer) -> None:
    wanted = Authentication(
        issuer="http://127.0.0.1:1/v2.0", audiences=("a",), require=True, excluded_paths=frozenset()
    )
    token = issuer.token(CALLER, audience=AUDIENCE, now=time.time())

    assert await EasyAuth(wanted)._claims(token) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "auth.json"
    path.write_text(text)

    with pytest.raises(LocalError, match="cannot be read as authsettingsV2"):
        Authentication.read(path)
