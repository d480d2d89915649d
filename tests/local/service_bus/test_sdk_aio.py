"""The unmodified asyncio SDK against the broker: everything that is not about sessions."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceiveMode,
)
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType
from azure.servicebus.exceptions import (
    MessageAlreadySettled,
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
)

from local.service_bus import ServiceBusEmulator
from tests.local.service_bus.lab import NOTHING, WAIT, Lab, entities

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUEUES = {
    "plain": {},
    "poison": {"MaxDeliveryCount": 2},
    "short": {"LockDuration": "PT1S", "MaxDeliveryCount": 5},
    "renewed": {"LockDuration": "PT3S"},
    "expiring": {"DefaultMessageTimeToLive": "PT1S", "DeadLetteringOnMessageExpiration": True},
    "once": {"RequiresDuplicateDetection": True},
    "big": {"MaxMessageSizeInKilobytes": 10240},
    "end": {},
}
ONLY_SEND = {
    "start": {"ForwardTo": "end"},
    "fetched": {},
    "full": {"MaxSizeInMegabytes": 1, "MaxMessageSizeInKilobytes": 1024},
    "sessions": {"RequiresSession": True},
}
UNOPENED = {"disabled": {"Status": "Disabled"}}
TOPICS = {
    "events": {
        "all": {},
        "big": {
            "Rules": [
                {
                    "Name": "sql",
                    "Properties": {
                        "FilterType": "Sql",
                        "SqlFilter": {"SqlExpression": "size > 10 AND sys.Label LIKE 'air%'"},
                        "Action": {"SqlExpression": "SET size = size * 2"},
                    },
                }
            ]
        },
        "correlated": {
            "Rules": [
                {
                    "Name": "correlation",
                    "Properties": {
                        "FilterType": "Correlation",
                        "CorrelationFilter": {
                            "Label": "airport",
                            "Properties": {"domain": "geography"},
                        },
                    },
                }
            ]
        },
    }
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    document = entities({**QUEUES, **ONLY_SEND, **UNOPENED}, TOPICS)
    async with (
        ServiceBusEmulator(entities=document) as bus,
        ServiceBusClient.from_connection_string(bus.connection_string, retry_total=0) as client,
    ):
        lab = Lab(bus, client)
        await lab.open(
            [*QUEUES, *ONLY_SEND],
            {"events": ["all", "big", "correlated"]},
            only_send=ONLY_SEND,
            dead_letters=["plain", "poison", "expiring"],
        )
        yield lab
        await lab.close()


async def test_a_message_arrives_as_it_was_sent(lab: Lab) -> None:
    moment = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
    number = uuid.uuid4()
    await lab.send(
        "plain",
        b"\x00\xff body",
        message_id="id",
        subject="subject",
        content_type="text/csv",
        correlation_id="correlation",
        to="to",
        reply_to="reply",
        reply_to_session_id="reply session",
        partition_key="key",
        time_to_live=dt.timedelta(seconds=90),
        application_properties={
            "text": "é",
            "int": 7,
            "float": 2.5,
            "bool": True,
            "none": None,
            "uuid": number,
            "at": moment,
        },
    )
    message = await lab.receive("plain")
    assert b"".join(message.body) == b"\x00\xff body"
    assert message.message_id == "id"
    assert message.subject == "subject"
    assert message.content_type == "text/csv"
    assert message.correlation_id == "correlation"
    assert (message.to, message.reply_to) == ("to", "reply")
    assert message.reply_to_session_id == "reply session"
    assert message.partition_key == "key"
    assert message.time_to_live == dt.timedelta(seconds=90)
    assert message.application_properties == {
        b"text": "é".encode(),
        b"int": 7,
        b"float": 2.5,
        b"bool": True,
        b"none": None,
        b"uuid": number,
        b"at": round(moment.timestamp() * 1000),
    }
    assert message.delivery_count == 0
    assert message.sequence_number == message.enqueued_sequence_number
    now = dt.datetime.now(dt.UTC)
    assert abs(message.enqueued_time_utc - now) < dt.timedelta(seconds=60)
    assert message.locked_until_utc > now
    assert message.expires_at_utc == message.enqueued_time_utc + dt.timedelta(seconds=90)
    assert message.state is ServiceBusMessageState.ACTIVE
    await lab.receivers["plain"].complete_message(message)
    with pytest.raises(MessageAlreadySettled):
        await lab.receivers["plain"].complete_message(message)


@pytest.mark.parametrize("kind", ["value", "sequence"])
async def test_bodies_that_are_no_bytes_arrive(lab: Lab, kind: str) -> None:
    given = {"value_body": {"a": 1}} if kind == "value" else {"sequence_body": [[1, "x"], [2]]}
    await lab.senders["plain"].send_messages(AmqpAnnotatedMessage(**given))
    message = await lab.receive("plain")
    raw = message.raw_amqp_message
    if kind == "value":
        assert raw.body_type is AmqpMessageBodyType.VALUE
        assert raw.body == {b"a": 1}
    else:
        assert list(raw.body) == [[1, b"x"], [2]]
    await lab.receivers["plain"].complete_message(message)


async def test_large_messages_travel_in_many_frames(lab: Lab) -> None:
    body = bytes(range(256)) * 16 * 1024
    await lab.send("big", body)
    message = await lab.receive("big")
    assert b"".join(message.body) == body
    await lab.receivers["big"].complete_message(message)


async def test_a_message_that_is_too_large_is_refused_and_the_link_lives_on(lab: Lab) -> None:
    with pytest.raises(MessageSizeExceededError, match=r"exceeds the limit \(262144 bytes\)"):
        await lab.send("plain", b"x" * 300_000)
    with pytest.raises(MessageSizeExceededError, match=r"exceeds the limit \(262144 bytes\)"):
        await lab.send("plain", b"x" * 2_000_000)
    await lab.send("plain", "small")
    await lab.receivers["plain"].complete_message(await lab.receive("plain"))


async def test_batches_know_the_entitys_limit_and_arrive_in_order(lab: Lab) -> None:
    batch = await lab.senders["plain"].create_message_batch()
    assert batch.max_size_in_bytes == 262_144
    for number in range(50):
        batch.add_message(ServiceBusMessage(str(number), application_properties={"n": number}))
    await lab.senders["plain"].send_messages(batch)
    got = []
    while len(got) < 50:
        for message in await lab.receivers["plain"].receive_messages(max_message_count=50):
            got.append(message)
            await lab.receivers["plain"].complete_message(message)
    assert [str(message) for message in got] == [str(number) for number in range(50)]
    assert [message.application_properties[b"n"] for message in got] == list(range(50))


async def test_abandoned_messages_come_again_until_they_are_poison(lab: Lab) -> None:
    receiver = lab.receivers["poison"]
    await lab.send("poison", "bad", application_properties={"k": "v"})
    for delivery in range(2):
        message = await lab.receive("poison")
        assert message.delivery_count == delivery
        await receiver.abandon_message(message)
    assert await lab.is_empty("poison")
    dead_letters = lab.receivers["poison/dead"]
    [dead] = await dead_letters.receive_messages()
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert dead.dead_letter_error_description.startswith("Message could not be consumed after 2")
    assert dead.application_properties[b"k"] == b"v"
    with pytest.raises(ServiceBusError, match="dead-letter queue cannot be dead-lettered"):
        await dead_letters.dead_letter_message(dead)


async def test_dead_lettering_says_why(lab: Lab) -> None:
    await lab.send("plain", "bad")
    message = await lab.receive("plain")
    await lab.receivers["plain"].dead_letter_message(
        message, reason="Reason", error_description="Description"
    )
    dead_letters = lab.receivers["plain/dead"]
    [dead] = await dead_letters.receive_messages()
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == (
        "Reason",
        "Description",
    )
    assert dead.sequence_number == message.sequence_number
    assert dead.dead_letter_source is None
    await dead_letters.complete_message(dead)


async def test_a_lost_lock_is_an_error_and_the_message_comes_again(lab: Lab) -> None:
    receiver = lab.receivers["short"]
    await lab.send("short", "slow")
    late = await lab.receive("short")
    again = await lab.receive("short")
    assert again.delivery_count == 1
    late._expiry = None
    late.raw_amqp_message.annotations[b"x-opt-locked-until"] = 2**42  # the SDK must ask us
    with pytest.raises(MessageLockLostError, match="lock supplied is invalid"):
        await receiver.complete_message(late)
    with pytest.raises(MessageLockLostError, match="lock supplied is invalid"):
        await receiver.renew_message_lock(late)
    await receiver.complete_message(again)


async def test_locks_are_renewed_by_hand_and_automatically(lab: Lab) -> None:
    receiver = lab.receivers["renewed"]
    await lab.send("renewed", "x")
    message = await lab.receive("renewed")
    first = message.locked_until_utc
    second = await receiver.renew_message_lock(message)
    assert second > first
    async with AutoLockRenewer() as renewer:
        renewer.register(receiver, message, max_lock_renewal_duration=30)
        async with asyncio.timeout(WAIT):
            while message.locked_until_utc == second:  # noqa: ASYNC110 - the SDK has no event
                await asyncio.sleep(0.05)
    await receiver.complete_message(message)


async def test_deferred_messages_are_had_by_number(lab: Lab) -> None:
    receiver = lab.receivers["plain"]
    await lab.send("plain", "later")
    message = await lab.receive("plain")
    await receiver.defer_message(message)
    [peeked] = await receiver.peek_messages(sequence_number=message.sequence_number)
    assert peeked.state is ServiceBusMessageState.DEFERRED
    [deferred] = await receiver.receive_deferred_messages(message.sequence_number)
    assert str(deferred) == "later"
    await receiver.renew_message_lock(deferred)
    await receiver.abandon_message(deferred)
    [deferred] = await receiver.receive_deferred_messages([message.sequence_number])
    await receiver.dead_letter_message(deferred, reason="Enough")
    with pytest.raises(MessageNotFoundError, match="deferred message with sequence number"):
        await receiver.receive_deferred_messages(message.sequence_number)
    dead_letters = lab.receivers["plain/dead"]
    [dead] = await dead_letters.receive_messages()
    assert dead.dead_letter_reason == "Enough"
    await dead_letters.complete_message(dead)


async def test_peeking_takes_nothing(lab: Lab) -> None:
    await lab.send("plain", "a", "b")
    receiver = lab.client.get_queue_receiver("plain")
    async with receiver:
        first = await receiver.peek_messages(max_message_count=1)
        following = await receiver.peek_messages(max_message_count=5)
        assert [str(message) for message in [*first, *following]] == ["a", "b"]
        assert await receiver.peek_messages() == []
        with pytest.raises(ValueError, match="not supported for peeked messages"):
            await receiver.complete_message(first[0])
    for expected in ("a", "b"):
        message = await lab.receive("plain")
        assert str(message) == expected
        await lab.receivers["plain"].complete_message(message)


async def test_scheduled_messages_come_in_time_or_are_cancelled(lab: Lab) -> None:
    sender = lab.senders["plain"]
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    [cancelled, kept] = await sender.schedule_messages(
        [ServiceBusMessage("cancelled"), ServiceBusMessage("kept")], soon
    )
    [peeked, _] = await lab.receivers["plain"].peek_messages(2, sequence_number=cancelled)
    assert peeked.state is ServiceBusMessageState.SCHEDULED
    await sender.cancel_scheduled_messages(cancelled)
    with pytest.raises(MessageNotFoundError, match="scheduled message with sequence number"):
        await sender.cancel_scheduled_messages([cancelled])
    await lab.send("plain", "at once", scheduled_enqueue_time_utc=soon)
    got = [await lab.receive("plain"), await lab.receive("plain")]
    assert sorted(str(message) for message in got) == ["at once", "kept"]
    for message in got:
        assert message.enqueued_time_utc >= soon.replace(microsecond=0)
        assert message.sequence_number > kept
        await lab.receivers["plain"].complete_message(message)


async def test_expired_messages_become_dead_letters(lab: Lab) -> None:
    await lab.send("expiring", "too late", "much", time_to_live=dt.timedelta(hours=1))
    dead_letters = lab.receivers["expiring/dead"]
    got = []
    while len(got) < 2:
        got += await dead_letters.receive_messages(max_message_count=2)
    for dead in got:
        assert dead.dead_letter_reason == "TTLExpiredException"
        assert dead.time_to_live == dt.timedelta(hours=1)
        await dead_letters.complete_message(dead)
    assert await lab.is_empty("expiring")


async def test_duplicates_are_dropped(lab: Lab) -> None:
    await lab.send("once", "first", "second", message_id="same")
    await lab.send("once", "third", message_id="other")
    got = [str(await lab.receive("once")) for _ in range(2)]
    assert got == ["first", "third"]


async def test_receive_and_delete_with_prefetch(lab: Lab) -> None:
    await lab.senders["plain"].send_messages([ServiceBusMessage(str(n)) for n in range(20)])
    async with lab.client.get_queue_receiver(
        "plain",
        receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE,
        prefetch_count=20,
        max_wait_time=WAIT,
    ) as receiver:
        got: list[str] = []
        async for message in receiver:
            got.append(str(message))
            if len(got) == 20:
                break
    assert got == [str(number) for number in range(20)]
    assert await lab.is_empty("plain")


async def test_prefetched_messages_are_given_back_on_closing(lab: Lab) -> None:
    await lab.senders["fetched"].send_messages([ServiceBusMessage(str(n)) for n in range(5)])
    async with lab.client.get_queue_receiver(
        "fetched", prefetch_count=10, max_wait_time=WAIT
    ) as receiver:
        [first] = await receiver.receive_messages(max_message_count=1)
        assert str(first) == "0"
        await receiver.complete_message(first)
    async with lab.client.get_queue_receiver("fetched", max_wait_time=WAIT) as receiver:
        got = []
        while len(got) < 4:
            got += await receiver.receive_messages(max_message_count=4)
        assert [(str(m), m.delivery_count) for m in got] == [(str(n), 0) for n in range(1, 5)]


async def test_competing_receivers_share_the_work(lab: Lab) -> None:
    async with lab.client.get_queue_receiver("plain", max_wait_time=WAIT) as other:
        both = [lab.receivers["plain"], other]
        await lab.send("plain", *(str(number) for number in range(10)))

        async def work(receiver: object) -> list[str]:
            done = []
            while messages := await receiver.receive_messages(max_wait_time=NOTHING):  # type: ignore[attr-defined]
                done.append(str(messages[0]))
                await receiver.complete_message(messages[0])  # type: ignore[attr-defined]
            return done

        first, second = await asyncio.gather(*(work(receiver) for receiver in both))
    assert sorted(first + second, key=int) == [str(number) for number in range(10)]
    assert first
    assert second


async def test_topics_deliver_by_rule(lab: Lab) -> None:
    await lab.send("events", "1", subject="airport", application_properties={"size": 11})
    await lab.send(
        "events", "2", subject="airport", application_properties={"domain": "geography", "size": 1}
    )
    await lab.send("events", "3", subject="other", application_properties={"size": 99})
    everything = []
    for _ in range(3):
        message = await lab.receive("events/all")
        everything.append(str(message))
        await lab.receivers["events/all"].complete_message(message)
    assert everything == ["1", "2", "3"]
    big = await lab.receive("events/big")
    assert str(big) == "1"
    assert big.application_properties == {b"size": 22, b"RuleName": b"sql"}
    await lab.receivers["events/big"].complete_message(big)
    correlated = await lab.receive("events/correlated")
    assert str(correlated) == "2"
    assert correlated.enqueued_sequence_number == 2
    await lab.receivers["events/correlated"].complete_message(correlated)
    assert await lab.is_empty("events/big")


async def test_messages_can_be_scheduled_for_topics(lab: Lab) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    sender = lab.senders["events"]
    [dropped] = await sender.schedule_messages(ServiceBusMessage("dropped"), soon)
    await sender.schedule_messages(ServiceBusMessage("kept"), soon)
    await sender.cancel_scheduled_messages(dropped)
    message = await lab.receive("events/all")
    assert str(message) == "kept"
    await lab.receivers["events/all"].complete_message(message)


async def test_messages_are_forwarded(lab: Lab) -> None:
    await lab.send("start", "on its way")
    message = await lab.receive("end")
    assert str(message) == "on its way"
    await lab.receivers["end"].complete_message(message)


async def test_what_cannot_be_opened_says_why(lab: Lab) -> None:
    client = lab.client

    async def refused(handler: object, kind: type[Exception], text: str) -> None:
        with pytest.raises(kind, match=text):
            await handler.__aenter__()  # type: ignore[attr-defined]

    nothing = MessagingEntityNotFoundError
    await asyncio.gather(
        refused(client.get_queue_sender("nowhere"), nothing, "'nowhere' could not be found"),
        refused(client.get_queue_receiver("nowhere"), nothing, "'nowhere' could not be found"),
        refused(
            client.get_subscription_receiver("events", "nobody"),
            nothing,
            "'events/Subscriptions/nobody' could not be found",
        ),
        refused(
            client.get_queue_sender("disabled"),
            MessagingEntityDisabledError,
            "'disabled' is currently disabled for sending",
        ),
        refused(
            client.get_queue_receiver("disabled"),
            MessagingEntityDisabledError,
            "'disabled' is currently disabled for receiving",
        ),
        refused(client.get_queue_receiver("sessions"), ServiceBusError, "requires sessions"),
        refused(
            client.get_queue_receiver("plain", session_id="s"),
            ServiceBusError,
            "sessionful message receiver cannot be created on 'plain'",
        ),
        refused(client.get_queue_receiver("start"), ServiceBusError, "it forwards its messages"),
    )


async def test_sending_without_session_where_one_is_due_is_refused(lab: Lab) -> None:
    with pytest.raises(ServiceBusError, match="SessionId was not set on a message"):
        await lab.send("sessions", "x")


async def test_a_full_queue_is_refused(lab: Lab) -> None:
    await lab.send("full", b"x" * 600_000)
    with pytest.raises(ServiceBusQuotaExceededError, match="maximum entity size"):
        await lab.send("full", b"x" * 600_000)


async def test_the_transfer_dead_letter_queue_is_there_and_empty(lab: Lab) -> None:
    async with lab.client.get_queue_receiver("start", sub_queue="transferdeadletter") as receiver:
        assert await receiver.receive_messages(max_wait_time=NOTHING) == []


async def test_a_token_credential_is_as_good_as_a_key(lab: Lab) -> None:
    class Credential:
        async def get_token(self, *scopes: str, **options: object) -> object:
            from azure.core.credentials import AccessToken

            del scopes, options
            return AccessToken("any", 2**33)

        async def close(self) -> None: ...

    async with (
        ServiceBusClient(f"127.0.0.1:{lab.bus.port}", Credential(), use_tls=False) as client,
        client.get_queue_sender("plain") as sender,
    ):
        await sender.send_messages(ServiceBusMessage("by token"))
    await lab.receivers["plain"].complete_message(await lab.receive("plain"))
