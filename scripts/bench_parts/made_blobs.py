"""A blob service for one benchmark: one blob is made while it is read, large ones are only counted.

`python made_blobs.py GIGABYTES [--bad]` prints its port. It speaks as much of Azure Blob storage as
a landing needs: Get Blob in ranges, Put Blob, Put Block, Put Block List. `GET /told` says, as JSON,
how many bytes of the blob were asked for so far.
"""

from __future__ import annotations

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_parts import orders

ETAG = '"0x8DD000000000001"'
BLOB = "sales/orders/v1/orders/orders.csv"
GIGABYTE = 10**9
_ORDERS = 20_000
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class Made:
    """The same orders again and again, each time with other keys: any range of it, at any time."""

    def __init__(self, gigabytes: float, *, bad: bool) -> None:
        good = [order for order, spoiled in orders.orders(_ORDERS) if not spoiled]
        if bad:
            good = [{**order, "quantity": 0} for order in good]
        self._header = (",".join(orders.COLUMNS) + "\n").encode()
        self._lines = [orders.line(order)[4:] for order in good]
        self._piece = len(self._again(0))
        pieces = max(1, round(gigabytes * GIGABYTE / self._piece))
        self.size = len(self._header) + pieces * self._piece
        self._made = (-1, b"")

    def read(self, start: int, stop: int) -> bytes:
        """Some of its bytes."""
        found = bytearray(self._header[start:stop])
        at = max(start, len(self._header)) - len(self._header)
        while (rest := stop - start - len(found)) > 0:
            number, offset = divmod(at, self._piece)
            part = self._kept(number)[offset : offset + rest]
            found += part
            at += len(part)
        return bytes(found)

    def _kept(self, number: int) -> bytes:
        if self._made[0] != number:
            self._made = number, self._again(number)
        return self._made[1]

    def _again(self, number: int) -> bytes:
        prefix = f"{number:04x}"
        return "".join([prefix + line for line in self._lines]).encode()


class Service(ThreadingHTTPServer):
    """What stands there."""

    daemon_threads = True

    def __init__(self, made: Made) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.made = made
        self.blobs: dict[str, bytes] = {}
        self.told = {"read": 0, "written": 0, "size": made.size}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/told":
            self._answer(200, json.dumps(self.server.told).encode())
        elif path.endswith(f"/landing/{BLOB}"):
            self._part(self.server.made.size, self.server.made.read)
            self.server.told["read"] = max(self.server.told["read"], self._stop)
        elif "restype=container" in self.path:
            self._answer(200, b"")
        elif path in self.server.blobs:
            data = self.server.blobs[path]
            self._part(len(data), lambda start, stop: data[start:stop])
        else:
            self._answer(404, b"", {"x-ms-error-code": "BlobNotFound"})

    def do_PUT(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told["written"] += len(body)
        if "comp" not in query:
            self.server.blobs[urlsplit(self.path).path] = body
        self._answer(201, b"")

    def _part(self, size: int, read: object) -> None:
        asked = _RANGE.match(self.headers.get("x-ms-range") or self.headers.get("Range") or "")
        start, last = (int(asked[1]), int(asked[2])) if asked else (0, size - 1)
        self._stop = min(last + 1, size)
        assert callable(read)
        data = read(start, self._stop)
        about = {"Content-Range": f"bytes {start}-{self._stop - 1}/{size}"}
        self._answer(206, data, {**about, "x-ms-blob-type": "BlockBlob"})

    def _answer(self, status: int, body: bytes, about: dict[str, str] | None = None) -> None:
        self.send_response(status)
        same = {"ETag": ETAG, "Last-Modified": "Sun, 22 Nov 2026 12:00:00 GMT"}
        for name, value in {**same, "Content-Length": str(len(body)), **(about or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing of each request."""


if __name__ == "__main__":
    service = Service(Made(float(sys.argv[1]), bad="--bad" in sys.argv))
    print(service.server_address[1], flush=True)
    service.serve_forever()
