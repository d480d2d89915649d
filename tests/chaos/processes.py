"""The parts of the local Azure, each a process that is killed and started again in its place."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from local.stack.storage import make, read_names
from tests.chaos.faults import Proxy
from tests.chaos.theirs import Theirs

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
KEY = "chaos"
SHORT_LOCK = "PT5S"
"""How long a dead worker's messages stay locked; five seconds are the least that Azure allows."""


@dataclass(kw_only=True)
class Part:
    """A part, with the ports it was given at its first start.

    Attributes:
        launcher: one thread that starts all parts. A part ends with the thread that started it.
        kills: how often it was killed.
    """

    launcher: Executor
    module: str
    options: list[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    log: Path
    ready: dict[str, Any] = field(default_factory=dict)
    kills: int = 0
    _process: subprocess.Popen[str] | None = None

    def start(self) -> dict[str, Any]:
        """Start it and wait until it is ready; returns what it says."""
        return self.launcher.submit(self._start).result()

    def _start(self) -> dict[str, Any]:
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, *self.options],
                cwd=ROOT,
                env={**os.environ, **self.environ},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None  # it was started with a pipe
        for line in self._process.stdout:
            if line.startswith("ready "):
                self.ready = json.loads(line.removeprefix("ready "))
                threading.Thread(target=self._drain, args=(self._process,), daemon=True).start()
                return self.ready
        message = f"{self.module} ended with {self._process.wait()}: {self.log.read_text()[-2000:]}"
        raise AssertionError(message)

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        assert self._process is not None  # it runs
        self.kills += 1
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to stop."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def is_dead(self) -> bool:
        """Whether it has ended by itself."""
        assert self._process is not None  # it was started
        return self._process.poll() is not None

    def freeze(self) -> None:
        assert self._process is not None  # it runs
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None  # it runs
        os.kill(self._process.pid, signal.SIGCONT)

    @staticmethod
    def _drain(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # it was started with a pipe
        for _ in process.stdout:
            """Nobody reads what it says after that; the pipe must not fill."""
        process.stdout.close()


class Stack:
    """All parts, with a proxy between the functions host and what it calls over HTTP.

    Use it with `with`. Azurite writes its tables of contents to disk every five seconds, and when
    it is stopped; unlike Azure Storage, it forgets acknowledged writes when it is killed. So it is
    stopped in order, or frozen for a while, and not killed.

    Args:
        app: folder of the Functions app; another one than ours has bugs put in on purpose.
    """

    def __init__(self, state: Path, proxy: Proxy, *, app: Path = ROOT) -> None:
        self._state = state
        self._proxy = proxy
        self._app = app
        self._launcher = ThreadPoolExecutor(max_workers=1)
        self.settings: dict[str, str] = {}
        state.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        for name in ("host", "theirs", "grid", "bus", "storage"):
            part: Part | Theirs | None = getattr(self, name, None)
            if part is not None:
                part.stop()
        self._launcher.shutdown()

    @property
    def api(self) -> str:
        return f"{self.host.ready['url']}/api"

    @property
    def parts(self) -> tuple[Part, ...]:
        return (self.storage, self.bus, self.grid, self.host)

    def _start(self) -> None:
        self.storage = self._part("azurite", "--blob-port=0", "--queue-port=0", "--table-port=0")
        told = self.storage.start()
        for service in ("blob", "queue", "table"):
            self._keep(self.storage, f"--{service}-port", told[service].split("/")[2])
        make(read_names(INFRA / "storage.json"), told["connection_string"])
        self.theirs = Theirs(
            self._state / "theirs",
            storage=told["connection_string"],
            seen=self._seen_by_the_app(),
        )
        self.bus = self._part(
            "service_bus", f"--entities={self._entities()}", "--port=0", "--admin-port=0"
        )
        told = self.bus.start()
        self._keep(self.bus, "--port", f":{told['port']}")
        self._keep(self.bus, "--admin-port", told["admin_url"].split("/")[2])
        self._start_grid()
        self._start_host()

    def _start_grid(self) -> None:
        seen = self._seen_by_the_app()
        self.grid = self._part(
            "event_grid",
            f"--topology={INFRA / 'event-grid.json'}",
            "--port=0",
            f"--journal={self.storage.ready['journal']}",
            # Its events carry URLs of the account, as the app knows it.
            environ={
                "LOCAL_SERVICE_BUS": self.bus.ready["connection_string"],
                "LOCAL_STORAGE": seen,
            },
        )
        told = self.grid.start()
        self._keep(self.grid, "--port", told["url"].split("/")[2])

    def _start_host(self) -> None:
        keys = {"host.master": KEY, "host.function.default": KEY}
        (self._state / "keys.json").write_text(json.dumps(keys))
        grid = self._proxy.front(self.grid.ready["url"])
        self.settings = {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AzureWebJobsStorage": self.storage.ready["connection_string"],
            "STORAGE": self._seen_by_the_app(),
            "SERVICE_BUS": self.bus.ready["connection_string"],
            "SERVICE_BUS_ADMIN": self.bus.ready["admin_connection_string"],
            "SERVICE_BUS_ADMIN_CERTIFICATE": str(self.bus.ready["certificate"]),
            "EVENT_GRID_TOPIC": f"{grid}/mesh-events/api/events",
            "EASY_AUTH": "true",
            "EVENT_GRID_KEY": self.grid.ready["key"],
            "WEBHOOK_SIGNING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "WEBHOOK_ORIGIN": "mesh.localhost",
            "ALLOW_LOOPBACK_WEBHOOKS": "true",
            "CHAOS_STATE": str(self._state),
        }
        self.host = self._part(
            "functions_host",
            f"--app={self._app}",
            f"--keys={self._state / 'keys.json'}",
            "--port=0",
            environ=self.settings,
        )
        told = self.host.start()
        self._keep(self.host, "--port", told["url"].split("/")[2])

    def _seen_by_the_app(self) -> str:
        """The storage account with the proxy before its blobs and tables."""
        connection = str(self.storage.ready["connection_string"])
        for service in ("blob", "table"):
            address = "/".join(self.storage.ready[service].split("/")[:3])
            connection = connection.replace(address, self._proxy.front(address))
        return connection

    def _part(self, name: str, *options: str, environ: Mapping[str, str] | None = None) -> Part:
        state = f"--state={self._state / name}"
        log = self._state / f"{name}.log"
        return Part(
            launcher=self._launcher,
            module=f"local.{name}",
            options=[*options, state],
            environ=environ or {},
            log=log,
        )

    @staticmethod
    def _keep(part: Part, option: str, address: str) -> None:
        """Let the part have the same port at its next start."""
        port = address.rpartition(":")[2]
        part.options = [f"{option}={port}" if o == f"{option}=0" else o for o in part.options]

    def _entities(self) -> Path:
        declared = (INFRA / "service-bus.json").read_text()
        path = self._state / "entities.json"
        path.write_text(
            declared.replace('"LockDuration": "PT1M"', f'"LockDuration": "{SHORT_LOCK}"')
        )
        return path
