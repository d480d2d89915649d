"""A webhook receiver for the mesh: start here for your own (docs/webhooks.md explains each step).

    python receiver.py --port 9000 --origin mesh.example --secrets secrets.txt

It needs Python and `pip install standardwebhooks`. It listens on this machine only, so put it
behind what ends TLS for you. `secrets.txt` holds one `whsec_…` per line and is read at every
notification: create it once you have subscribed, add a line while you rotate.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

LONGEST_BODY = 64 * 1024
"""Bytes. A notification refers to data and holds none: the mesh sends less than 20 kB."""

REMEMBERED = 10_000
"""Notifications. A real receiver keeps them in its database, with a unique key."""


class NotVerified(Exception):
    """No secret of ours made any of the signatures."""


def verified(body: bytes, headers: dict[str, str], secrets: list[str]) -> dict[str, Any]:
    """The CloudEvent in `body`, if the mesh sent exactly these bytes, just now.

    Verify the bytes as they came: JSON that was read and written again is another text.
    """
    for secret in secrets:
        try:
            return dict(Webhook(secret).verify(body, headers))
        except (WebhookVerificationError, ValueError):
            continue
    raise NotVerified


class Inbox:
    """Takes each notification once: the mesh tells at least once, and repeats the `webhook-id`."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def take(self, webhook_id: str, event: dict[str, Any]) -> None:
        with self._lock:
            if webhook_id in self._seen:
                return
            # Your work goes here. Keep it short (put it on a queue of yours): the mesh waits.
            print(json.dumps({"webhook-id": webhook_id, "event": event}), flush=True)
            # Remembered last: work that failed is done again when the mesh tries again.
            self._seen[webhook_id] = None
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)


class Handler(BaseHTTPRequestHandler):
    """OPTIONS: consent. POST: a notification."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    origin = "*"
    secrets_file = Path("secrets.txt")
    inbox = Inbox()

    def do_OPTIONS(self) -> None:
        """Say that we want the notifications of this mesh, and of no other."""
        asked = self.headers.get("WebHook-Request-Origin", "")
        if asked and self.origin in ("*", asked):
            self._answer(200, {"WebHook-Allowed-Origin": asked, "Allow": "OPTIONS, POST"})
        else:
            self._answer(403, {"Allow": "OPTIONS, POST"})

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > LONGEST_BODY:
            self.close_connection = True
            self._answer(413)
            return
        body = self.rfile.read(int(length))
        secrets = self._secrets()
        if not secrets:
            self._answer(503, {"Retry-After": "5"})  # subscribed, but not told the secret yet
            return
        try:
            event = verified(body, dict(self.headers.items()), secrets)
        except NotVerified:
            self._answer(401)
            return
        self.inbox.take(self.headers["webhook-id"], event)
        self._answer(204)

    def _secrets(self) -> list[str]:
        try:
            return self.secrets_file.read_text().split()
        except FileNotFoundError:
            return []

    def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class says so
        print(format % args, file=sys.stderr, flush=True)


def main() -> None:
    """Listen until Ctrl+C."""
    parser = argparse.ArgumentParser(description="Receive the webhooks of a mesh.")
    parser.add_argument("--port", type=int, default=9000, help="0 takes a free one")
    parser.add_argument("--origin", default="*", help="the mesh to listen to; * is any")
    parser.add_argument("--secrets", type=Path, default=Path("secrets.txt"), help="one per line")
    options = parser.parse_args()
    Handler.origin, Handler.secrets_file = options.origin, options.secrets
    with ThreadingHTTPServer(("127.0.0.1", options.port), Handler) as server:
        print(f"listening on http://127.0.0.1:{server.server_address[1]}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)


if __name__ == "__main__":
    main()
