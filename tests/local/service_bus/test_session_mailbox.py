"""Sessions: one holder each, order within, state, expiry. Time is a number here."""

from __future__ import annotations

import pytest

from local.service_bus.core.errors import (
    NotAllowedError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)
from local.service_bus.core.sessions import SessionMailbox
from tests.local.service_bus.fake import START, Bench, Receiver


@pytest.fixture
def mailbox(bench: Bench) -> SessionMailbox:
    found = bench.queue(requires_session=True, lock_duration=30.0, max_delivery_count=2).mailbox
    assert isinstance(found, SessionMailbox)
    return found


def _accept(bench: Bench, mailbox: SessionMailbox, name: str, credit: int = 10) -> Receiver:
    receiver = Receiver(left=credit)
    mailbox.accept(receiver, name)
    bench.settle()
    return receiver


def _wait(bench: Bench, mailbox: SessionMailbox) -> Receiver:
    receiver = Receiver(left=10)
    mailbox.wait_for_any(receiver)
    bench.settle()
    return receiver


def test_a_holder_gets_its_session_only_and_in_order(bench: Bench, mailbox: SessionMailbox) -> None:
    bench.send("q", "a1", session_id="a")
    bench.send("q", "b1", session_id="b")
    bench.send("q", "a2", session_id="a")
    receiver = _accept(bench, mailbox, "a")
    bench.send("q", "a3", session_id="a")
    assert receiver.bodies() == ["a1", "a2", "a3"]


def test_a_session_has_one_holder(bench: Bench, mailbox: SessionMailbox) -> None:
    _accept(bench, mailbox, "a")
    with pytest.raises(SessionCannotBeLockedError, match="session 'a' cannot be accepted"):
        mailbox.accept(Receiver(), "a")


def test_next_available_is_the_session_with_the_oldest_message(
    bench: Bench, mailbox: SessionMailbox
) -> None:
    bench.send("q", "b1", session_id="b")
    bench.send("q", "a1", session_id="a")
    first, second, third = (_wait(bench, mailbox) for _ in range(3))
    assert (first.sessions, second.sessions, third.sessions) == (["b"], ["a"], [])
    bench.send("q", "c1", session_id="c")
    assert (third.sessions, third.bodies()) == (["c"], ["c1"])


def test_one_who_stops_waiting_gets_nothing(bench: Bench, mailbox: SessionMailbox) -> None:
    gone = _wait(bench, mailbox)
    mailbox.detach(gone)
    bench.send("q", "a1", session_id="a")
    assert gone.sessions == []
    assert _wait(bench, mailbox).bodies() == ["a1"]


def test_leaving_frees_the_session_and_counts_nothing(
    bench: Bench, mailbox: SessionMailbox
) -> None:
    bench.send("q", "a1", "a2", session_id="a")
    mailbox.detach(_accept(bench, mailbox, "a", credit=2))
    again = _accept(bench, mailbox, "a")
    assert again.bodies() == ["a1", "a2"]
    assert [message.failed_deliveries for message in again.got] == [0, 0]


def test_an_expired_session_counts_tells_its_holder_and_refuses_settlement(
    bench: Bench, mailbox: SessionMailbox
) -> None:
    bench.send("q", "a1", session_id="a")
    late = _accept(bench, mailbox, "a")
    bench.now += 30.0
    with pytest.raises(SessionLockLostError, match="session lock has expired on the session 'a'"):
        mailbox.complete(late.tokens[0])
    bench.advance(0.0)
    assert [type(error) for error in late.errors] == [SessionLockLostError]
    again = _accept(bench, mailbox, "a")
    assert again.got[0].failed_deliveries == 1


def test_a_session_that_expired_unnoticed_can_be_accepted(
    bench: Bench, mailbox: SessionMailbox
) -> None:
    bench.send("q", "a1", session_id="a")
    late = _accept(bench, mailbox, "a")
    bench.now += 30.0
    again = _accept(bench, mailbox, "a")
    assert [type(error) for error in late.errors] == [SessionLockLostError]
    assert again.bodies() == ["a1"]
    mailbox.complete(again.tokens[0])


def test_expiries_count_towards_the_dead_letter_queue(
    bench: Bench, mailbox: SessionMailbox
) -> None:
    bench.send("q", "poison", session_id="a")
    for _ in range(2):
        _accept(bench, mailbox, "a")
        bench.advance(30.0)
    assert len(mailbox) == 0
    entity = bench.namespace.directory.queues["q"]
    [dead] = bench.take(entity.dead_letters).got
    assert dead.content.user["DeadLetterReason"] == "MaxDeliveryCountExceeded"


def test_a_renewed_session_covers_its_messages(bench: Bench, mailbox: SessionMailbox) -> None:
    bench.send("q", "a1", session_id="a")
    receiver = _accept(bench, mailbox, "a")
    bench.advance(20.0)
    assert mailbox.renew_session("a", receiver.name) == START + 50.0
    bench.advance(25.0)
    mailbox.complete(receiver.tokens[0])


def test_an_abandoned_message_keeps_its_place(bench: Bench, mailbox: SessionMailbox) -> None:
    bench.send("q", "a1", "a2", session_id="a")
    receiver = _accept(bench, mailbox, "a", credit=1)
    mailbox.abandon(receiver.tokens[0])
    receiver.left = 2
    mailbox.dispatch_soon()
    bench.settle()
    assert receiver.bodies() == ["a1", "a1", "a2"]


def test_state_belongs_to_the_holder_and_outlives_it(bench: Bench, mailbox: SessionMailbox) -> None:
    receiver = _accept(bench, mailbox, "a")
    assert mailbox.get_state("a", receiver.name) is None
    mailbox.set_state("a", b"half", receiver.name)
    with pytest.raises(SessionLockLostError):
        mailbox.get_state("a", "another link")
    mailbox.detach(receiver)
    with pytest.raises(SessionLockLostError):
        mailbox.get_state("a")
    _accept(bench, mailbox, "a")
    assert mailbox.get_state("a") == b"half"
    mailbox.set_state("a", None)
    assert mailbox.get_state("a") is None


def test_listing_names_sessions_with_messages_or_state(
    bench: Bench, mailbox: SessionMailbox
) -> None:
    bench.send("q", "1", session_id="with message")
    _accept(bench, mailbox, "held only")
    _accept(bench, mailbox, "with state")
    mailbox.set_state("with state", b"x")
    bench.advance(10.0)
    assert mailbox.names() == ["with message", "with state"]
    assert mailbox.names(updated_after=START - 1.0) == ["with state"]
    assert mailbox.names(updated_after=START) == []


def test_a_session_without_anything_is_forgotten(bench: Bench, mailbox: SessionMailbox) -> None:
    for number in range(3):
        bench.send("q", "x", session_id=f"s{number}")
        receiver = _accept(bench, mailbox, f"s{number}")
        mailbox.complete(receiver.tokens[0])
        mailbox.detach(receiver)
    assert mailbox._sessions == {}


def test_deferred_messages_belong_to_their_session(bench: Bench, mailbox: SessionMailbox) -> None:
    bench.send("q", "a1", session_id="a")
    receiver = _accept(bench, mailbox, "a")
    number = receiver.got[0].sequence
    mailbox.defer(receiver.tokens[0])
    [message] = mailbox.receive_deferred([number], settles=True, session_id="a")
    assert message.token is not None
    mailbox.complete(message.token)
    assert len(mailbox) == 0


def test_receivers_without_session_are_refused(bench: Bench, mailbox: SessionMailbox) -> None:
    with pytest.raises(NotAllowedError, match="non-sessionful message receiver"):
        mailbox.attach(Receiver())
    with pytest.raises(NotAllowedError, match="SessionId was not set"):
        bench.send("q", "no session")
