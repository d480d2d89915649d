"""What each request of the SDKs looks up before it is sent."""

from __future__ import annotations

import threading

import pytest
from azure.core.pipeline.transport import HttpRequest
from werkzeug.serving import make_server

from mesh.azure.clients import _CERTIFICATES, _pooled_transport

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def plain(monkeypatch):
    """An environment without a word about proxies or certificates."""
    for name in (*PROXIES, *map(str.upper, PROXIES), *_CERTIFICATES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def echo():
    """The URL of a server that says which authorization a request has."""

    def app(environ, start_response):
        start_response("200 OK", [])
        return [environ.get("HTTP_AUTHORIZATION", "").encode()]

    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("plain")
def test_a_plain_environment_is_not_looked_up_at_each_request(monkeypatch, tmp_path, echo):
    """A `.netrc` would replace the very token that the SDK has put into the request."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    with _pooled_transport() as transport:
        request = HttpRequest("GET", echo, headers={"Authorization": "Bearer token"})
        assert transport.send(request).body() == b"Bearer token"


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", *_CERTIFICATES])
def test_proxies_and_roots_of_the_environment_hold(monkeypatch, name):
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    with _pooled_transport() as transport:
        assert transport.session.trust_env
