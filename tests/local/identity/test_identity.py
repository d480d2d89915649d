"""The local issuer, asked as a client asks Microsoft Entra; tokens verified as an API does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from local.identity.registrations import TENANT, Registrations
from local.process import LocalError
from tests.ports.starting import part

REGISTERED = {
    "audience": "api://thing",
    "applications": {"*": {"roles": ["{client}.reader"]}, "none": {"roles": []}},
}


@pytest.fixture(scope="module")
def registrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("identity") / "registrations.json"
    path.write_text(json.dumps(REGISTERED))
    return path


@pytest.fixture(scope="module")
def issuer(registrations: Path) -> Iterator[dict[str, Any]]:
    options = ["--registrations", registrations, "--state", registrations.parent / "state"]
    with part("local.identity", *options, "--port", "0") as told:
        yield told


def ask(issuer: dict[str, Any], client: str = "fleet", **changed: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": issuer["secret"],
        "scope": "api://thing/.default",
    }
    return httpx.post(issuer["token_url"], data=form | changed)


def verified(issuer: dict[str, Any], token: str) -> dict[str, Any]:
    """The claims, by what the issuer says about itself."""
    about = httpx.get(f"{issuer['issuer']}/.well-known/openid-configuration").json()
    assert about["token_endpoint"] == issuer["token_url"]
    keys = jwt.PyJWKSet.from_dict(httpx.get(about["jwks_uri"]).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience="api://thing", issuer=about["issuer"]
    )
    return claims


def test_a_token_verifies_and_says_who_and_what(issuer: dict[str, Any]) -> None:
    answer = ask(issuer)
    told = answer.json()
    claims = verified(issuer, told["access_token"])

    assert (told["token_type"], answer.headers["Cache-Control"]) == ("Bearer", "no-store")
    assert claims["exp"] - claims["iat"] == told["expires_in"] == 3600
    assert (claims["roles"], claims["tid"], claims["ver"]) == (["fleet.reader"], TENANT, "2.0")
    assert claims["app_displayname"] == "fleet"
    again = verified(issuer, ask(issuer).json()["access_token"])
    assert (again["oid"], again["azp"]) == (claims["oid"], claims["azp"])
    other = verified(issuer, ask(issuer, "other").json()["access_token"])
    assert other["oid"] != claims["oid"]


def test_an_application_without_roles_has_a_token_without(issuer: dict[str, Any]) -> None:
    assert "roles" not in verified(issuer, ask(issuer, "none").json()["access_token"])


def test_credentials_may_be_in_the_header(issuer: dict[str, Any]) -> None:
    form = {"grant_type": "client_credentials", "scope": "api://thing/.default"}

    answer = httpx.post(issuer["token_url"], data=form, auth=("fleet", issuer["secret"]))

    assert verified(issuer, answer.json()["access_token"])["roles"] == ["fleet.reader"]


@pytest.mark.parametrize(
    ("changed", "status", "error", "says"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type", "client_credentials"),
        ({"client_secret": "guessed"}, 401, "invalid_client", "secret is wrong"),
        ({"client_id": "a b"}, 401, "invalid_client", "no application 'a b'"),
        ({"scope": "api://other/.default"}, 400, "invalid_scope", "api://thing/.default"),
    ],
)
def test_what_is_refused(
    issuer: dict[str, Any], changed: dict[str, str], status: int, error: str, says: str
) -> None:
    answer = ask(issuer, **changed)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert says in answer.json()["error_description"]


def test_a_header_that_cannot_be_read_is_no_secret(issuer: dict[str, Any]) -> None:
    form = {"grant_type": "client_credentials"}

    answer = httpx.post(issuer["token_url"], data=form, headers={"Authorization": "Basic %"})

    assert answer.status_code == 401


def test_key_and_secret_survive_a_restart(registrations: Path) -> None:
    options = ["--registrations", registrations, "--state", registrations.parent / "kept"]
    with part("local.identity", *options, "--port", "0") as first:
        token = ask(first).json()["access_token"]
    with part("local.identity", *options, "--port", "0") as second:
        assert second["secret"] == first["secret"]
        kid = jwt.get_unverified_header(token)["kid"]
        keys = httpx.get(second["issuer"].replace("/v2.0", "/discovery/v2.0/keys")).json()["keys"]
        assert [key["kid"] for key in keys] == [kid]
    for name in ("signing-key.pem", "client-secret"):
        assert (registrations.parent / "kept" / name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"audience": "a", "applications": []}'])
def test_registrations_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "registrations.json"
    path.write_text(text)

    with pytest.raises(LocalError, match="cannot be read as registrations"):
        Registrations.read(path)


def test_without_a_pattern_only_the_named_have_tokens() -> None:
    only = Registrations(audience="a", roles={"fleet": ("reader",)})

    assert only.find("other") is None
    found = only.find("fleet")
    assert found is not None
    assert found.roles == ("reader",)
