"""What every part of the local Azure does as a process: bind to loopback, say ready, stop."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any

LOOPBACK = "127.0.0.1"
"""The only address that parts listen on: nothing of the local Azure is reachable from outside."""


class LocalError(Exception):
    """Something the user can put right; its message says what and how. A part exits with 2."""


def announce_ready(part: str, **addresses: str | int) -> None:
    """Write the line that says a part is ready: `ready {"part": …, …}` on standard output.

    `addresses` holds what a client needs to reach it, with the ports really bound.
    """
    print("ready " + json.dumps({"part": part, "pid": os.getpid(), **addresses}), flush=True)


def listening_socket(port: int, *, purpose: str, option: str) -> socket.socket:
    """Bind a TCP socket on loopback; port 0 takes a free one.

    Raises:
        LocalError: the port is taken; the message names `purpose` and the command-line `option`.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
    except OverflowError:
        bound.close()
        message = f"{port} is no port for {purpose}. Choose one from 0 to 65535 with {option}."
        raise LocalError(message) from None
    except OSError as refused:
        bound.close()
        if refused.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        reason = "is in use" if refused.errno == errno.EADDRINUSE else "may not be used by you"
        message = (
            f"Port {port} for {purpose} {reason}. Stop the program that listens there, "
            f"or choose another port with {option} (0 takes a free one)."
        )
        raise LocalError(message) from None
    bound.listen(512)
    bound.setblocking(False)
    return bound


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent dies: a killed stack leaves nobody behind.

    Elsewhere this does nothing: an orderly stop still ends every child.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGTERM)


def run_part(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run a part until SIGINT or SIGTERM; `main` gets an event that is set when it is time to stop.

    A `LocalError` is printed in one line and ends the process with code 2.
    """

    async def _main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for received in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(received, stop.set)
        await main(stop)

    try:
        asyncio.run(_main())
    except LocalError as refused:
        print(f"error: {refused}", file=sys.stderr, flush=True)
        raise SystemExit(2) from None
