"""`--reload`: a supervisor that starts the host anew when the app's files change.

The supervisor keeps the listening socket, so the port stays and requests wait through a change.
The host itself is a child process: an old version of the app leaves nothing behind in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from watchfiles import Change, awatch

from local.process import announce_ready

_WRONG_APP = 2
_SETTLE_MS = 200
READY = "ready "


def matters(app: Path, change: Change, path: str) -> bool:
    """Tell whether a change concerns the app: Python files, JSON beside `host.json`, folders."""
    file = Path(path)
    if _is_ignored(file.name):
        return False
    is_setting = file.suffix == ".json" and file.parent == app
    return file.suffix == ".py" or is_setting or (change is Change.added and file.is_dir())


def folders(app: Path) -> list[Path]:
    """List the folders to watch: the app's own, without environments, caches and modules."""
    found = [app]
    for folder in found:
        found += [
            entry
            for entry in folder.iterdir()
            if entry.is_dir() and not entry.is_symlink() and not _is_ignored(entry.name)
        ]
    return found


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name in ("__pycache__", "node_modules", "venv", "env")


class Supervisor:
    """Runs the host as a child and replaces it on change."""

    def __init__(
        self, app: Path, arguments: Sequence[str], bound: socket.socket, grace: float
    ) -> None:
        self._app = app
        self._arguments = arguments
        self._bound = bound
        self._grace = grace
        self._announced = False

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`; a child that ends by itself is started again on the next change."""
        while not stop.is_set():
            changing = asyncio.create_task(self._next_change(stop))
            child = await self._start()
            try:
                names = await changing
            finally:
                await self._end(child)
            if names:
                _say("Information", f"{', '.join(names)} changed: starting the app anew")

    async def _next_change(self, stop: asyncio.Event) -> list[str]:
        changes = awatch(
            *folders(self._app),
            watch_filter=lambda change, path: matters(self._app, change, path),
            stop_event=stop,
            step=_SETTLE_MS,
            recursive=False,
        )
        async for changed in changes:
            return sorted({Path(path).name for _, path in changed})
        return []

    async def _start(self) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "local.functions_host",
            *self._arguments,
            "--listen-fd",
            str(self._bound.fileno()),
            pass_fds=(self._bound.fileno(),),
            stdout=asyncio.subprocess.PIPE,
            cwd=str(Path(__file__).parents[2]),
        )
        self._relaying = asyncio.create_task(self._relay(child))
        return child

    async def _relay(self, child: asyncio.subprocess.Process) -> None:
        """Pass the child's output on; its ready line only once, and under our process id."""
        assert child.stdout is not None
        async for raw in child.stdout:
            line = raw.decode(errors="replace")
            if not line.startswith(READY):
                print(line, end="", flush=True)
            elif not self._announced:
                self._announced = True
                addresses = json.loads(line.removeprefix(READY))
                part = addresses.pop("part")
                addresses.pop("pid")
                announce_ready(part, **addresses)
        if await child.wait() == _WRONG_APP:
            _say("Warning", "The app cannot be served; waiting for a change of its files")

    async def _end(self, child: asyncio.subprocess.Process) -> None:
        """Stop the child as any host stops; kill it when it does not answer to that."""
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(child.wait(), self._grace + 15)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
        await self._relaying


def _say(level: str, message: str) -> None:
    line = {"level": level, "category": "Host.Reload", "message": message}
    print(json.dumps(line), file=sys.stderr, flush=True)
