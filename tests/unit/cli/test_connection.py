"""Where the command looks for the mesh, and what it says when that makes no sense."""

from __future__ import annotations

import json

import pytest

from cli.connection import DEFAULT_URL, find_connection
from cli.failures import Failed

LOCAL = {
    "MESH_URL": "http://127.0.0.1:4711/api",
    "MESH_SCOPE": "api://local/.default",
    "MESH_TOKEN_URL": "http://127.0.0.1:4712/token",
    "MESH_CLIENT_SECRET": "local-secret",
    "STORAGE": "local-storage",
    "SERVICE_BUS": "Endpoint=sb://x",
}


@pytest.fixture
def ready(tmp_path):
    """A folder with the ready file of a local Azure; gives the folder of its state."""
    state = tmp_path / "project" / ".local" / "state"
    state.mkdir(parents=True)
    (state / "azure.json").write_text(json.dumps({"settings": LOCAL}), encoding="utf-8")
    return state


def test_nothing_is_known(tmp_path):
    found = find_connection({}, None, tmp_path)

    assert (found.url, found.token, found.secret, found.storage) == (DEFAULT_URL, "", "", "")


def test_the_ready_file_is_found_here_and_above(ready):
    project = ready.parents[1]
    deep = project / "a" / "b"
    deep.mkdir(parents=True)
    for start in (project, deep):
        found = find_connection({}, None, start)
        assert (found.url, found.secret) == (LOCAL["MESH_URL"], "local-secret")
        assert (found.scope, found.token_url) == (LOCAL["MESH_SCOPE"], LOCAL["MESH_TOKEN_URL"])
        assert found.storage == LOCAL["STORAGE"]
        assert found.origin == str(ready / "azure.json")


def test_the_folder_of_the_state_is_named(ready, tmp_path):
    assert find_connection({}, ready, tmp_path).url == LOCAL["MESH_URL"]


def test_the_environment_goes_first(ready, tmp_path):
    environ = {"MESH_URL": "https://mesh.example/api/", "MESH_TOKEN": "k", "STORAGE": "s"}

    found = find_connection(environ, ready, tmp_path)

    assert (found.url, found.token, found.storage) == ("https://mesh.example/api", "k", "s")
    assert found.origin == "the environment"


def test_the_local_secret_is_not_sent_elsewhere(ready, tmp_path):
    found = find_connection({"MESH_URL": "https://mesh.example/api"}, ready, tmp_path)

    assert (found.secret, found.token_url, found.scope) == ("", "", "")


def test_an_account_is_not_mixed_with_the_local_connection_string(ready, tmp_path):
    found = find_connection({"STORAGE__accountName": "meshdata"}, ready, tmp_path)

    assert (found.storage, found.storage_account) == ("", "meshdata")
    assert found.url == LOCAL["MESH_URL"]


def test_a_domain_with_an_account_of_its_own(ready, tmp_path):
    environ = {"STORAGE__accountName": "hub", "STORAGE_OF_DOMAINS": '{"aerodromes": "node"}'}

    found = find_connection(environ, ready, tmp_path)

    assert found.storage == ""
    assert found.account_of("aerodromes") == "node"
    assert found.account_of("geography") == "hub"


@pytest.mark.parametrize("text", ["node", "[]", '{"aerodromes": 1}', '{"aerodromes": ""}'])
def test_accounts_that_are_none(tmp_path, text):
    with pytest.raises(Failed, match="it has to be a JSON object such as") as failed:
        find_connection({"STORAGE_OF_DOMAINS": text}, None, tmp_path)

    assert str(failed.value).startswith(f"STORAGE_OF_DOMAINS is {text!r} (from the environment)")


def test_empty_settings_are_none(ready, tmp_path):
    found = find_connection({"MESH_URL": "", "STORAGE": ""}, ready, tmp_path)

    assert found.secret == "local-secret"


def test_secrets_are_not_shown(ready, tmp_path):
    assert "local-" not in repr(find_connection({}, ready, tmp_path))


@pytest.mark.parametrize("url", ["mesh.example", "ftp://mesh.example", "http://", "//x/api"])
def test_an_address_that_is_none(tmp_path, url):
    with pytest.raises(Failed, match="it has to be an address such as https://HOST/api") as failed:
        find_connection({"MESH_URL": url}, None, tmp_path)

    assert str(failed.value).startswith(f"MESH_URL is {url!r} (from the environment)")
    assert failed.value.code == 2


@pytest.mark.parametrize("patience", ["soon", "-1", "nan", "1e9"])
def test_a_patience_that_is_none(tmp_path, patience):
    with pytest.raises(Failed, match=f"MESH_PATIENCE is '{patience}'"):
        find_connection({"MESH_PATIENCE": patience}, None, tmp_path)


def test_a_state_without_a_local_azure(tmp_path):
    with pytest.raises(Failed) as failed:
        find_connection({}, tmp_path, tmp_path)

    assert str(failed.value) == (
        f"{tmp_path} holds no azure.json: no local Azure runs with this state. Start it with "
        f"`mesh up --state {tmp_path}`."
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"settings": 1}', b"\xff"])
def test_a_ready_file_that_is_none(ready, tmp_path, text):
    (ready / "azure.json").write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(Failed, match="Delete it and start the local Azure again") as failed:
        find_connection({}, ready, tmp_path)

    assert str(failed.value).startswith(f"{ready / 'azure.json'} cannot be read")


def test_the_command_uses_the_state_that_it_is_given(onboarded, settings, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    known = {name: settings[name] for name in ("MESH_URL", "MESH_TOKEN", "STORAGE")}
    (state / "azure.json").write_text(json.dumps({"settings": known}), encoding="utf-8")

    done = onboarded("products", "--state", state, env=dict.fromkeys(known))

    assert "geography/countries" in done.stdout
