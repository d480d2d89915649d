"""Connect to an address that was checked, and to no other, within a deadline.

`httpcore` hands us the host name when it wants a connection, and we do not look it up again: the
answer could be another one by now (DNS rebinding). The pool goes by host name, not by address, so
that a connection whose certificate was verified for one name never serves another.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore


@dataclass(kw_only=True, slots=True)
class Attempt:
    """The bounds of one request.

    Attributes:
        addresses: where it may connect to, in this order.
        deadline: on the monotonic clock, in seconds.
    """

    addresses: tuple[str, ...]
    deadline: float

    def remaining(self, limit: float | None) -> float:
        """Seconds left, at most `limit`; a bit more than none, for 0 would mean "do not block"."""
        left = self.deadline - time.monotonic()
        return max(0.001, left if limit is None else min(left, limit))


class CertificateRefused(httpcore.ConnectError):
    """The receiver's certificate is not one we trust for this host name."""


_attempt: ContextVar[Attempt] = ContextVar("attempt")


@contextmanager
def bounded(attempt: Attempt) -> Iterator[Attempt]:
    """Every connection made and byte moved by this thread in the block obeys `attempt`."""
    token = _attempt.set(attempt)
    try:
        yield attempt
    finally:
        _attempt.reset(token)


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to the addresses of the current attempt."""

    def __init__(self) -> None:
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - never looked up again
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        attempt = _attempt.get()
        started = time.monotonic()
        failed: Exception = httpcore.ConnectError("no address to connect to")
        for place, address in enumerate(attempt.addresses):
            spent = time.monotonic() - started
            left = None if timeout is None else timeout - spent
            # A share each, so that one dead address leaves time for the next.
            share = attempt.remaining(left) / (len(attempt.addresses) - place)
            try:
                stream = self._sockets.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return DeadlineStream(stream)
        raise failed


class DeadlineStream(httpcore.NetworkStream):
    """A stream that obeys the deadline of whichever attempt uses it.

    Without it, each read would have the whole time limit for itself, and a receiver that sends a
    byte now and then could hold us for ever.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _attempt.get().remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _attempt.get().remaining(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _attempt.get().remaining(timeout)
        try:
            return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left))
        except httpcore.ConnectError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise CertificateRefused(error.__cause__.verify_message) from error
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def new_pool(ca_file: str | None) -> httpcore.ConnectionPool:
    """A thread-safe pool; how many connections it makes at once is up to its callers.

    It knows nothing of redirects, cookies, proxies or compression: all of that would be a way
    around the checks.

    Args:
        ca_file: certificates to trust (PEM); None for those that browsers trust (`certifi`).
    """
    import certifi

    return httpcore.ConnectionPool(
        ssl_context=ssl.create_default_context(cafile=ca_file or certifi.where()),
        max_connections=None,
        max_keepalive_connections=64,
        # Below the 5 s after which common servers hang up, lest we write to a closed connection.
        keepalive_expiry=4.0,
        http1=True,
        http2=False,
        network_backend=PinnedBackend(),
    )
