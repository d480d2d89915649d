"""Messages of a queue: order, locks, settlement, lifetime, schedule. Time is a number here."""

from __future__ import annotations

import pytest

from local.service_bus.core.errors import (
    MessageLockLostError,
    MessageNotFoundError,
    NotAllowedError,
)
from local.service_bus.core.message import Changes, State
from tests.local.service_bus.fake import START, Bench, body


def test_messages_come_in_order_and_each_to_one_receiver(bench: Bench) -> None:
    mailbox = bench.queue().mailbox
    bench.send("q", "1", "2", "3")
    first, second = bench.receive(mailbox, 2), bench.receive(mailbox, 2)
    assert (first.bodies(), second.bodies()) == (["1", "2"], ["3"])


def test_waiting_receivers_take_turns(bench: Bench) -> None:
    mailbox = bench.queue().mailbox
    first, second = bench.receive(mailbox, 5), bench.receive(mailbox, 5)
    bench.send("q", "1", "2", "3", "4")
    assert (first.bodies(), second.bodies()) == (["1", "3"], ["2", "4"])


def test_a_receiver_without_credit_gets_nothing_and_blocks_nobody(bench: Bench) -> None:
    mailbox = bench.queue().mailbox
    empty, ready = bench.receive(mailbox, 0), bench.receive(mailbox, 1)
    bench.send("q", "1")
    assert (empty.got, ready.bodies()) == ([], ["1"])


def test_completed_messages_are_gone(bench: Bench) -> None:
    mailbox = bench.queue().mailbox
    bench.send("q", "1")
    mailbox.complete(bench.take(mailbox).tokens[0])
    assert (len(mailbox), mailbox.size) == (0, 0)


def test_an_abandoned_message_returns_to_its_place_and_is_counted(bench: Bench) -> None:
    mailbox = bench.queue().mailbox
    bench.send("q", "1", "2")
    mailbox.abandon(bench.take(mailbox).tokens[0])
    again = bench.take(mailbox, 2)
    assert again.bodies() == ["1", "2"]
    assert [message.failed_deliveries for message in again.got] == [1, 0]


def test_a_released_message_returns_uncounted(bench: Bench) -> None:
    mailbox = bench.queue().mailbox
    bench.send("q", "1")
    mailbox.release(bench.take(mailbox).tokens[0])
    assert bench.take(mailbox).got[0].failed_deliveries == 0


def test_abandon_can_change_properties(bench: Bench) -> None:
    mailbox = bench.queue().mailbox
    bench.send("q", "1", user={"tries": 1, "kept": "x"})
    mailbox.abandon(bench.take(mailbox).tokens[0], Changes(user={"tries": 2}))
    assert bench.take(mailbox).got[0].content.user == {"tries": 2, "kept": "x"}


def test_a_lock_expires_counts_and_can_no_longer_settle(bench: Bench) -> None:
    mailbox = bench.queue(lock_duration=30.0).mailbox
    bench.send("q", "1")
    token = bench.take(mailbox).tokens[0]
    bench.advance(29.9)
    assert bench.take(mailbox).got == []
    bench.advance(0.1)
    for settle in (mailbox.complete, mailbox.abandon, mailbox.release, mailbox.defer):
        with pytest.raises(MessageLockLostError, match="lock supplied is invalid"):
            settle(token)
    assert bench.take(mailbox).got[0].failed_deliveries == 1


def test_a_lock_that_ended_is_lost_even_before_the_timer_ran(bench: Bench) -> None:
    mailbox = bench.queue(lock_duration=30.0).mailbox
    bench.send("q", "1")
    token = bench.take(mailbox).tokens[0]
    bench.now += 30.0
    with pytest.raises(MessageLockLostError):
        mailbox.complete(token)


def test_a_renewed_lock_lives_on(bench: Bench) -> None:
    mailbox = bench.queue(lock_duration=30.0).mailbox
    bench.send("q", "1")
    token = bench.take(mailbox).tokens[0]
    bench.advance(20.0)
    assert mailbox.renew([token]) == [START + 50.0]
    bench.advance(29.0)
    mailbox.complete(token)
    with pytest.raises(MessageLockLostError):
        mailbox.renew([token])


def test_locks_outlive_their_receiver(bench: Bench) -> None:
    mailbox = bench.queue().mailbox
    bench.send("q", "1")
    token = bench.take(mailbox).tokens[0]
    assert bench.take(mailbox).got == []
    mailbox.complete(token)


def test_too_many_deliveries_end_in_the_dead_letter_queue(bench: Bench) -> None:
    queue = bench.queue(max_delivery_count=3, lock_duration=10.0)
    bench.send("q", "poison", user={"a": 1})
    bench.take(queue.mailbox)
    bench.advance(10.0)
    for _ in range(2):
        queue.mailbox.abandon(bench.take(queue.mailbox).tokens[0])
    assert bench.take(queue.mailbox).got == []
    [dead] = bench.take(queue.dead_letters).got
    assert body(dead.content) == "poison"
    assert dead.failed_deliveries == 3
    assert dead.content.user == {
        "a": 1,
        "DeadLetterReason": "MaxDeliveryCountExceeded",
        "DeadLetterErrorDescription": "Message could not be consumed after 3 delivery attempts.",
    }


def test_dead_lettering_keeps_number_and_says_why(bench: Bench) -> None:
    queue = bench.queue()
    bench.send("q", "1", "2")
    queue.mailbox.complete(bench.take(queue.mailbox).tokens[0])
    taken = bench.take(queue.mailbox)
    queue.mailbox.dead_letter(taken.tokens[0], "Bad", "row 7", Changes(user={"row": 7}))
    [dead] = bench.take(queue.dead_letters).got
    assert dead.sequence == taken.got[0].sequence
    assert dead.content.user == {
        "row": 7,
        "DeadLetterReason": "Bad",
        "DeadLetterErrorDescription": "row 7",
    }


def test_dead_letters_cannot_be_dead_lettered_nor_die_of_deliveries(bench: Bench) -> None:
    queue = bench.queue(max_delivery_count=1, dead_lettering_on_message_expiration=True)
    bench.send("q", "1", time_to_live=100.0)
    queue.mailbox.abandon(bench.take(queue.mailbox).tokens[0])
    bench.advance(1000.0)
    for _ in range(5):
        queue.dead_letters.abandon(bench.take(queue.dead_letters).tokens[0])
    token = bench.take(queue.dead_letters).tokens[0]
    with pytest.raises(NotAllowedError, match="dead-letter queue cannot be dead-lettered"):
        queue.dead_letters.dead_letter(token, "", "")


@pytest.mark.parametrize(("of_message", "of_queue"), [(60.0, None), (None, 60.0), (60.0, 90.0)])
def test_the_shorter_lifetime_counts(
    bench: Bench, of_message: float | None, of_queue: float | None
) -> None:
    queue = bench.queue(default_message_time_to_live=of_queue)
    bench.send("q", "1", **({"time_to_live": of_message} if of_message else {}))
    bench.advance(59.0)
    assert len(queue.mailbox) == 1
    bench.advance(1.0)
    assert len(queue.mailbox) == len(queue.dead_letters) == 0


def test_expired_messages_are_dead_lettered_where_that_is_wanted(bench: Bench) -> None:
    queue = bench.queue(
        default_message_time_to_live=60.0, dead_lettering_on_message_expiration=True
    )
    bench.send("q", "1")
    bench.advance(60.0)
    [dead] = bench.take(queue.dead_letters).got
    assert dead.content.user["DeadLetterReason"] == "TTLExpiredException"


def test_a_locked_message_expires_only_when_it_is_given_back(bench: Bench) -> None:
    queue = bench.queue(default_message_time_to_live=10.0, lock_duration=60.0)
    bench.send("q", "kept", "late")
    kept, late = bench.take(queue.mailbox, 2).tokens
    bench.advance(20.0)
    queue.mailbox.complete(kept)
    queue.mailbox.abandon(late)
    assert len(queue.mailbox) == 0


def test_an_expired_message_is_not_delivered_even_before_the_timer_ran(bench: Bench) -> None:
    mailbox = bench.queue(default_message_time_to_live=10.0).mailbox
    bench.send("q", "1")
    bench.now += 10.0
    assert bench.take(mailbox).got == []


def test_deferred_messages_wait_for_their_number_and_do_not_expire(bench: Bench) -> None:
    mailbox = bench.queue(default_message_time_to_live=10.0, lock_duration=5.0).mailbox
    bench.send("q", "1")
    taken = bench.take(mailbox)
    number = taken.got[0].sequence
    mailbox.defer(taken.tokens[0])
    bench.advance(100.0)
    assert bench.take(mailbox).got == []
    [message] = mailbox.receive_deferred([number], settles=True)
    assert message.token is not None
    with pytest.raises(MessageNotFoundError, match="Failed to lock"):
        mailbox.receive_deferred([number], settles=True)
    bench.advance(5.0)
    assert message.failed_deliveries == 1
    assert message.state is State.DEFERRED
    assert mailbox.receive_deferred([number], settles=False) == [message]
    with pytest.raises(MessageNotFoundError, match="deferred message with sequence number"):
        mailbox.receive_deferred([number], settles=True)


def test_scheduled_messages_appear_in_time_with_a_new_number(bench: Bench) -> None:
    queue = bench.queue(default_message_time_to_live=10.0)
    bench.send("q", "later", scheduled_at=START + 100.0)
    bench.send("q", "now")
    [scheduled, active] = queue.mailbox.peek(1, 10)
    assert (scheduled.state, active.state) == (State.SCHEDULED, State.ACTIVE)
    bench.advance(99.0)
    assert queue.mailbox.count(State.ACTIVE) == 0
    bench.advance(1.0)
    [message] = bench.take(queue.mailbox).got
    assert body(message.content) == "later"
    assert message.sequence > active.sequence
    assert (message.enqueued_at, message.expires_at) == (START + 100.0, START + 110.0)


def test_cancelled_messages_never_appear(bench: Bench) -> None:
    mailbox = bench.queue().mailbox
    bench.send("q", "a", "b", scheduled_at=START + 10.0)
    [a, b] = mailbox.peek(1, 10)
    with pytest.raises(MessageNotFoundError, match="scheduled message with sequence number 99"):
        mailbox.cancel([a.sequence, 99])
    mailbox.cancel([a.sequence])
    bench.advance(10.0)
    assert bench.take(mailbox, 2).bodies() == ["b"]
    with pytest.raises(MessageNotFoundError):
        mailbox.cancel([b.sequence])


def test_peek_shows_every_state_from_a_number_on_and_locks_nothing(bench: Bench) -> None:
    mailbox = bench.queue().mailbox
    bench.send("q", "locked", "deferred", "active")
    taken = bench.take(mailbox, 2)
    mailbox.defer(taken.tokens[1])
    assert [body(message.content) for message in mailbox.peek(1, 10)] == [
        "locked",
        "deferred",
        "active",
    ]
    assert [message.sequence for message in mailbox.peek(2, 1)] == [2]
    assert bench.take(mailbox).bodies() == ["active"]


def test_receive_and_delete_removes_at_once(bench: Bench) -> None:
    mailbox = bench.queue().mailbox
    bench.send("q", "1", "2")
    receiver = bench.receive(mailbox, 1, settles=False)
    assert receiver.bodies() == ["1"]
    assert receiver.tokens == []
    assert len(mailbox) == 1
