"""The functions host as a process, for tests: its address, its keys, its log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[3]
APPS = Path(__file__).parent / "apps"
KEYS = {
    "host.master": "the-master-key",
    "host.function.default": "the-host-key",
    "functions.http_thing.default": "the-key-of-one",
    "host.systemKey.eventgrid_extension": "the-event-grid-key",
    "host.systemKey.blobs_extension": "the-blobs-key",
}
PATIENCE = 30.0


class Answer:
    """What an HTTP request got."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        return json.loads(self.body)


class HostProcess:
    """A running functions host."""

    def __init__(self, folder: Path, command: list[str], environ: Mapping[str, str]) -> None:
        self.log = folder / "host.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **environ},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            self.end()
            message = f"the host was not ready: {line}{self.log.read_text()}"
            raise AssertionError(message)
        self.ready: dict[str, Any] = json.loads(line.removeprefix("ready "))
        self.url: str = self.ready["url"]

    def request(
        self,
        path: str,
        *,
        method: str = "GET",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers=dict(headers or {})
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.headers, refused.read())

    def lines(self) -> list[dict[str, Any]]:
        text = self.log.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def logged(self, part: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if part in line["message"]]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(timeout=PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextmanager
def running_host(
    app: Path,
    folder: Path,
    *options: str | Path,
    runner: tuple[str, ...] = ("-m", "local.functions_host"),
    **environ: str,
) -> Iterator[HostProcess]:
    """Run an app until the block ends; state and log are in `folder`."""
    keys = folder / "keys.json"
    keys.write_text(json.dumps(KEYS))
    arguments = ["--app", app, "--port=0", "--state", folder / "state", "--keys", keys, *options]
    command = [sys.executable, *runner, *map(str, arguments)]
    host = HostProcess(folder, command, environ)
    try:
        yield host
    finally:
        host.end()


def write_app(folder: Path, source: str, host_json: Mapping[str, Any] | None = None) -> Path:
    """Make an app of one file; `func`, `app` and `seen(…)` are there."""
    app = folder / "app"
    app.mkdir(exist_ok=True)
    (app / "host.json").write_text(json.dumps({"version": "2.0", **(host_json or {})}))
    (app / "function_app.py").write_text(PREAMBLE + source)
    return app


PREAMBLE = """\
import json, os, threading, time
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

def seen(*values):
    with open(os.environ["SEEN"], "a") as file:
        file.write(json.dumps(values, default=str) + "\\n")

"""


class Seen:
    """The file in which functions write down what they were given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def lines(self) -> list[Any]:
        text = self.path.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]

    def of(self, function: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["function"] == function]


def wait_for(condition: Callable[[], Any], *, what: str = "") -> Any:
    """Wait for something that another process does; the value once it is true."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {PATIENCE} s in vain for {what or condition}"
        time.sleep(0.01)
    return value
