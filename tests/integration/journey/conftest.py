"""The whole mesh on the local Azure, as `python -m local` starts it, and a consumer beside it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.storage.blob import BlobServiceClient
from standardwebhooks import Webhook

from tests.ports.starting import part, token_of
from tests.unit.conftest import declaration

PLACE = "geography/countries/v1/countries"
PATIENCE_S = 30.0


@dataclass(kw_only=True)
class Consumer:
    """A consuming domain's receiver: answers what it is told to, and verifies what it gets.

    Attributes:
        told: the verified events, in the order they came.
        answers: the status of the next answers; when empty, 204.
    """

    told: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    url: str = ""
    came: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event told that is `wanted`, once it came."""
        with self.came:
            found = self.came.wait_for(
                lambda: [event for event in self.told if wanted(event)], timeout=PATIENCE_S
            )
        assert found, f"nothing of the kind came; told were {[e['type'] for e in self.told]}"
        return found[0]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        with self.came:
            self.ids.append(headers["webhook-id"])
            if self.answers:
                return self.answers.pop(0)
            event = Webhook(self.secrets[-1]).verify(body, headers)
            self.told.append(event)
            self.came.notify_all()
            return 204


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """A running mesh, as its users reach it."""

    api: httpx.Client
    blobs: BlobServiceClient
    settings: dict[str, str]

    def onboard(self, files: dict[str, str]) -> dict[str, Any]:
        """Send a declaration and wait for the end of the saga."""
        asked = self.api.post("/onboardings", json={"files": files})
        assert asked.status_code == 202, asked.text
        return self.until(
            lambda: self.api.get(f"/onboardings/{asked.json()['id']}").json(),
            lambda saga: saga["status"] != "running",
        )

    def drop(self, name: str, data: bytes, *, container: str = "landing") -> None:
        self.blobs.get_blob_client(container, name).upload_blob(data, overwrite=True)

    def verdict(self, product: str, file: str, *, etag: str | None = None) -> dict[str, Any]:
        """The decision about a file's newest version, once there is one."""
        found = self.until(
            lambda: self.api.get(f"/products/{product}/drops", params={"file": file}).json(),
            lambda data: bool(data["drops"]) and etag in {None, data["drops"][0]["etag"]},
        )
        drop: dict[str, Any] = found["drops"][0]
        return drop

    def receipt(self, drop: dict[str, Any]) -> dict[str, Any]:
        answer = self.api.get(f"/products/{drop['product']}/drops/{drop['drop']}/receipt")
        data: dict[str, Any] = answer.json()
        return data

    @staticmethod
    def until(ask: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
        """Ask until the answer is enough."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = ask()
            if enough(answer):
                return answer
            assert time.monotonic() < deadline, f"still {answer}"
            time.sleep(0.05)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The ready file of a whole local Azure."""
    state = tmp_path_factory.mktemp("stack")
    options = ["--config", "infra/local.json", "--state", state, "--free-ports"]
    with part("local", *options) as told:
        ready: dict[str, Any] = json.loads(Path(told["ready_file"]).read_text())
        yield ready
        for log in (state / "logs").iterdir():
            assert "Traceback" not in log.read_text(), log.read_text()[-4000:]


@pytest.fixture(scope="session")
def mesh(stack: dict[str, Any]) -> Iterator[Mesh]:
    """The mesh, with the product `geography/countries`."""
    settings = stack["settings"]
    key = {"Authorization": f"Bearer {token_of(settings)}"}
    with (
        httpx.Client(base_url=settings["MESH_URL"], headers=key, timeout=30) as api,
        BlobServiceClient.from_connection_string(settings["STORAGE"]) as blobs,
    ):
        running = Mesh(api=api, blobs=blobs, settings=settings)
        saga = running.onboard(declaration())
        assert saga["status"] == "registered", saga
        yield running


@pytest.fixture
def consumer(mesh: Mesh) -> Iterator[Consumer]:
    """A consumer that is subscribed to `geography/countries` by webhook."""
    receiver = Consumer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_OPTIONS(self) -> None:
            self.send_response(200)
            self.send_header("WebHook-Allowed-Origin", self.headers["WebHook-Request-Origin"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.take({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    asked = {"subscriber": "aviation", "webhook": receiver.url}
    made = mesh.api.post("/products/geography/countries/subscriptions", json=asked)
    assert made.status_code == 201, made.text
    receiver.secrets.append(made.json()["secret"])
    yield receiver
    mesh.api.delete(f"/products/geography/countries/subscriptions/{made.json()['id']}")
    server.shutdown()
    server.server_close()
