"""An Azurite for a whole test session, and parts of the local Azure as processes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from local.azurite import Endpoints, install

ROOT = Path(__file__).parents[3]
ANY_PORTS = ("--blob-port=0", "--queue-port=0", "--table-port=0")


class Part:
    """A part of the local Azure as a process of its own."""

    def __init__(self, module: str, *options: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, options)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            _, errors = self.process.communicate()
            message = f"{module} was not ready: {line}{errors}"
            raise AssertionError(message)
        self.ready: dict[str, Any] = json.loads(line.removeprefix("ready "))

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, *, kill: bool = False) -> int:
        """Stop it, by SIGTERM or SIGKILL, and return its code."""
        if self.process.poll() is None:
            (self.process.kill if kill else self.process.terminate)()
        self.process.communicate(timeout=20)
        return self.process.returncode


@contextmanager
def running(module: str, *options: str | Path) -> Iterator[Part]:
    part = Part(module, *options)
    try:
        yield part
    finally:
        part.end()


def failing(module: str, *options: str | Path, **environment: Any) -> tuple[int, str]:
    """Run a part that must not start; its code and what it said on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **environment,
    )
    return done.returncode, done.stderr


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """A running Azurite, installed first if it is not."""
    install()
    state = tmp_path_factory.mktemp("azurite")
    with running("local.azurite", "--state", state, *ANY_PORTS) as part:
        ready = part.ready
        yield Endpoints(
            blob=ready["blob"],
            queue=ready["queue"],
            table=ready["table"],
            journal=Path(ready["journal"]),
        )


async def eventually(condition: Any, *, seconds: float = 20.0) -> Any:
    """Wait for something that another process does; the value of `condition` once it is true."""
    async with asyncio.timeout(seconds):
        while not (value := await asyncio.to_thread(condition)):  # noqa: ASYNC110 - not our process
            await asyncio.sleep(0.01)
    return value
