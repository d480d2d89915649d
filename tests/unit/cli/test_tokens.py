"""Where the command gets its token from: what is given, or the local issuer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.ports.starting import ROOT, part


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The local issuer, with the registrations of the project."""
    state: Path = tmp_path_factory.mktemp("identity")
    registered = ROOT / "infra" / "identity.json"
    with part("local.identity", "--registrations", registered, "--state", state, "--port=0") as it:
        yield it


@pytest.fixture
def local(issuer) -> dict[str, str | None]:
    return {
        "MESH_TOKEN": None,
        "MESH_SCOPE": f"{issuer['audience']}/.default",
        "MESH_TOKEN_URL": issuer["token_url"],
        "MESH_CLIENT_SECRET": issuer["secret"],
    }


def roles(text: str) -> list[str]:
    found: list[str] = jwt.decode(text.strip(), options={"verify_signature": False})["roles"]
    return found


def test_without_a_domain_one_is_a_developer(run, local):
    assert "ops" in roles(run("token", env=local).stdout)


def test_a_domain_is_named_before_the_command_or_by_the_environment(run, local):
    mine = ["fleet.producer", "fleet.consumer", "fleet.owner"]

    assert roles(run("--as", "fleet", "token", env=local).stdout) == mine
    assert roles(run("token", env=local | {"MESH_AS": "fleet"}).stdout) == mine
    told = json.loads(run("--as", "fleet", "token", "--json", env=local).stdout)
    assert roles(told["access_token"]) == mine


def test_a_token_that_is_given_is_used(run, local):
    assert run("token", env=local | {"MESH_TOKEN": "mine"}).stdout == "mine\n"


def test_nothing_says_where_a_token_is_from(run):
    done = run("token", env={"MESH_TOKEN": None})

    assert done.exit_code == 1
    assert "Nothing says where a token is to come from. Set MESH_SCOPE" in done.stderr


def test_the_issuer_gives_none(run, local):
    done = run("--as", "no such", "token", env=local)

    assert done.exit_code == 1
    assert "gives no token to 'no such': There is no application 'no such'." in done.stderr


def test_the_issuer_is_away(run, local):
    done = run("token", env=local | {"MESH_TOKEN_URL": "http://127.0.0.1:1/token"})

    assert done.exit_code == 3
    assert "The token issuer at http://127.0.0.1:1/token" in done.stderr


def test_who_one_is(run):
    shown = run("whoami", env={"MESH_TOKEN": "fleet=fleet.owner,*.consumer"}).stdout

    assert "fleet (object id id-of-fleet)" in shown
    assert "consumer of all domains" in shown
    assert "owner of fleet" in shown
    assert "ops" not in shown
