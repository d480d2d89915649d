"""What a receiver does becomes a value."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook, WebhookVerificationError

from mesh.model.delivery import webhook_id
from mesh.webhooks.secrets import SigningSecrets
from mesh.webhooks.sender import LONGEST_ANSWER, WebhookSender

if TYPE_CHECKING:
    from tests.integration.webhooks.conftest import Receivers

Senders = Callable[..., WebhookSender]

EVENT = {
    "specversion": "1.0",
    "id": "a.b",
    "source": "urn:mesh:geography:countries",
    "type": "mesh.product.updated.v1",
    "subject": "v1/countries",
    "time": "2026-03-04T05:06:07Z",
    "datacontenttype": "application/json",
    "sequence": "00000000000000000007",
    "data": {"name": "Tromsø ✈"},
}
BODY = json.dumps(EVENT, ensure_ascii=False).encode()
SECRETS = SigningSecrets(master_keys=(b"k" * 32,))


def _headers(at: datetime | None = None) -> dict[str, str]:
    return SECRETS.headers(
        subscription="sub-1",
        generations=[1],
        webhook_id=webhook_id(EVENT["source"], EVENT["id"], "sub-1"),
        at=at or datetime.now(UTC),
        body=BODY,
    )


def test_a_notification_arrives_signed_and_whole(receivers: Receivers, senders: Senders) -> None:
    receiver = receivers.answering(200)
    attempt = senders().deliver(url=receiver.url, body=BODY, headers=_headers())

    assert (attempt.outcome, attempt.status) == ("delivered", 200)
    assert attempt.reason == "The receiver answered 200 OK."
    assert attempt.retry_after is None
    assert attempt.duration_s > 0
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/hook?key=1", BODY)
    assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert request.headers["user-agent"] == "mvmesh/1.2.3"
    assert request.headers["webhook-request-origin"] == "mesh.example"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["webhook-id"] == webhook_id(EVENT["source"], EVENT["id"], "sub-1")
    assert "transfer-encoding" not in request.headers


def test_the_reference_library_verifies_what_arrived(
    receivers: Receivers, senders: Senders
) -> None:
    receiver = receivers.answering(200)
    senders().deliver(url=receiver.url, body=BODY, headers=_headers())
    (request,) = receiver.requests

    webhook = Webhook(SECRETS.reveal("sub-1", 1))
    assert webhook.verify(request.body, request.headers) == EVENT
    forged = request.headers | {"webhook-id": "msg_forged"}
    with pytest.raises(WebhookVerificationError):
        webhook.verify(request.body, forged)
    with pytest.raises(WebhookVerificationError):
        webhook.verify(request.body.replace(b"countries", b"runways"), request.headers)


def test_the_cloudevents_sdk_reads_what_arrived(receivers: Receivers, senders: Senders) -> None:
    receiver = receivers.answering(200)
    senders().deliver(url=receiver.url, body=BODY, headers=_headers())
    (request,) = receiver.requests

    event = from_http_event(HTTPMessage(headers=request.headers, body=request.body))
    assert event.get_id() == "a.b"
    assert event.get_source() == "urn:mesh:geography:countries"
    assert event.get_time() == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert event.get_extension("sequence") == "00000000000000000007"
    assert event.get_data() == {"name": "Tromsø ✈"}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (204, "delivered"),
        (301, "refused"),
        (307, "refused"),
        (400, "retry"),
        (410, "gone"),
        (500, "retry"),
        (503, "retry"),
    ],
)
def test_statuses(receivers: Receivers, senders: Senders, status: int, outcome: str) -> None:
    elsewhere = receivers.answering(200)
    receiver = receivers.answering(status, {"location": elsewhere.url}, b"")
    attempt = senders().deliver(url=receiver.url, body=BODY, headers=_headers())
    assert (attempt.outcome, attempt.status) == (outcome, status)
    assert len(receiver.requests) == 1
    assert elsewhere.requests == []


NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("text", ["90", format_datetime(NOW + timedelta(seconds=90), usegmt=True)])
def test_retry_after(receivers: Receivers, senders: Senders, status: int, text: str) -> None:
    receiver = receivers.answering(status, {"Retry-After": text})
    sender = senders(now=lambda: NOW)
    attempt = sender.deliver(url=receiver.url, body=BODY, headers=_headers())
    assert (attempt.outcome, attempt.status) == ("retry", status)
    assert attempt.retry_after == timedelta(seconds=90)


@pytest.mark.parametrize("status", [200, 410])
def test_retry_after_means_nothing_without_a_retry(
    receivers: Receivers, senders: Senders, status: int
) -> None:
    receiver = receivers.answering(status, {"Retry-After": "90"})
    attempt = senders().deliver(url=receiver.url, body=BODY, headers=_headers())
    assert attempt.retry_after is None


def test_a_receiver_that_does_not_answer(receivers: Receivers, senders: Senders) -> None:
    receiver = receivers.behaving(lambda _: receiver.stopping.wait())
    attempt = senders(total_timeout=0.2).deliver(url=receiver.url, body=BODY, headers=_headers())
    assert (attempt.outcome, attempt.status) == ("retry", None)
    assert attempt.reason == "The receiver could not be told: no answer within 0.2 s."


def test_a_receiver_that_answers_drop_by_drop(receivers: Receivers, senders: Senders) -> None:
    """Each byte comes in time; together they never would."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
        while not receiver.stopping.wait(0.02):
            handler.wfile.write(b"x")

    receiver = receivers.behaving(drip)
    attempt = senders(total_timeout=0.3).deliver(url=receiver.url, body=BODY, headers=_headers())
    assert (attempt.outcome, attempt.reason) == (
        "retry",
        "The receiver could not be told: no answer within 0.3 s.",
    )


def _no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    handler.close_connection = True


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def _reset(handler: BaseHTTPRequestHandler) -> None:
    linger = struct.pack("ii", 1, 0)  # close() then sends RST
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.rfile.close()
    handler.wfile.close()
    handler.connection.close()
    handler.close_connection = True


def _endless_header(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 1_000_000)


@pytest.mark.parametrize("behave", [_no_http, _hang_up, _reset, _endless_header])
def test_a_connection_that_ends_in_nothing(
    receivers: Receivers, senders: Senders, behave: Any
) -> None:
    receiver = receivers.behaving(behave)
    attempt = senders().deliver(url=receiver.url, body=BODY, headers=_headers())
    assert (attempt.outcome, attempt.status) == ("retry", None)
    assert attempt.reason == (
        "The receiver could not be told: the connection ended without an answer in HTTP."
    )


def test_nobody_listens(senders: Senders) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # taken, but nobody listens
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        attempt = senders().deliver(url=url, body=BODY, headers=_headers())
    assert (attempt.outcome, attempt.reason) == (
        "retry",
        "The receiver could not be told: no connection could be made.",
    )


def test_a_body_without_end_is_dropped(receivers: Receivers, senders: Senders) -> None:
    sent: list[int] = []
    broken = threading.Event()

    def flood(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(10**12))
        handler.end_headers()
        try:
            while not receiver.stopping.is_set():
                sent.append(handler.wfile.write(b"x" * LONGEST_ANSWER))
        except OSError:
            broken.set()

    receiver = receivers.behaving(flood)
    attempt = senders().deliver(url=receiver.url, body=BODY, headers=_headers())
    assert attempt.outcome == "delivered"
    assert broken.wait(10)
    assert sum(sent) < 10**8  # what fits into the buffers of two sockets, not what was promised


def test_the_status_stands_whatever_becomes_of_the_body(
    receivers: Receivers, senders: Senders
) -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True

    receiver = receivers.behaving(half)
    attempt = senders().deliver(url=receiver.url, body=BODY, headers=_headers())
    assert attempt.outcome == "delivered"


def test_a_slow_body_is_not_waited_for(
    receivers: Receivers, senders: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh.webhooks.sender.BODY_SECONDS", 0.05)

    def stall(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "100")
        handler.end_headers()
        handler.wfile.flush()
        receiver.stopping.wait()

    receiver = receivers.behaving(stall)
    sender = senders(total_timeout=3600.0)
    attempt = sender.deliver(url=receiver.url, body=BODY, headers=_headers())
    assert attempt.outcome == "delivered"


def test_cookies_are_not_kept(receivers: Receivers, senders: Senders) -> None:
    receiver = receivers.answering(200, {"set-cookie": "a=b"})
    sender = senders()
    for _ in range(2):
        sender.deliver(url=receiver.url, body=BODY, headers=_headers())
    assert ["cookie" in request.headers for request in receiver.requests] == [False, False]


def test_proxies_of_the_environment_are_not_used(
    receivers: Receivers, senders: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = receivers.answering(200)
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    receiver = receivers.answering(200)
    senders().deliver(url=receiver.url, body=BODY, headers=_headers())
    assert (len(receiver.requests), len(proxy.requests)) == (1, 0)


def test_a_connection_is_used_again(receivers: Receivers, senders: Senders) -> None:
    receiver = receivers.answering(200, body=b"x" * 1000)
    sender = senders()
    for _ in range(5):
        sender.deliver(url=receiver.url, body=BODY, headers=_headers())
    assert len({request.connection for request in receiver.requests}) == 1


def test_one_sender_serves_many_threads(receivers: Receivers, senders: Senders) -> None:
    """A receiver that holds up all of its own delays nobody else."""

    def hold(handler: BaseHTTPRequestHandler) -> None:
        stuck.stopping.wait()
        handler.close_connection = True

    stuck = receivers.behaving(hold)
    quick = receivers.answering(200)
    sender = senders(total_timeout=30.0)
    with ThreadPoolExecutor(16) as threads:
        held = [
            threads.submit(sender.deliver, url=stuck.url, body=BODY, headers=_headers())
            for _ in range(8)
        ]
        told = [
            threads.submit(sender.deliver, url=quick.url, body=BODY, headers=_headers())
            for _ in range(100)
        ]
        assert {attempt.result().outcome for attempt in told} == {"delivered"}
        assert not any(attempt.done() for attempt in held)
        stuck.stopping.set()
        assert {attempt.result().outcome for attempt in held} == {"retry"}
    assert len(quick.requests) == 100


def test_a_closed_sender_can_be_used_again(receivers: Receivers, senders: Senders) -> None:
    receiver = receivers.answering(200)
    sender = senders()
    for _ in range(2):
        attempt = sender.deliver(url=receiver.url, body=BODY, headers=_headers())
        assert attempt.outcome == "delivered"
        sender.close()
    assert len({request.connection for request in receiver.requests}) == 2
