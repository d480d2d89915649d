"""A mesh that cannot be reached, is unavailable, or is none."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from cli import calling
from cli.client import open_client
from cli.connection import Connection
from cli.failures import Failed
from mesh.errors import Unavailable


@pytest.fixture
def closed() -> Iterator[str]:
    """An address at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/api"


def test_nothing_answers(run, closed):
    done = run("products", env={"MESH_URL": closed})

    assert done.exit_code == 3
    assert f"Nothing answers at {closed} (the environment: " in done.stderr
    assert "Start the local Azure with `mesh up`, or set MESH_URL." in done.stderr


def test_an_answer_that_does_not_come(run, monkeypatch):
    monkeypatch.setattr(calling, "TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        done = run("products", env={"MESH_URL": url})

    assert done.exit_code == 3
    assert f"{url} did not answer within 0 s. Try again" in done.stderr


def test_a_call_without_a_token_is_refused_by_the_mesh(run):
    done = run("products", "--json", env={"MESH_TOKEN": None})

    assert done.exit_code == 1
    assert json.loads(done.stderr)["type"] == "urn:mesh:problems:not-signed-in"


@pytest.mark.parametrize(("token", "says"), [(None, "(none was sent)"), ("bad", "(one was sent)")])
def test_a_token_that_the_platform_does_not_accept(run, server, token, says):
    server.broken = (401, "text/plain", b"", {})

    done = run("products", env={"MESH_TOKEN": token})

    assert done.exit_code == 1
    assert f"does not accept the token {says}. Set MESH_SCOPE" in done.stderr


@pytest.mark.parametrize(
    "broken",
    [
        (200, "text/html", b"<h1>Welcome</h1>", {}),
        (200, "application/json", b"<h1>", {}),
        (404, "text/plain", b"", {}),
        (404, "application/problem+json", b"[]", {}),
        (302, "text/plain", b"", {"Location": "https://elsewhere.example/"}),
    ],
)
def test_what_answers_is_no_mesh(run, server, broken):
    server.broken = broken

    done = run("products")

    assert done.exit_code == 3
    assert f"was answered {broken[0]}" in done.stderr
    assert "which is no answer of the mesh. Set MESH_URL to the address" in done.stderr


@pytest.mark.parametrize(
    ("kind", "body"), [("text/plain", b""), ("application/problem+json", b"[]")]
)
def test_a_mesh_that_fails(run, server, kind, body):
    server.broken = (500, kind, body, {})

    done = run("products")

    assert done.exit_code == 3
    assert "/api/products?limit=1000 failed (500 " in done.stderr
    assert "Try again; if it stays so, the reason is in the log of the functions" in done.stderr


def test_an_answer_that_breaks_off(run):
    import threading

    with socket.create_server(("127.0.0.1", 0)) as breaking:

        def answer() -> None:
            connection, _ = breaking.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{breaking.getsockname()[1]}/api"
        done = run("products", env={"MESH_URL": url})
        thread.join()

    assert done.exit_code == 3
    assert f"Talking to {url} failed: " in done.stderr


def test_an_unavailable_mesh_is_asked_again(onboarded, server):
    unavailable = (
        503,
        "application/problem+json",
        json.dumps({"type": "urn:mesh:problems:unavailable", "status": 503}).encode(),
        {"Retry-After": "0"},
    )
    server.broken = unavailable
    server.repaired_after = 3

    done = onboarded("products", env={"MESH_PATIENCE": "60"})

    assert done.exit_code == 0, done.output
    asked = [path for _, path in server.requests if path == "/api/products"]
    assert len(asked) == 4


def test_patience_ends(run, declared, world):
    world.queues.failure = Unavailable("The queue is busy.")

    done = run("onboard", declared(), "--json")

    assert done.exit_code == 3
    problem = json.loads(done.stderr)
    assert (problem["type"], problem["status"]) == ("urn:mesh:problems:unavailable", 503)
    assert "Try again in a moment" in problem["detail"]


def test_a_rotation_is_not_repeated(server, token):
    server.broken = (
        503,
        "application/problem+json",
        b'{"type": "urn:mesh:problems:unavailable", "status": 503, "title": "Unavailable"}',
        {"Retry-After": "0"},
    )
    connection = Connection(url=server.url, token=token, patience_s=60)

    with open_client(connection) as mesh, pytest.raises(Failed, match="Unavailable"):
        mesh.rotate_secret("geography/countries", "x")

    assert len(server.requests) == 1


def test_a_proxy_is_not_asked_for_the_local_azure(onboarded, closed):
    done = onboarded("products", env={"HTTP_PROXY": closed, "http_proxy": closed})

    assert done.exit_code == 0, done.output
