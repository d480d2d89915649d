"""The `mesh` command against a mesh in memory, over real HTTP: API and storage on one server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from mesh import landing, onboarding
from mesh.backbone import replace_backbone
from mesh.model.dropped_file import DroppedFile

ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "c2VjcmV0LW9mLW5vYm9keQ=="


class MeshServer:
    """One HTTP server with the API, and with as much of Blob storage as an upload needs.

    After each request the mesh does all the work that is waiting, as the platform would. Its clock
    moves by 10 ms with each request.

    Attributes:
        requests: method and path of each, in order.
        steps_at_once: how many messages of the queue `onboarding` are handled after a request.
        delivers: whether subscribers are told.
        asked_before_landing: how many questions a dropped file takes before it is judged.
        broken: when set, is answered in place of the API: status, content type, body, headers.
        repaired_after: after how many such answers the API is whole again; 0 for never.
        storage_answer: when set, the status that the storage answers with.
    """

    def __init__(self, world: Any, functions: Any) -> None:
        self._world = world
        self._functions = functions
        self._blocks: dict[str, bytes] = {}
        self._landed: list[DroppedFile] = []
        self._lock = threading.Lock()
        self.address = ""
        self.requests: list[tuple[str, str]] = []
        self.steps_at_once = 100
        self.asked_before_landing = 0
        self.delivers = True
        self.broken: tuple[int, str, bytes, dict[str, str]] | None = None
        self.repaired_after = 0
        self.storage_answer: int | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address}/api"

    @property
    def storage(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            f"BlobEndpoint=http://{self.address}/{ACCOUNT};"
        )

    def __call__(self, environ: Any, start_response: Any) -> Any:
        from werkzeug.wrappers import Request, Response

        request = Request(environ)
        with self._lock:
            self._world.clock.advance(timedelta(milliseconds=10))
            self.requests.append((request.method, request.path))
            if request.path.startswith(f"/{ACCOUNT}/"):
                return self._store(request)(environ, start_response)
            if self.broken is not None:
                status, kind, body, headers = self.broken
                self.repaired_after -= 1
                if not self.repaired_after:
                    self.broken = None
                answer = Response(body, status=status, mimetype=kind, headers=headers)
                return answer(environ, start_response)
            answered = list(self._functions(environ, start_response))
            self.work()
            return answered

    def work(self) -> None:
        """Do what the queues hold."""
        for _ in range(self.steps_at_once):
            for message in self._world.queues.take(onboarding.QUEUE):
                onboarding.handle(self._world.backbone, message.body)
        if self.asked_before_landing:
            self.asked_before_landing -= 1
        else:
            while self._landed:
                landing.receive(self._world.backbone, self._landed.pop(0))
        if self.delivers:
            self._world.deliver()

    def _store(self, request: Any) -> Any:
        from werkzeug.wrappers import Response

        if self.storage_answer is not None:
            return Response(status=self.storage_answer)
        location = request.path.removeprefix(f"/{ACCOUNT}/")
        kind = request.args.get("comp")
        if kind == "block":
            self._blocks[request.args["blockid"]] = request.get_data()
            return Response(status=201)
        data = request.get_data()
        if kind == "blocklist":
            names = [element.text for element in ET.fromstring(data)]
            data = b"".join(self._blocks.pop(name) for name in names)
        self._world.storage.write(location, data, content_type="text/csv")
        etag = self._world.storage.blobs[location].etag
        self._landed.append(
            DroppedFile(
                url=request.base_url,
                etag=etag,
                size=len(data),
                sequencer=etag,
                landed_at=self._world.clock(),
            )
        )
        if not self.asked_before_landing:
            self.work()
        headers = {"ETag": f'"{etag}"', "Last-Modified": "Sun, 22 Nov 2026 12:00:00 GMT"}
        return Response(status=201, headers=headers)


@contextmanager
def serving(app_: Any) -> Iterator[str]:
    """Serve a WSGI app on a free port of loopback; gives HOST:PORT."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None: ...

    server = make_server("127.0.0.1", 0, app_, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server(world: Any, functions_over_http: Any) -> Iterator[MeshServer]:
    """A mesh with nothing in it, served."""
    served = MeshServer(world, functions_over_http)
    with replace_backbone(world.backbone), serving(served) as address:
        served.address = address
        world.storage.base = f"http://{address}/{ACCOUNT}"
        yield served


@pytest.fixture
def settings(server: MeshServer, token: str) -> dict[str, str | None]:
    """The environment in which the command finds the served mesh."""
    return {
        "MESH_URL": server.url,
        "MESH_TOKEN": token,
        "STORAGE": server.storage,
        "STORAGE__accountName": None,
        "STORAGE_OF_DOMAINS": None,
        "MESH_PATIENCE": "0",
        "COLUMNS": "200",
    }


@pytest.fixture
def run(settings: dict[str, str | None]) -> Callable[..., Result]:
    """Run the command against the served mesh; `env` changes settings."""

    def invoke(*arguments: object, env: Mapping[str, str | None] | None = None) -> Result:
        return CliRunner(env={**settings, **(env or {})}).invoke(
            app, [str(argument) for argument in arguments], catch_exceptions=False
        )

    return invoke


@pytest.fixture
def declared(tmp_path: Path, declare: Callable[..., dict[str, str]]) -> Callable[..., Path]:
    """Write a declaration into a folder; the arguments are those of `declare`."""

    def write(*arguments: Any, **about: Any) -> Path:
        folder = tmp_path / "declaration"
        folder.mkdir(exist_ok=True)
        for name, text in declare(*arguments, **about).items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def onboarded(run: Callable[..., Result], declared: Callable[..., Path]) -> Callable[..., Result]:
    """`run`, with the product `geography/countries` in the mesh."""
    done = run("onboard", declared())
    assert done.exit_code == 0, done.output
    return run


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A file that the contract of `geography/countries` accepts."""
    file = tmp_path / "countries.csv"
    file.write_bytes(b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,\n")
    return file


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A file with two bad rows of three."""
    file = tmp_path / "bad.csv"
    file.write_bytes(b"code,name,area\nCH,Switzerland,41285\nxx,Nowhere,-1\nFR,,1\n")
    return file
