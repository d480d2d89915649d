"""A part of the local Azure as a child process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from local.process import LocalError, die_with_parent

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 15.0
_PORT_OPTION = re.compile(r"choose another port with \S+ \(0 takes a free one\)")
LOG_TAIL = 2000
"""Characters of a part's log that are shown when it fails."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A running part.

    Attributes:
        ready: what it said in its ready line.
    """

    name: str
    process: asyncio.subprocess.Process
    ready: Mapping[str, Any]
    log: Path

    @classmethod
    async def start(
        cls, name: str, *arguments: str, log: Path, environ: Mapping[str, str] | None = None
    ) -> Self:
        """Start `python -m local.NAME` and wait until it says that it is ready.

        Its output goes to the file `log`, where the next lines of a running part are found too.

        Raises:
            LocalError: it ended, or said nothing in time; the message has the end of its log.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"local.{name}",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(environ or {})},
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
        try:
            ready = await asyncio.wait_for(_ready_line(process), READY_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise LocalError(_too_slow(name, log)) from None
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        if ready is None:
            await process.wait()
            raise LocalError(_failure(name, log))
        return cls(name=name, process=process, ready=ready, log=log)

    async def stop(self) -> None:
        """Ask it to stop, and end it when it does not."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOPPED_WITHIN_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def died(self) -> str:
        """Wait until it ends by itself; returns what there is to say about that."""
        assert self.process.stdout is not None  # it was started with a pipe
        with self.log.open("ab") as log:
            while line := await self.process.stdout.readline():
                log.write(line)
                log.flush()
        await self.process.wait()
        return _failure(self.name, self.log)


async def _ready_line(process: asyncio.subprocess.Process) -> Mapping[str, Any] | None:
    """What the ready line says; None when the process ends without one."""
    assert process.stdout is not None  # it was started with a pipe
    while line := await process.stdout.readline():
        if line.startswith(b"ready "):
            said: Mapping[str, Any] = json.loads(line.removeprefix(b"ready "))
            return said
    return None


def _too_slow(name: str, log: Path) -> str:
    return (
        f"The part {name} was not ready after {READY_WITHIN_S:g} s, and was stopped. Try again "
        f"when this machine has less to do. Its log, {log}, ends with:\n{_tail(log)}"
    )


def _failure(name: str, log: Path) -> str:
    text = _tail(log)
    if text.startswith("error: ") and "\n" not in text:
        # A part's own option for its port is none of the stack's.
        return _PORT_OPTION.sub("take free ports with --free-ports", text.removeprefix("error: "))
    return f"The part {name} has ended. Its log, {log}, ends with:\n{text}"


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace").strip()[-LOG_TAIL:] or "(nothing)"
