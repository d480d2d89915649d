"""A consuming domain: its receiver verifies each notification before it believes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONGEST_BODY = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A notification whose signature was verified.

    Attributes:
        at: when it came, as `time.time`.
    """

    webhook_id: str
    event: Mapping[str, Any]
    at: float


@dataclass(kw_only=True)
class Consumer:
    """What a consuming domain was told.

    Attributes:
        url: of its webhook.
        secrets: of its subscriptions.
        told: verified notifications by their webhook id: told twice is told once.
        unverified: how many notifications had no signature that one of the secrets made.
    """

    url: str = ""
    secrets: list[str] = field(default_factory=list, repr=False)
    told: dict[str, Told] = field(default_factory=dict)
    unverified: int = 0
    _came: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        """Take a request in; returns the status to answer."""
        event = self._verified(headers, body)
        with self._came:
            if event is None:
                self.unverified += 1
                return 401
            identity = headers["webhook-id"]
            self.told.setdefault(identity, Told(webhook_id=identity, event=event, at=time.time()))
            self._came.notify_all()
        return 204

    def wait_for(
        self, wanted: Callable[[Mapping[str, Any]], bool], *, timeout_s: float
    ) -> Told | None:
        """The first notification that is `wanted`, once it came; None when it did not in time."""
        with self._came:
            found: list[Told] = self._came.wait_for(
                lambda: [told for told in self.told.values() if wanted(told.event)], timeout_s
            )
        return found[0] if found else None

    def _verified(self, headers: Mapping[str, str], body: bytes) -> Mapping[str, Any] | None:
        from standardwebhooks import Webhook, WebhookVerificationError

        for secret in self.secrets:
            try:
                event: Mapping[str, Any] = Webhook(secret).verify(body, dict(headers))
            except (WebhookVerificationError, ValueError):
                continue
            return event
        return None


@contextmanager
def receiving() -> Iterator[Consumer]:
    """A consumer whose webhook listens on loopback."""
    consumer = Consumer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_OPTIONS(self) -> None:
            """Consent to the notifications of the mesh that asks."""
            origin = self.headers.get("WebHook-Request-Origin", "")
            self._answer(200, {"WebHook-Allowed-Origin": origin})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            if length > LONGEST_BODY:
                self._answer(413, {"Connection": "close"})
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._answer(consumer.take(headers, self.rfile.read(length)), {})

        def log_message(self, *_: object) -> None:
            """Say nothing: the demo tells what came."""

        def _answer(self, status: int, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    consumer.url = f"http://127.0.0.1:{server.server_port}/notifications"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield consumer
    finally:
        server.shutdown()
        server.server_close()
