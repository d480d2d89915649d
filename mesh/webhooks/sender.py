"""Make one attempt at telling a receiver; ask it for its consent first."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mesh.errors import Rejected
from mesh.model.delivery import DeliveryAttempt
from mesh.webhooks.answers import Answer, judge, retry_after
from mesh.webhooks.resolver import Resolver, look_up, system_resolver
from mesh.webhooks.targets import Target, check_addresses, parse_target

if TYPE_CHECKING:
    import httpcore

LONGEST_ANSWER = 64 * 1024
"""Bytes of a response's body that are read, only to be able to use the connection again."""

BODY_SECONDS = 1.0
"""How long the body of a response may take once its status is known."""

_ORIGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?", re.ASCII)


class _NoAnswer(Exception):
    """The receiver could not be reached, or did not answer; the message says why."""


@dataclass(kw_only=True, slots=True)
class WebhookSender:
    """Sends notifications; one for the whole process, used by any number of threads.

    Attributes:
        origin: DNS name of this mesh, which receivers consent to (`WebHook-Request-Origin`).
        version: of the mesh, for `user-agent`.
        allow_loopback: also send to this machine, unencrypted if need be: for the local Azure only.
        connect_timeout: seconds for the TCP connection, and again for TLS.
        total_timeout: seconds for all of an attempt, from the look-up to the status.
        ca_file: certificates to trust (PEM) in place of those that browsers trust.
        now: the clock that dates in `Retry-After` are compared with.

    Raises:
        ValueError: `origin` is no DNS name.
    """

    origin: str
    version: str
    allow_loopback: bool = False
    connect_timeout: float = 5.0
    total_timeout: float = 20.0
    ca_file: str | None = None
    resolver: Resolver = system_resolver
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _pool: httpcore.ConnectionPool | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if not _ORIGIN.fullmatch(self.origin):
            raise ValueError(f"the origin of webhooks must be a DNS name, not {self.origin!r}")

    def verify(self, url: str) -> float:
        """Ask a receiver whether it wants our notifications (CloudEvents HTTP 1.1 Web Hooks, 4).

        Consent is the header `WebHook-Allowed-Origin` with our origin or `*`; a status is not.

        Returns:
            how long it took, in seconds.

        Raises:
            Rejected: `invalid-webhook-url`, `webhook-not-public`, or `webhook-unverified` for a
                receiver that did not consent; the message says what it has to answer.
        """
        target = parse_target(url, allow_loopback=self.allow_loopback)
        started = time.perf_counter()
        try:
            answer = self._exchange("OPTIONS", target, {}, b"", self.total_timeout)
        except _NoAnswer as failed:
            raise self._unverified(target, f"could not be asked: {failed}") from None
        allowed = answer.values(b"webhook-allowed-origin")
        if answer.is_redirect:
            why = f"answered {answer}, and redirects are never followed"
        elif not allowed:
            why = f"answered {answer} without the header WebHook-Allowed-Origin"
        elif "*" not in allowed and self.origin.lower() not in map(str.lower, allowed):
            why = f"allows another origin, {allowed[0][:100]!r}"
        else:
            return time.perf_counter() - started
        raise self._unverified(target, why)

    def deliver(
        self,
        *,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        limit: timedelta | None = None,
    ) -> DeliveryAttempt:
        """Make one attempt. Whatever the receiver does is a value, never an exception.

        Args:
            limit: for all of the attempt; `total_timeout` if that is less, or nothing is given.
            body: one CloudEvent in structured mode; its size is the caller's business.
            headers: those that `SigningSecrets.headers` made for this body.
        """
        started = time.perf_counter()
        seconds = self.total_timeout
        if limit is not None:
            seconds = min(seconds, limit.total_seconds())
        attempt = self._attempt(url, body, headers, seconds)
        return replace(attempt, duration_s=time.perf_counter() - started)

    def close(self) -> None:
        """Close all connections, also those in use; the sender can be used again afterwards."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _attempt(
        self, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> DeliveryAttempt:
        try:
            target = parse_target(url, allow_loopback=self.allow_loopback)
            answer = self._exchange("POST", target, headers, body, seconds)
        except Rejected as refused:
            return DeliveryAttempt(
                outcome="refused", status=None, reason=str(refused), duration_s=0
            )
        except _NoAnswer as failed:
            reason = f"The receiver could not be told: {failed}."
            return DeliveryAttempt(outcome="retry", status=None, reason=reason, duration_s=0)
        outcome, reason = judge(answer)
        return DeliveryAttempt(
            outcome=outcome,
            status=answer.status,
            reason=reason,
            retry_after=retry_after(answer, now=self.now()) if outcome == "retry" else None,
            duration_s=0,
        )

    def _exchange(
        self, method: str, target: Target, headers: Mapping[str, str], body: bytes, seconds: float
    ) -> Answer:
        """Send one request to an address that has just been checked, and take its status.

        Raises:
            Rejected: the target is inside the network.
            _NoAnswer: there was no status.
        """
        import httpcore

        from mesh.webhooks.connection import Attempt, bounded

        deadline = time.monotonic() + seconds
        attempt = Attempt(addresses=self._addresses(target), deadline=deadline)
        url = httpcore.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        sent = [
            ("host", target.authority),
            ("user-agent", f"mvmesh/{self.version}"),
            ("webhook-request-origin", self.origin),
            ("content-length", str(len(body))),
            *headers.items(),
        ]
        limits = {"timeout": {"connect": self.connect_timeout}}
        with (
            bounded(attempt),
            self._explained(seconds),
            self._connections().stream(
                method, url, headers=sent, content=body, extensions=limits
            ) as response,
        ):
            attempt.deadline = min(attempt.deadline, time.monotonic() + BODY_SECONDS)
            _discard(response)
            return Answer(status=response.status, headers=response.headers)

    def _addresses(self, target: Target) -> tuple[str, ...]:
        """Where the target is now, if that is outside the network."""
        addresses: tuple[str, ...] = (target.host,)
        if not target.is_address:
            try:
                addresses = look_up(
                    self.resolver, target.host, target.port, timeout=self.connect_timeout
                )
            except OSError:
                raise _NoAnswer(f"the host name {target.host} could not be resolved") from None
        check_addresses(target, addresses, allow_loopback=self.allow_loopback)
        return addresses

    @contextmanager
    def _explained(self, seconds: float) -> Iterator[None]:
        """Say what went wrong on the way to an answer; our own mistakes are left as they are."""
        import httpcore

        from mesh.webhooks.connection import CertificateRefused

        try:
            yield
        except CertificateRefused as refused:
            raise _NoAnswer(f"its certificate was not accepted ({refused})") from None
        except httpcore.ConnectTimeout:
            raise _NoAnswer(f"no connection within {self.connect_timeout:g} s") from None
        except httpcore.ConnectError:
            raise _NoAnswer("no connection could be made") from None
        except httpcore.TimeoutException:
            raise _NoAnswer(f"no answer within {seconds:g} s") from None
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            raise _NoAnswer("the connection ended without an answer in HTTP") from None

    def _connections(self) -> httpcore.ConnectionPool:
        with self._lock:
            if self._pool is None:
                from mesh.webhooks.connection import new_pool

                self._pool = new_pool(self.ca_file)
            return self._pool

    def _unverified(self, target: Target, why: str) -> Rejected:
        message = (
            f"The receiver at {target.authority} {why}. It must answer an OPTIONS request for this "
            f"URL with the header `WebHook-Allowed-Origin: {self.origin}` (or `*`), to say that it "
            "wants the notifications of this mesh."
        )
        return Rejected(message, problem="webhook-unverified", status=422)


def _discard(response: httpcore.Response) -> None:
    """Read the body to its end, or give up: the status stands, whatever becomes of the body."""
    import httpcore

    left = LONGEST_ANSWER
    try:
        for chunk in response.iter_stream():
            left -= len(chunk)
            if left < 0:
                return
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.RemoteProtocolError):
        return
