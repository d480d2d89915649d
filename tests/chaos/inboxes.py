"""Receivers of webhooks over HTTP: slow, failing, gone, and what they were told."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.chaos.consumers import Told

LATER_S = 20
"""Who says `later` wants to be told again after so many seconds."""


@dataclass(kw_only=True)
class Inboxes:
    """All receivers, one path each, behind one server; use it with `with`.

    A receiver with a mood misbehaves at the first attempt at a notification only: the second
    comes after five seconds, the third after five minutes.

    Attributes:
        moods: what a path may do at a first attempt: a status, `reset`, `slow`, `lost`, or `later`.
        told: all that was received, in order.
    """

    chance: random.Random
    moods: dict[str, tuple[str, ...]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    _seen: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._server = _Server(self.answer)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str, *moods: str) -> str:
        """The URL of a new receiver."""
        self.moods[path] = moods
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> str:
        """Take a notification; returns what to do with it."""
        with self._lock:
            moods = self.moods.get(path, ())
            is_first = headers["webhook-id"] not in self._seen
            self._seen.add(headers["webhook-id"])
            mood = self.chance.choice(moods) if moods and is_first else "204"
            if moods == ("410",):
                mood = "410"
            self.happened[mood] += 1
            self.told.append(
                Told(
                    url=f"http://127.0.0.1:{self._server.server_port}{path}",
                    headers=headers,
                    body=body,
                    at=datetime.now(UTC),
                    taken=mood in {"204", "lost", "slow"},
                )
            )
            return mood


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Callable[[str, dict[str, str], bytes], str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_OPTIONS(self) -> None:
        self._send(200, ("WebHook-Allowed-Origin", "*"))

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        mood = self.server.answer(self.path, headers, body)
        if mood in {"reset", "lost"}:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        if mood == "slow":
            time.sleep(2)  # a slow receiver is slow; nothing waits for this
            mood = "204"
        if mood == "later":
            self._send(429, ("Retry-After", str(LATER_S)))
            return
        self._send(int(mood))

    def _body(self) -> bytes | None:
        """The request's body; None when the sender was killed in the middle of it."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return None
        return body

    def _send(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            """The sender was killed."""
