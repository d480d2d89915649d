"""Look up a host name within a time limit."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Sequence

Resolver = Callable[[str, int], Sequence[str]]
"""Host name and port → IP addresses, the best first. Raises OSError when there are none."""


def system_resolver(host: str, port: int) -> list[str]:
    """Ask the operating system."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def look_up(resolver: Resolver, host: str, port: int, *, timeout: float) -> tuple[str, ...]:
    """The addresses of `host`.

    `getaddrinfo` cannot be told to hurry, and whoever owns a name decides how slowly it is
    answered; therefore it runs in a thread that is left behind when the time (seconds) is up.

    Raises:
        TimeoutError: no answer in time.
        OSError: there is no such name, or nobody to ask.
    """
    answers: queue.SimpleQueue[tuple[str, ...] | BaseException] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(tuple(resolver(host, port)))
        except BaseException as failed:  # noqa: BLE001 - raised again by who waits
            answers.put(failed)

    threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError(f"no answer about {host} within {timeout:g} s") from None
    if isinstance(answer, BaseException):
        raise answer
    return answer
