"""Brokers for tests: in a thread beside the test, or as a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.service_bus.emulator import ServiceBusEmulator

_ROOT = Path(__file__).resolve().parents[2]
_STARTING = 30.0
_STOPPING = 10.0


@contextmanager
def broker_in_thread(
    entities: Path | Mapping[str, Any] | None = None, *, state: Path | None = None
) -> Iterator[ServiceBusEmulator]:
    """Run a broker on an event loop in another thread, on free ports.

    Raises:
        LocalError: the broker refuses to start.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="service-bus", daemon=True)
    thread.start()
    bus = ServiceBusEmulator(entities=entities, state=state)
    try:
        asyncio.run_coroutine_threadsafe(bus.__aenter__(), loop).result(_STARTING)
        try:
            yield bus
        finally:
            leaving = asyncio.run_coroutine_threadsafe(bus.__aexit__(None, None, None), loop)
            leaving.result(_STOPPING)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOPPING)
        loop.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerProcess:
    """A broker as a process, and what its ready line told."""

    process: subprocess.Popen[str]
    ready: dict[str, Any]

    @property
    def connection_string(self) -> str:
        """What `ServiceBusClient.from_connection_string` takes."""
        return str(self.ready["connection_string"])

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.communicate()

    def stop(self) -> int:
        """End it in order; give its exit code."""
        self.process.terminate()
        self.process.communicate(timeout=_STOPPING)
        return self.process.returncode


@contextmanager
def broker_process(*options: str | Path) -> Iterator[BrokerProcess]:
    """Run `python -m local.service_bus` on free ports until the block ends.

    Raises:
        RuntimeError: it ended instead of getting ready; the message is what it wrote.
    """
    ports = ("--port", "0", "--admin-port", "0")
    process = start_process([*ports, *map(str, options)])
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise RuntimeError(line + process.communicate()[1])
        yield BrokerProcess(process=process, ready=json.loads(line.removeprefix("ready ")))
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def start_process(options: Sequence[str]) -> subprocess.Popen[str]:
    """Start `python -m local.service_bus` with these options and none of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "local.service_bus", *options],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
