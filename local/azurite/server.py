"""Run Azurite as a child process and know when it is ready, when it fails, and why."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from local.azurite.install import DEFAULT_FOLDER, azurite_script, node_binary
from local.process import LOOPBACK, LocalError, die_with_parent, listening_socket

ACCOUNT_NAME = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""Azurite's well-known development account; it protects nothing."""

SERVICES = ("blob", "queue", "table")
_LISTENING = re.compile(r"Azurite (\w+) service is successfully listening at http://[\d.]+:(\d+)")
_STOP_SECONDS = 10
_SMALL = ("--max-semi-space-size=2", "--optimize-for-size")
"""Node lets its heap grow by 100s of MB before it looks for garbage; as fast, it can be small."""

_OBSERVER = Path(__file__).parent / "request_journal.cjs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoints:
    """Where a running Azurite listens, and where it writes down the changes of blobs."""

    blob: str
    queue: str
    table: str
    journal: Path

    @property
    def connection_string(self) -> str:
        """What the storage SDKs take."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT_NAME};AccountKey={ACCOUNT_KEY};"
            f"BlobEndpoint={self.blob};QueueEndpoint={self.queue};TableEndpoint={self.table};"
        )


class Azurite:
    """One Azurite with its state in a folder: `async with Azurite(state=…) as endpoints: …`.

    Port 0 takes a free one. The child ends with the block, and on Linux also when this process is
    killed. Azurite saves its tables of contents every five seconds and when it is asked to stop:
    a *killed* Azurite may forget what it acknowledged in its last seconds.
    """

    def __init__(
        self,
        *,
        state: Path,
        blob_port: int = 0,
        queue_port: int = 0,
        table_port: int = 0,
        modules: Path = DEFAULT_FOLDER,
    ) -> None:
        self._state = state
        self._ports = dict(zip(SERVICES, (blob_port, queue_port, table_port), strict=True))
        self._modules = modules
        self._last_lines: collections.deque[str] = collections.deque(maxlen=20)
        self._reader: asyncio.Task[None] | None = None
        self._node: asyncio.subprocess.Process | None = None
        self._lock: int | None = None

    async def __aenter__(self) -> Endpoints:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of node while it runs."""
        return self._node.pid if self._node else None

    async def start(self) -> Endpoints:
        """Start and return once all three services listen.

        Raises:
            LocalError: not installed, a port or the state folder is in use, or Azurite gave up.
        """
        script, node = azurite_script(self._modules), node_binary()
        for service, port in self._ports.items():
            listening_socket(
                port, purpose=f"Azurite's {service} service", option=f"--{service}-port"
            ).close()
        self._lock_state()
        try:
            self._node = await self._spawn(node, script)
            listening: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
            self._reader = asyncio.create_task(self._read_output(self._node, listening))
            return Endpoints(**await listening, journal=self._journal)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ask Azurite to save and end; kill it when it does not within ten seconds."""
        node, reader = self._node, self._reader
        if node is not None:
            if node.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    node.terminate()
                try:
                    async with asyncio.timeout(_STOP_SECONDS):
                        await node.wait()
                except TimeoutError:
                    node.kill()
                    await node.wait()
            if reader is not None:
                await reader
        if self._lock is not None:
            os.close(self._lock)
        self._node = self._reader = self._lock = None

    async def wait(self) -> None:
        """Return never, unless Azurite ends by itself.

        Raises:
            LocalError: it did; the message holds its last lines.
        """
        assert self._node is not None, "start() first"
        raise self._gave_up(await self._node.wait(), started=True)

    @property
    def _journal(self) -> Path:
        return self._state / "blob-journal"

    def _lock_state(self) -> None:
        self._state.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._state / "lock", os.O_CREAT | os.O_RDWR)
        try:
            import fcntl

            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            return  # no such locks on Windows
        except OSError:
            os.close(self._lock)
            self._lock = None
            message = (
                f"Another Azurite works in the state folder {self._state}. "
                "Stop it, or choose another folder with --state."
            )
            raise LocalError(message) from None

    async def _spawn(self, node: Path, script: Path) -> asyncio.subprocess.Process:
        options = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        options += ["--location", str(self._state)]
        for service, port in self._ports.items():
            options += [f"--{service}Host", LOOPBACK, f"--{service}Port", str(port)]
        return await asyncio.create_subprocess_exec(
            *(str(node), *_SMALL, "--require", str(_OBSERVER), str(script), *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "BLOB_JOURNAL": str(self._journal)},
            preexec_fn=die_with_parent if os.name == "posix" else None,
        )

    async def _read_output(
        self, node: asyncio.subprocess.Process, listening: asyncio.Future[dict[str, str]]
    ) -> None:
        found: dict[str, str] = {}
        assert node.stdout is not None
        async for raw in node.stdout:
            line = raw.decode(errors="replace").rstrip()
            self._last_lines.append(line)
            if match := _LISTENING.search(line):
                found[match[1].lower()] = f"http://{LOOPBACK}:{match[2]}/{ACCOUNT_NAME}"
            if len(found) == len(SERVICES) and not listening.done():
                listening.set_result(found)
        code = await node.wait()
        if not listening.done():
            listening.set_exception(self._gave_up(code, started=False))

    def _gave_up(self, code: int, *, started: bool) -> LocalError:
        said = "\n".join(self._last_lines)
        what = "ended by itself" if started else "did not start"
        advice = (
            f"Its state folder is {self._state}: if that is damaged, move it away and start again."
        )
        message = f"Azurite {what} (code {code}). {advice} Its last lines:\n{said}"
        return LocalError(message)
