"""A webhook cannot be aimed at the inside of the network; TLS is for the host that was named."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest

from mesh.errors import Rejected
from mesh.model.delivery import DeliveryAttempt
from mesh.webhooks.resolver import look_up, system_resolver
from mesh.webhooks.sender import WebhookSender

if TYPE_CHECKING:
    from tests.integration.webhooks.conftest import Authority, Receivers

Senders = Callable[..., WebhookSender]


class Answers:
    """A resolver that gives one answer after the other, the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def _deliver(sender: WebhookSender, url: str) -> DeliveryAttempt:
    return sender.deliver(url=url, body=b"{}", headers={"content-type": "application/json"})


def test_loopback_is_refused_without_the_setting(receivers: Receivers, senders: Senders) -> None:
    receiver = receivers.answering(200)
    sender = senders(allow_loopback=False)
    for url in (receiver.url, f"https://127.0.0.1:{receiver.port}/", "https://localhost:8443/"):
        attempt = _deliver(sender, url)
        assert (attempt.outcome, attempt.status) == ("refused", None)
        with pytest.raises(Rejected):
            sender.verify(url)
    assert receiver.requests == []


@pytest.mark.parametrize("allow_loopback", [False, True])
@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.4"],
        ["169.254.169.254"],
        ["168.63.129.16"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::a00:4"],
        ["8.8.8.8", "192.168.0.1"],
        ["2a00:1450::1", "fd00::1"],
        ["127.0.0.1", "8.8.8.8"],
    ],
    ids=" ".join,
)
def test_a_name_that_leads_inside_is_refused(
    senders: Senders, addresses: list[str], allow_loopback: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connected(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "create_connection", connected)
    resolver = Answers(addresses)
    sender = senders(resolver=resolver, allow_loopback=allow_loopback)
    attempt = _deliver(sender, "https://hook.example/")
    assert attempt.outcome == "refused"
    assert attempt.reason == (
        "The URL cannot be a webhook: hook.example is not on the public internet."
    )
    with pytest.raises(Rejected, match="is not on the public internet") as refused:
        sender.verify("https://hook.example/")
    assert refused.value.problem == "webhook-not-public"
    assert resolver.asked == [("hook.example", 443)] * 2


def test_a_name_is_looked_up_once_and_its_answer_is_where_we_connect(
    receivers: Receivers, senders: Senders
) -> None:
    """A second answer, between check and connection, would be the attacker's."""
    receiver = receivers.answering(200)
    resolver = Answers(["127.0.0.1"], ["169.254.169.254"])
    attempt = _deliver(senders(resolver=resolver), f"http://hook.example:{receiver.port}/a")
    assert attempt.outcome == "delivered"
    assert resolver.asked == [("hook.example", receiver.port)]
    assert receiver.requests[0].headers["host"] == f"hook.example:{receiver.port}"


def test_a_name_is_looked_up_again_at_every_attempt(receivers: Receivers, senders: Senders) -> None:
    """Even though the connection of the first attempt is still open."""
    receiver = receivers.answering(200)
    resolver = Answers(["127.0.0.1"], ["127.0.0.1"], ["10.0.0.4"])
    sender = senders(resolver=resolver)
    url = f"http://hook.example:{receiver.port}/"
    assert [_deliver(sender, url).outcome for _ in range(3)] == [
        "delivered",
        "delivered",
        "refused",
    ]
    assert len(receiver.requests) == 2


def test_the_next_address_is_tried_when_one_is_dead(receivers: Receivers, senders: Senders) -> None:
    receiver = receivers.answering(200)
    sender = senders(resolver=Answers(["127.0.0.2", "::1", "127.0.0.1"]))
    assert _deliver(sender, f"http://hook.example:{receiver.port}/").outcome == "delivered"


def test_a_dead_address_leaves_time_for_the_others(
    senders: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[tuple[str, float]] = []

    def dead(address: tuple[str, int], timeout: float, **_: object) -> socket.socket:
        tried.append((address[0], timeout))
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", dead)
    sender = senders(resolver=Answers(["8.8.8.8", "2a00:1450::1", "9.9.9.9"]), connect_timeout=6.0)
    attempt = _deliver(sender, "https://hook.example/")
    assert attempt.reason == "The receiver could not be told: no connection within 6 s."
    assert [address for address, _ in tried] == ["8.8.8.8", "2a00:1450::1", "9.9.9.9"]
    assert all(timeout <= 6.0 / (3 - place) for place, (_, timeout) in enumerate(tried))


def test_a_name_that_cannot_be_resolved_is_tried_again_later(senders: Senders) -> None:
    def nobody(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    sender = senders(resolver=nobody)
    attempt = _deliver(sender, "https://hook.example/")
    reason = "the host name hook.example could not be resolved"
    assert attempt.outcome == "retry"
    assert attempt.reason == f"The receiver could not be told: {reason}."
    with pytest.raises(Rejected, match=reason) as refused:
        sender.verify("https://hook.example/")
    assert refused.value.problem == "webhook-unverified"


@pytest.fixture
def forever() -> Iterator[Callable[[str, int], Sequence[str]]]:
    """A resolver whose answer does not come before the test is over."""
    over = threading.Event()

    def resolver(_host: str, _port: int) -> Sequence[str]:
        over.wait()
        return []

    yield resolver
    over.set()


def test_a_slow_name_server_does_not_hold_us_up(
    senders: Senders, forever: Callable[[str, int], Sequence[str]]
) -> None:
    attempt = _deliver(senders(resolver=forever, connect_timeout=0.05), "https://hook.example/")
    assert attempt.outcome == "retry"
    with pytest.raises(TimeoutError, match=r"no answer about hook.example within 0\.05 s"):
        look_up(forever, "hook.example", 443, timeout=0.05)


def test_the_operating_system_is_asked_by_default() -> None:
    assert "127.0.0.1" in system_resolver("localhost", 443)
    assert system_resolver("8.8.8.8", 443) == ["8.8.8.8"]
    assert WebhookSender(origin="mesh.example", version="1").resolver is system_resolver


def test_a_port_of_another_service_is_refused(senders: Senders) -> None:
    attempt = _deliver(senders(), "https://8.8.8.8:25/")
    assert attempt.outcome == "refused"
    assert "port 25 belongs to another service" in attempt.reason


def test_a_url_that_is_none_is_refused(senders: Senders) -> None:
    attempt = _deliver(senders(), "https://me@hook.example/")
    assert (attempt.outcome, attempt.status) == ("refused", None)
    assert "user name" in attempt.reason


def test_tls_is_verified_for_the_host_that_was_named(
    receivers: Receivers, senders: Senders, authority: Authority
) -> None:
    receiver = receivers.answering(200, tls=authority.server("hook.example"))
    sender = senders(resolver=Answers(["127.0.0.1"]), ca_file=authority.ca_file)

    named = _deliver(sender, f"https://hook.example:{receiver.port}/")
    assert named.outcome == "delivered"
    for other in ("other.example", "127.0.0.1"):
        attempt = _deliver(sender, f"https://{other}:{receiver.port}/")
        assert attempt.outcome == "retry"
        assert "its certificate was not accepted" in attempt.reason
        assert "mismatch" in attempt.reason
    assert len(receiver.requests) == 1


def test_a_connection_serves_only_the_host_it_was_verified_for(
    receivers: Receivers, senders: Senders, authority: Authority
) -> None:
    """Two names may lead to one address; each must show its own certificate."""
    receiver = receivers.answering(200, tls=authority.server("one.example", "two.example"))
    sender = senders(resolver=Answers(["127.0.0.1"]), ca_file=authority.ca_file)
    for host in ("one.example", "two.example", "one.example"):
        assert _deliver(sender, f"https://{host}:{receiver.port}/").outcome == "delivered"
    first, second, third = (request.connection for request in receiver.requests)
    assert first == third != second


def test_an_address_can_have_a_certificate_too(
    receivers: Receivers, senders: Senders, authority: Authority
) -> None:
    receiver = receivers.answering(200, tls=authority.server("127.0.0.1"))
    sender = senders(ca_file=authority.ca_file)
    assert _deliver(sender, f"https://127.0.0.1:{receiver.port}/").outcome == "delivered"


def test_a_certificate_that_nobody_vouches_for(
    receivers: Receivers, senders: Senders, authority: Authority
) -> None:
    receiver = receivers.answering(200, tls=authority.server("hook.example"))
    sender = senders(resolver=Answers(["127.0.0.1"]))
    attempt = _deliver(sender, f"https://hook.example:{receiver.port}/")
    assert (attempt.outcome, attempt.status) == ("retry", None)
    assert "its certificate was not accepted (" in attempt.reason
    with pytest.raises(Rejected, match="its certificate was not accepted"):
        sender.verify(f"https://hook.example:{receiver.port}/")
    assert receiver.requests == []


def test_a_certificate_that_has_expired(
    receivers: Receivers, senders: Senders, authority: Authority
) -> None:
    receiver = receivers.answering(200, tls=authority.server("hook.example", expired=True))
    sender = senders(resolver=Answers(["127.0.0.1"]), ca_file=authority.ca_file)
    attempt = _deliver(sender, f"https://hook.example:{receiver.port}/")
    assert "its certificate was not accepted (certificate has expired)" in attempt.reason


def test_the_time_limit_holds_within_tls(
    receivers: Receivers, senders: Senders, authority: Authority
) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
        while not receiver.stopping.wait(0.02):
            handler.wfile.write(b"x")

    receiver = receivers.behaving(drip, tls=authority.server("127.0.0.1"))
    sender = senders(ca_file=authority.ca_file, total_timeout=0.3)
    attempt = _deliver(sender, f"https://127.0.0.1:{receiver.port}/")
    assert attempt.outcome == "retry"
    assert attempt.reason == "The receiver could not be told: no answer within 0.3 s."


def test_tls_that_does_not_get_going(senders: Senders) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        attempt = _deliver(senders(connect_timeout=0.1), url)
    assert (attempt.outcome, attempt.reason) == (
        "retry",
        "The receiver could not be told: no connection within 0.1 s.",
    )


def test_a_receiver_that_speaks_no_tls(receivers: Receivers, senders: Senders) -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True

    receiver = receivers.behaving(hang_up)
    attempt = _deliver(senders(), f"https://127.0.0.1:{receiver.port}/")
    assert (attempt.outcome, attempt.reason) == (
        "retry",
        "The receiver could not be told: no connection could be made.",
    )
