"""The way of a message through the namespace: topics, rules, forwarding, duplicates, limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from local.service_bus.core.entities import (
    CorrelationFilter,
    FalseFilter,
    QueueSpec,
    RuleSpec,
    SqlAction,
    SqlFilter,
    SubscriptionSpec,
)
from local.service_bus.core.errors import (
    BrokerError,
    EntityDisabledError,
    EntityExistsError,
    EntityNotFoundError,
    InvalidArgumentError,
    MessageTooLargeError,
    NotAllowedError,
    QuotaExceededError,
)
from local.service_bus.core.message import State
from local.service_bus.core.queues import Subscription
from tests.local.service_bus.fake import START, Bench, body


def _rule(name: str, condition: str, action: str | None = None) -> RuleSpec:
    made = None if action is None else SqlAction(expression=action)
    return RuleSpec(name=name, filter=SqlFilter(expression=condition), action=made)


def _bodies(bench: Bench, subscription: Subscription) -> list[str]:
    return bench.take(subscription.mailbox, 100).bodies()


def test_every_subscription_gets_what_its_rules_select(bench: Bench) -> None:
    bench.topic()
    everything = bench.subscription("everything")
    big = bench.subscription("big", _rule("big", "size > 10"))
    label = RuleSpec(name="l", filter=CorrelationFilter(label="x", properties={"size": 3}))
    labelled = bench.subscription("labelled", label)
    nothing = bench.subscription("nothing", RuleSpec(name="never", filter=FalseFilter()))
    bench.send("t", "a", user={"size": 11})
    bench.send("t", "b", user={"size": 3}, subject="x")
    bench.send("t", "c", subject="x")
    assert _bodies(bench, everything) == ["a", "b", "c"]
    assert _bodies(bench, big) == ["a"]
    assert _bodies(bench, labelled) == ["b"]
    assert _bodies(bench, nothing) == []


@pytest.mark.parametrize(
    "field",
    [
        "correlation_id",
        "message_id",
        "to",
        "reply_to",
        "session_id",
        "reply_to_session_id",
        "content_type",
    ],
)
def test_correlation_filters_match_system_properties_by_case(bench: Bench, field: str) -> None:
    bench.topic()
    wanted = CorrelationFilter(**{field: "Abc"})
    subscription = bench.subscription("s", RuleSpec(name="r", filter=wanted))
    bench.send("t", "yes", **{field: "Abc"})
    bench.send("t", "no", **{field: "abc"})
    bench.send("t", "neither")
    assert _bodies(bench, subscription) == ["yes"]


def test_a_correlation_filter_tells_true_from_one(bench: Bench) -> None:
    bench.topic()
    wanted = CorrelationFilter(properties={"flag": True})
    subscription = bench.subscription("s", RuleSpec(name="r", filter=wanted))
    bench.send("t", "one", user={"flag": 1})
    bench.send("t", "true", user={"flag": True})
    assert _bodies(bench, subscription) == ["true"]


def test_rules_without_action_give_one_copy_and_each_action_another(bench: Bench) -> None:
    bench.topic()
    subscription = bench.subscription(
        "s",
        _rule("plain1", "1=1"),
        _rule("plain2", "n = 1"),
        _rule("half", "n = 1", "SET n = n + 1; SET sys.Label = 'half'; REMOVE gone"),
        _rule("named", "n = 1", "SET [a b] = 'c'"),
        _rule("other", "n = 2", "SET n = 0"),
    )
    bench.send("t", "x", user={"n": 1, "gone": True})
    got = bench.take(subscription.mailbox, 100).got
    assert [(message.content.subject, message.content.user) for message in got] == [
        (None, {"n": 1, "gone": True}),
        ("half", {"n": 2, "RuleName": "half"}),
        (None, {"n": 1, "gone": True, "a b": "c", "RuleName": "named"}),
    ]
    assert [body(message.content) for message in got] == ["x", "x", "x"]


def test_rules_that_fail_send_the_message_to_the_dead_letters(bench: Bench) -> None:
    bench.topic()
    strict = bench.subscription("strict", _rule("bad", "1 / n = 1"))
    lax = bench.subscription(
        "lax", _rule("bad", "1 / n = 1"), dead_lettering_on_filter_evaluation_exceptions=False
    )
    bench.send("t", "x", user={"n": 0})
    assert _bodies(bench, strict) == _bodies(bench, lax) == []
    [dead] = bench.take(strict.dead_letters).got
    assert dead.content.user["DeadLetterErrorDescription"] == "Rule 'bad': division by zero."
    assert len(lax.dead_letters) == 0


def test_subscriptions_number_for_themselves_and_remember_the_topics_number(bench: Bench) -> None:
    bench.topic()
    subscription = bench.subscription("s", _rule("odd", "n = 1"))
    for n in (0, 0, 1):
        bench.send("t", "x", user={"n": n})
    [message] = bench.take(subscription.mailbox).got
    assert (message.sequence, message.enqueued_sequence) == (1, 3)


def test_topics_schedule_and_publish_in_time(bench: Bench) -> None:
    topic = bench.topic(default_message_time_to_live=50.0)
    bench.send("t", "x", scheduled_at=START + 100.0)
    assert topic.mailbox.count(State.SCHEDULED) == 1
    late = bench.subscription("late", default_message_time_to_live=70.0)
    bench.advance(100.0)
    [message] = late.mailbox.peek(1, 1)
    assert message.expires_at == START + 150.0


def test_messages_without_session_die_in_session_subscriptions(bench: Bench) -> None:
    bench.topic()
    subscription = bench.subscription("s", requires_session=True)
    bench.send("t", "x")
    [dead] = bench.take(subscription.dead_letters).got
    assert dead.content.user["DeadLetterReason"] == "Session ID is null."


# Duplicates


def test_duplicates_within_the_window_are_dropped(bench: Bench) -> None:
    queue = bench.queue(
        requires_duplicate_detection=True, duplicate_detection_history_time_window=60.0
    )
    bench.send("q", "first", message_id="m")
    bench.send("q", "again", message_id="m")
    queue.mailbox.complete(bench.take(queue.mailbox).tokens[0])
    bench.advance(59.0)
    bench.send("q", "again", message_id="m")
    bench.send("q", "without id")
    bench.send("q", "without id")
    bench.advance(1.0)
    bench.send("q", "later", message_id="m")
    assert bench.take(queue.mailbox, 10).bodies() == ["without id", "without id", "later"]


def test_without_detection_nothing_is_dropped(bench: Bench) -> None:
    queue = bench.queue()
    bench.send("q", "a", "b", message_id="m")
    assert bench.take(queue.mailbox, 10).bodies() == ["a", "b"]


# Forwarding


def test_messages_are_forwarded_and_keep_their_first_number(bench: Bench) -> None:
    end = bench.queue("end")
    bench.send("end", "before")
    bench.topic("middle")
    bench.subscription("s", topic="middle", forward_to="end")
    bench.queue("start", forward_to="middle")
    bench.send("start", "a", user={"k": 1})
    [_, message] = bench.take(end.mailbox, 10).got
    assert (message.sequence, message.enqueued_sequence) == (2, 1)
    assert message.content.user == {"k": 1}
    assert message.hops == 2


def test_the_fifth_hop_ends_in_the_dead_letters(bench: Bench) -> None:
    last = bench.queue("q5")
    for number in range(4, -1, -1):
        bench.queue(f"q{number}", forward_to=f"q{number + 1}")
    bench.send("q1", "four hops")
    assert bench.take(last.mailbox).bodies() == ["four hops"]
    bench.send("q0", "five hops")
    assert len(last.mailbox) == 1
    [dead] = bench.take(bench.namespace.directory.queues["q4"].dead_letters).got
    assert dead.content.user["DeadLetterReason"] == "MaxTransferHopCountExceeded"


def test_what_cannot_be_forwarded_is_dead_lettered_at_the_source(bench: Bench) -> None:
    end = bench.queue("end")
    start = bench.queue("start", forward_to="end")
    bench.namespace.update(QueueSpec(name="end", status="Disabled"))
    bench.send("start", "to disabled")
    bench.namespace.delete(end)
    bench.send("start", "to deleted")
    dead = bench.take(start.dead_letters, 10)
    assert dead.bodies() == ["to disabled", "to deleted"]
    assert [m.content.user["DeadLetterErrorDescription"] for m in dead.got] == [
        "Entity 'end' is currently disabled for sending (status Disabled).",
        "The messaging entity 'end' could not be found.",
    ]


def test_switching_forwarding_on_moves_what_waits(bench: Bench) -> None:
    end, start = bench.queue("end"), bench.queue("start")
    bench.send("start", "a", "b")
    bench.namespace.update(QueueSpec(name="start", forward_to="end"))
    assert bench.take(end.mailbox, 10).bodies() == ["a", "b"]
    assert len(start.mailbox) == 0


def test_dead_letters_are_forwarded_with_their_source(bench: Bench) -> None:
    graves = bench.queue("graves")
    bench.topic()
    subscription = bench.subscription("s", forward_dead_lettered_messages_to="graves")
    bench.send("t", "x")
    subscription.mailbox.dead_letter(bench.take(subscription.mailbox).tokens[0], "Why", "")
    [dead] = bench.take(graves.mailbox).got
    assert dead.dead_letter_source == "t/Subscriptions/s"
    assert dead.content.user == {"DeadLetterReason": "Why"}
    assert len(subscription.dead_letters) == 0


def test_dead_letters_stay_when_their_destination_refuses(bench: Bench) -> None:
    graves = bench.queue("graves")
    queue = bench.queue(forward_dead_lettered_messages_to="graves")
    bench.namespace.delete(graves)
    bench.send("q", "x")
    queue.mailbox.dead_letter(bench.take(queue.mailbox).tokens[0], "Why", "")
    assert bench.take(queue.dead_letters).bodies() == ["x"]


# Limits


def test_a_message_over_the_limit_is_refused(bench: Bench) -> None:
    bench.queue(max_message_size_in_kilobytes=1)
    with pytest.raises(MessageTooLargeError, match=r"exceeds the limit \(1024 bytes\)"):
        bench.send("q", "x" * 1024)


def test_a_full_entity_is_refused_and_takes_messages_again_when_there_is_room(
    bench: Bench,
) -> None:
    queue = bench.queue(max_size_in_megabytes=1)
    for _ in range(5):
        bench.send("q", "x" * 200_000)
    with pytest.raises(QuotaExceededError, match="maximum entity size has been reached"):
        bench.send("q", "x" * 200_000)
    queue.mailbox.complete(bench.take(queue.mailbox).tokens[0])
    bench.send("q", "x" * 200_000)


def test_a_batch_is_taken_whole_or_not_at_all(bench: Bench) -> None:
    queue = bench.queue()
    with pytest.raises(InvalidArgumentError, match="message_id has over 128 characters"):
        bench.send("q", "good", "bad", message_id="m" * 129)
    assert len(queue.mailbox) == 0


@pytest.mark.parametrize("status", ["Disabled", "SendDisabled"])
def test_entities_disabled_for_sending_refuse(bench: Bench, status: str) -> None:
    bench.queue(status=status)
    with pytest.raises(EntityDisabledError, match=f"disabled for sending \\(status {status}\\)"):
        bench.send("q", "x")


# Addresses


def test_addresses_ignore_case(bench: Bench) -> None:
    queue = bench.queue("Orders")
    bench.topic("Topic")
    subscription = bench.subscription("Sub", topic="topic")
    directory = bench.namespace.directory
    assert directory.receivable("orders")[1] is queue.mailbox
    assert directory.receivable("ORDERS/$DeadLetterQueue")[1] is queue.dead_letters
    assert directory.receivable("topic/subscriptions/sub")[1] is subscription.mailbox
    transfer = directory.receivable("orders/$Transfer/$DeadLetterQueue")[1]
    assert transfer is queue.transfer_dead_letters


def test_wrong_addresses_say_what_is_wrong(bench: Bench) -> None:
    bench.queue()
    bench.topic()
    bench.subscription("s")
    directory = bench.namespace.directory
    with pytest.raises(EntityNotFoundError, match="'nowhere' could not be found"):
        directory.sendable("nowhere")
    with pytest.raises(EntityNotFoundError):
        directory.entity("t/subscriptions/nobody")
    with pytest.raises(NotAllowedError, match="Cannot receive from the topic 't'"):
        directory.receivable("t")
    with pytest.raises(NotAllowedError, match="Cannot send to 't/subscriptions/s'"):
        directory.sendable("t/subscriptions/s")


# Entities


def test_names_are_taken_once(bench: Bench) -> None:
    bench.queue("a")
    bench.topic("t")
    bench.subscription("s")
    for make in (lambda: bench.topic("A"), lambda: bench.queue("T")):
        with pytest.raises(EntityExistsError, match="exists already"):
            make()
    with pytest.raises(EntityExistsError, match="'t/Subscriptions/S' exists already"):
        bench.subscription("S")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "no spaces"}, "'no spaces' is no queue name"),
        ({"name": "x" * 261}, "is no queue name"),
        ({"lock_duration": 301.0}, "LockDuration of 'q' must be over 0 and at most 5 minutes"),
        ({"max_delivery_count": 0}, "MaxDeliveryCount of 'q' must be at least 1"),
        ({"default_message_time_to_live": 0.0}, "DefaultMessageTimeToLive of 'q' must be over 0"),
        (
            {"duplicate_detection_history_time_window": 700_000.0},
            "DuplicateDetectionHistoryTimeWindow of 'q' must be over 0 and at most 7 days",
        ),
        ({"max_size_in_megabytes": 0}, "MaxSizeInMegabytes of 'q' must be at least 1"),
        (
            {"max_message_size_in_kilobytes": 200_000},
            "MaxMessageSizeInKilobytes of 'q' must be between 1 and 102400",
        ),
        ({"user_metadata": "x" * 1025}, "UserMetadata of 'q' must have at most 1024 characters"),
        (
            {"requires_session": True, "forward_to": "other"},
            "ForwardTo of 'q' cannot be set where RequiresSession is",
        ),
        ({"forward_to": "nowhere"}, "forward_to of 'q' leads to 'nowhere', which does not exist"),
        ({"forward_to": "Q"}, "forward_to of 'q' leads to itself"),
    ],
)
def test_descriptions_that_azure_refuses_are_refused(
    bench: Bench, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        bench.queue(**{"name": "q", **fields})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (RuleSpec(name="a b"), "'a b' is no rule name"),
        (RuleSpec(name="r", filter=CorrelationFilter()), "needs at least one property"),
        (_rule("r", "a = 1 AND"), "where a property, a value or"),
        (_rule("r", "a = '" + "x" * 1024 + "'"), "has 1030 characters, at most 1024"),
        (_rule("r", "1=1", "a = 1"), "where SET or REMOVE was expected"),
    ],
)
def test_rules_that_azure_refuses_are_refused(bench: Bench, rule: RuleSpec, message: str) -> None:
    bench.topic()
    with pytest.raises(InvalidArgumentError, match=message):
        bench.subscription("s", rule)


def test_some_properties_never_change(bench: Bench) -> None:
    bench.queue()
    with pytest.raises(InvalidArgumentError, match="requires_session of 'q' cannot change"):
        bench.namespace.update(QueueSpec(name="q", requires_session=True))


def test_updates_take_effect_at_once(bench: Bench) -> None:
    queue = bench.queue(lock_duration=10.0)
    bench.namespace.update(QueueSpec(name="q", lock_duration=20.0, max_delivery_count=1))
    bench.send("q", "x")
    bench.take(queue.mailbox)
    bench.advance(19.0)
    assert len(queue.dead_letters) == 0
    bench.advance(1.0)
    assert len(queue.dead_letters) == 1


def test_receivers_of_a_deleted_entity_learn_of_it(bench: Bench) -> None:
    topic = bench.topic()
    subscription = bench.subscription("s")
    receiver = bench.receive(subscription.mailbox)
    bench.namespace.delete(topic)
    assert [type(error) for error in receiver.errors] == [EntityNotFoundError]
    with pytest.raises(EntityNotFoundError):
        bench.namespace.directory.entity("t/Subscriptions/s")


@pytest.mark.parametrize("status", ["Disabled", "ReceiveDisabled"])
def test_receivers_of_a_disabled_entity_learn_of_it(bench: Bench, status: str) -> None:
    queue = bench.queue()
    receiver = bench.receive(queue.mailbox)
    bench.namespace.update(replace(queue.spec, status=status))
    assert [str(error) for error in receiver.errors] == [
        f"Entity 'q' is currently disabled for receiving (status {status})."
    ]


def test_idle_entities_delete_themselves(bench: Bench) -> None:
    bench.queue("idle", auto_delete_on_idle=300.0)
    watched = bench.queue("watched", auto_delete_on_idle=300.0)
    receiver = bench.receive(watched.mailbox)
    bench.advance(299.0)
    assert set(bench.namespace.directory.queues) == {"idle", "watched"}
    bench.advance(1.0)
    assert set(bench.namespace.directory.queues) == {"watched"}
    watched.mailbox.detach(receiver)
    bench.advance(299.0)
    assert set(bench.namespace.directory.queues) == {"watched"}
    bench.advance(1.0)
    assert set(bench.namespace.directory.queues) == set()


def test_rules_come_and_go(bench: Bench) -> None:
    bench.topic()
    subscription = bench.subscription("s")
    namespace = bench.namespace
    namespace.put_rule(subscription, _rule("r", "n = 1"), replacing=False)
    namespace.delete_rule(subscription, "$default")
    bench.send("t", "no", user={"n": 2})
    namespace.put_rule(subscription, _rule("R", "n = 2"), replacing=True)
    bench.send("t", "yes", user={"n": 2})
    assert _bodies(bench, subscription) == ["yes"]
    with pytest.raises(EntityExistsError, match="Rules/r' exists already"):
        namespace.put_rule(subscription, _rule("r", "1=1"), replacing=False)
    for refused in (
        lambda: namespace.put_rule(subscription, _rule("new", "1=1"), replacing=True),
        lambda: namespace.delete_rule(subscription, "new"),
    ):
        with pytest.raises(EntityNotFoundError, match="Rules/new"):
            refused()


def test_every_refusal_names_the_condition_that_sdks_know() -> None:
    def leaves(kind: type[BrokerError]) -> list[type[BrokerError]]:
        return [kind, *(leaf for below in kind.__subclasses__() for leaf in leaves(below))]

    for kind in leaves(BrokerError):
        assert kind.condition.startswith(("amqp:", "com.microsoft:"))
        assert 400 <= kind.status < 600


def test_a_subscription_needs_its_topic(bench: Bench) -> None:
    with pytest.raises(EntityNotFoundError, match="'nowhere' could not be found"):
        bench.namespace.create_subscription(SubscriptionSpec(topic="nowhere", name="s"))
