"""The CloudEvents handshake: a receiver says itself that it wants our notifications."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mesh.errors import Rejected
from mesh.webhooks.sender import WebhookSender

if TYPE_CHECKING:
    from tests.integration.webhooks.conftest import Receivers

Senders = Callable[..., WebhookSender]


@pytest.mark.parametrize("status", [200, 204, 405])
@pytest.mark.parametrize("allowed", ["mesh.example", "MESH.example", "*"])
def test_the_header_is_consent_whatever_the_status(
    receivers: Receivers, senders: Senders, status: int, allowed: str
) -> None:
    receiver = receivers.answering(status, {"WebHook-Allowed-Origin": allowed})
    senders().verify(receiver.url)
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("OPTIONS", "/hook?key=1", b"")
    assert request.headers["webhook-request-origin"] == "mesh.example"


WHAT_TO_ANSWER = (
    " It must answer an OPTIONS request for this URL with the header "
    "`WebHook-Allowed-Origin: mesh.example` (or `*`), to say that it wants the notifications of "
    "this mesh."
)


@pytest.mark.parametrize(
    ("status", "headers", "why"),
    [
        (200, {}, "answered 200 OK without the header WebHook-Allowed-Origin"),
        (
            405,
            {"allow": "POST"},
            "answered 405 Method Not Allowed without the header WebHook-Allowed-Origin",
        ),
        (
            200,
            {"WebHook-Allowed-Origin": "other.example"},
            "allows another origin, 'other.example'",
        ),
        (200, {"WebHook-Allowed-Origin": ""}, "allows another origin, ''"),
        (200, {"WebHook-Allowed-Origin": "x" * 5000}, f"allows another origin, '{'x' * 100}'"),
        (
            302,
            {"WebHook-Allowed-Origin": "*", "location": "https://example.com/"},
            "answered 302 Found, and redirects are never followed",
        ),
    ],
)
def test_anything_else_is_rejected_and_says_what_to_answer(
    receivers: Receivers, senders: Senders, status: int, headers: dict[str, str], why: str
) -> None:
    receiver = receivers.answering(status, headers)
    with pytest.raises(Rejected) as refused:
        senders().verify(receiver.url)
    expected = f"The receiver at 127.0.0.1:{receiver.port} {why}.{WHAT_TO_ANSWER}"
    assert str(refused.value) == expected
    assert (refused.value.problem, refused.value.status) == ("webhook-unverified", 422)
    assert len(receiver.requests) == 1


def test_a_receiver_that_does_not_answer_is_rejected(
    receivers: Receivers, senders: Senders
) -> None:
    receiver = receivers.behaving(lambda _: receiver.stopping.wait())
    with pytest.raises(Rejected, match=r"could not be asked: no answer within 0\.2 s\. It must"):
        senders(total_timeout=0.2).verify(receiver.url)


@pytest.mark.parametrize("origin", ["", "mesh example", "mesh\r\nx: y", "https://mesh.example"])
def test_the_origin_of_a_mesh_is_a_dns_name(origin: str) -> None:
    with pytest.raises(ValueError, match="must be a DNS name"):
        WebhookSender(origin=origin, version="1")
    assert WebhookSender(origin="localhost:7071", version="1").origin == "localhost:7071"
