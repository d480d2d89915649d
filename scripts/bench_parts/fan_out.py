"""One event to a thousand webhooks, of which some are slow and some are dead: how late are others?

Run alone: `python -m scripts.bench_parts.fan_out`. The verbs, the real sender over loopback, and
the two lanes with the places of one instance each (8); the backbone is in memory, so this is what
one instance of the app does. The first event finds nobody known to be slow, the second does.
"""

from __future__ import annotations

import logging
import resource
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import quantiles
from typing import Any

from mesh import fan_out, memory, notifications
from mesh.asides import PLACES, Asides
from mesh.backbone import Backbone, in_memory
from mesh.model.events import PRODUCT_UPDATED, Announcement, ReceivedEvent
from mesh.model.lanes import QUICK, SLOW
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.model.record import Head, number
from mesh.model.subscription import Channel, Filter, State, Subscription
from mesh.webhooks.sender import WebhookSender

SUBSCRIBERS = 1000
SLOW_ONES = 50
DEAD_ONES = 50
SLOW_S = 7.0
_PRODUCT = ProductId(domain="bench", product="events")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told: dict[str, float] = {}
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/slow"):
            time.sleep(SLOW_S)
        with self.server.lock:
            self.server.told.setdefault(self.path, time.perf_counter())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            """The sender did not wait."""


@contextmanager
def _receivers() -> Iterator[tuple[_Server, str, str]]:
    """A server, its URL, and the URL of one that takes connections and says nothing."""
    with _Server() as server, socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(512)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ports = server.server_port, mute.getsockname()[1]
        yield (server, *(f"http://127.0.0.1:{port}" for port in ports))
        server.shutdown()


def measure() -> dict[str, float]:
    """Measure; latencies in milliseconds from the start of the fan-out.

    `…_healthy_p50`, `…_healthy_p99`: of the healthy nine in ten. `…_per_second`: healthy
    subscribers told, from the start until the last of them was. `peak_mb`: memory of this process.
    """
    logging.disable(logging.WARNING)  # of what fails on purpose
    results: dict[str, float] = {}
    with ExitStack() as stack:
        server, url, mute = stack.enter_context(_receivers())
        sender = WebhookSender(origin="bench.localhost", version="0", allow_loopback=True)
        stack.callback(sender.close)
        backbone = replace(in_memory(), webhooks=sender, asides=Asides())
        _subscribe(backbone, url, mute)
        for place, name in enumerate(("first", "second"), start=1):
            server.told.clear()
            times = _tell(backbone, place, server)
            percentiles = quantiles(times, n=100)
            results |= {
                f"{name}_healthy_p50": percentiles[49] * 1000,
                f"{name}_healthy_p99": percentiles[98] * 1000,
                f"{name}_per_second": len(times) / max(times),
            }
    results["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return results


def _subscribe(backbone: Backbone, url: str, mute: str) -> None:
    for at in range(SUBSCRIBERS):
        target = f"{url}/healthy/{at}"
        if at % 20 == 0:
            target = f"{url}/slow/{at}"
        elif at % 20 == 1:
            target = f"{mute}/dead/{at}"
        wants = Subscription(
            id=f"s{at}",
            product=_PRODUCT,
            subscriber="fleet",
            channel=Channel.PUSH,
            target=target,
            filter=Filter(),
            state=State.ACTIVE,
            created_at=datetime.now(UTC),
        )
        backbone.subscriptions.add(wants)


def _event(sequence: int) -> ReceivedEvent:
    told = Announcement(
        type=PRODUCT_UPDATED,
        key=str(sequence),
        subject="v1/events",
        time=datetime.now(UTC),
        data={"object": "events"},
        trace_id="ab" * 16,
    )
    head = replace(Head.new(_PRODUCT), sequence=sequence - 1)
    return ReceivedEvent.from_cloudevent(number(head, (told,))[1][0].to_cloudevent())


def _tell(backbone: Backbone, sequence: int, server: _Server) -> list[float]:
    """Fan an event out and work until all healthy subscribers are told; when each was, in s."""
    queues = backbone.queues
    assert isinstance(queues, memory.Queues)
    healthy = SUBSCRIBERS - SLOW_ONES - DEAD_ONES
    started = time.perf_counter()
    fan_out.fan_out(backbone, _event(sequence))
    with ExitStack() as stack:
        lanes = {lane: stack.enter_context(ThreadPoolExecutor(PLACES)) for lane in (QUICK, SLOW)}
        running: list[Future[Any]] = []
        while True:
            for lane, pool in lanes.items():
                # What is to be tried again is not waited for.
                now = [one.body for one in queues.take(lane) if one.due is None]
                running += [pool.submit(_notify, backbone, body, lane) for body in now]
            done = [path for path in dict(server.told) if path.startswith("/healthy")]
            if len(done) == healthy:
                break
            time.sleep(0.005)
        for one in running:
            one.cancel()
        for pool in lanes.values():
            pool.shutdown(wait=True, cancel_futures=True)
    return [at - started for path, at in server.told.items() if path.startswith("/healthy")]


def _notify(backbone: Backbone, body: Mapping[str, Any], lane: str) -> None:
    notifications.notify(backbone, Notification.from_data(body), lane=lane)


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:20} {value:10.1f}")
