"""The unmodified administration client against the broker, over HTTPS with our certificate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.aio.management import (
    ServiceBusAdministrationClient as AsyncServiceBusAdministrationClient,
)
from azure.servicebus.management import (
    AccessRights,
    AuthorizationRule,
    CorrelationRuleFilter,
    EntityStatus,
    FalseRuleFilter,
    ServiceBusAdministrationClient,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

from local.service_bus import ServiceBusEmulator
from local.service_bus.testing import broker_in_thread
from tests.local.service_bus.lab import WAIT, name

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(scope="module")
def bus() -> Iterator[ServiceBusEmulator]:
    with broker_in_thread() as bus:
        yield bus


@pytest.fixture(scope="module")
def admin(bus: ServiceBusEmulator) -> Iterator[ServiceBusAdministrationClient]:
    with closing(
        ServiceBusAdministrationClient.from_connection_string(
            bus.admin_connection_string, connection_verify=str(bus.certificate)
        )
    ) as client:
        yield client


Admin = ServiceBusAdministrationClient


def test_a_queue_has_azures_defaults(admin: Admin) -> None:
    queue = admin.create_queue(name())
    assert queue.lock_duration == MINUTE
    assert queue.max_delivery_count == 10
    assert queue.default_message_time_to_live > dt.timedelta(days=10_000_000)
    assert queue.duplicate_detection_history_time_window == 10 * MINUTE
    assert queue.max_size_in_megabytes == 1024
    assert queue.max_message_size_in_kilobytes == 256
    assert (queue.requires_session, queue.requires_duplicate_detection) == (False, False)
    assert queue.status == EntityStatus.ACTIVE
    assert queue.forward_to is None


def test_every_property_of_a_queue_is_kept(admin: Admin) -> None:
    end = admin.create_queue(name()).name
    rules = [
        AuthorizationRule(
            type="SharedAccessAuthorizationRule",
            rights=[AccessRights.SEND],
            key_name="sender",
            primary_key="cGs=",
            secondary_key="c2s=",
        )
    ]
    given: dict[str, Any] = {
        "lock_duration": dt.timedelta(seconds=13),
        "max_delivery_count": 7,
        "default_message_time_to_live": dt.timedelta(minutes=11),
        "dead_lettering_on_message_expiration": True,
        "duplicate_detection_history_time_window": dt.timedelta(minutes=12),
        "requires_duplicate_detection": True,
        "max_size_in_megabytes": 2048,
        "max_message_size_in_kilobytes": 1024,
        "enable_batched_operations": False,
        "user_metadata": "note <&>",
        "auto_delete_on_idle": dt.timedelta(minutes=10),
    }
    made = admin.create_queue(
        name(),
        forward_to=end,
        forward_dead_lettered_messages_to=end,
        authorization_rules=rules,
        **given,
    )
    found = admin.get_queue(made.name)
    assert {key: found[key] for key in given} == given
    assert found.forward_to.endswith(f"/{end}")
    assert found.forward_dead_lettered_messages_to.endswith(f"/{end}")
    [rule] = found.authorization_rules
    assert (rule.key_name, rule.rights) == ("sender", [AccessRights.SEND])
    found.forward_to = None
    found.max_delivery_count = 3
    found.status = EntityStatus.SEND_DISABLED
    admin.update_queue(found)
    changed = admin.get_queue(made.name)
    assert (changed.forward_to, changed.max_delivery_count) == (None, 3)
    assert changed.status == EntityStatus.SEND_DISABLED
    admin.delete_queue(made.name)
    with pytest.raises(ResourceNotFoundError):
        admin.get_queue(made.name)


def test_sessions_are_chosen_when_a_queue_is_made(admin: Admin) -> None:
    queue = admin.create_queue(name(), requires_session=True)
    queue.requires_session = False
    with pytest.raises(HttpResponseError, match=r"requires_session of .* cannot change"):
        admin.update_queue(queue)


def test_topics_subscriptions_and_their_numbers(admin: Admin) -> None:
    topic = admin.create_topic(name(), default_message_time_to_live=5 * MINUTE)
    assert topic.default_message_time_to_live == 5 * MINUTE
    topic.user_metadata = "changed"
    admin.update_topic(topic)
    assert admin.get_topic(topic.name).user_metadata == "changed"
    made = admin.create_subscription(
        topic.name, "one", lock_duration="PT30S", requires_session=True
    )
    assert (made.lock_duration, made.requires_session) == (MINUTE / 2, True)
    admin.create_subscription(topic.name, "two")
    made.max_delivery_count = 2
    admin.update_subscription(topic.name, made)
    assert admin.get_subscription(topic.name, "one").max_delivery_count == 2
    assert [found.name for found in admin.list_subscriptions(topic.name)] == ["one", "two"]
    numbers = admin.get_topic_runtime_properties(topic.name)
    assert (numbers.subscription_count, numbers.scheduled_message_count) == (2, 0)
    admin.delete_subscription(topic.name, "one")
    assert [found.name for found in admin.list_subscriptions(topic.name)] == ["two"]
    admin.delete_topic(topic.name)
    assert topic.name not in [found.name for found in admin.list_topics()]


def test_rules_of_every_kind(admin: Admin) -> None:
    topic = admin.create_topic(name()).name
    admin.create_subscription(topic, "s")
    [default] = admin.list_rules(topic, "s")
    assert (default.name, type(default.filter)) == ("$Default", TrueRuleFilter)
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    values = {"@s": "text", "@i": 1, "@l": 2**40, "@f": 1.5, "@b": True, "@d": moment}
    sql = admin.create_rule(
        topic,
        "s",
        "sql",
        filter=SqlRuleFilter("a = @s AND b < 3", parameters=values),
        action=SqlRuleAction("SET c = @s", parameters={"@s": "x"}),
    )
    assert dict(sql.filter.parameters) == values
    assert dict(sql.action.parameters) == {"@s": "x"}
    found = admin.get_rule(topic, "s", "sql")
    assert found.filter.sql_expression == "a = @s AND b < 3"
    assert found.action.sql_expression == "SET c = @s"
    wanted = {
        "correlation_id": "c",
        "message_id": "m",
        "to": "t",
        "reply_to": "r",
        "label": "l",
        "session_id": "s",
        "reply_to_session_id": "rs",
        "content_type": "ct",
    }
    found.filter = CorrelationRuleFilter(**wanted, properties={"k": "v", "n": 1, "b": False})
    found.action = None
    admin.update_rule(topic, "s", found)
    changed = admin.get_rule(topic, "s", "sql").filter
    assert {key: getattr(changed, key) for key in wanted} == wanted
    assert dict(changed.properties) == {"k": "v", "n": 1, "b": False}
    admin.create_rule(topic, "s", "never", filter=FalseRuleFilter())
    admin.delete_rule(topic, "s", "$Default")
    assert [(rule.name, type(rule.filter)) for rule in admin.list_rules(topic, "s")] == [
        ("sql", CorrelationRuleFilter),
        ("never", FalseRuleFilter),
    ]


def test_what_happens_in_a_queue_can_be_read(bus: ServiceBusEmulator, admin: Admin) -> None:
    queue = admin.create_queue(name()).name
    with (
        ServiceBusClient.from_connection_string(bus.connection_string) as client,
        client.get_queue_sender(queue) as sender,
        client.get_queue_receiver(queue, max_wait_time=WAIT) as receiver,
    ):
        sender.send_messages([ServiceBusMessage("x") for _ in range(3)])
        soon = dt.datetime.now(dt.UTC) + 5 * MINUTE
        sender.schedule_messages(ServiceBusMessage("later"), soon)
        receiver.dead_letter_message(receiver.receive_messages()[0])
        numbers = admin.get_queue_runtime_properties(queue)
    assert numbers.active_message_count == 2
    assert numbers.dead_letter_message_count == 1
    assert numbers.scheduled_message_count == 1
    assert numbers.total_message_count == 4
    assert numbers.transfer_message_count == numbers.transfer_dead_letter_message_count == 0
    assert numbers.size_in_bytes > 0
    assert numbers.created_at_utc <= numbers.updated_at_utc <= numbers.accessed_at_utc
    [listed] = [found for found in admin.list_queues_runtime_properties() if found.name == queue]
    assert listed.total_message_count == 4


def test_long_lists_come_in_pages(admin: Admin) -> None:
    topic = admin.create_topic(name()).name
    names = [f"s{number:03}" for number in range(120)]
    for one in names:
        admin.create_subscription(topic, one)
    assert [found.name for found in admin.list_subscriptions(topic)] == names
    found = admin.list_subscriptions_runtime_properties(topic, max_page_size=50)
    assert [one.name for one in found] == names


def test_names_may_have_slashes(admin: Admin) -> None:
    queue = f"area/{name()}"
    admin.create_queue(queue)
    assert admin.get_queue(queue).name == queue
    assert queue in [found.name for found in admin.list_queues()]
    admin.delete_queue(queue)


def test_the_namespace_describes_itself(admin: Admin) -> None:
    found = admin.get_namespace_properties()
    assert (found.name, found.messaging_sku) == ("local", "Standard")


@pytest.mark.parametrize(
    ("attempt", "kind", "message"),
    [
        (lambda a: a.get_queue("nowhere"), ResourceNotFoundError, "nowhere"),
        (lambda a: a.get_topic("nowhere"), ResourceNotFoundError, "nowhere"),
        (lambda a: a.get_subscription("nowhere", "s"), ResourceNotFoundError, "nowhere"),
        (lambda a: a.get_rule("nowhere", "s", "r"), ResourceNotFoundError, "nowhere"),
        (lambda a: a.delete_queue("nowhere"), ResourceNotFoundError, "nowhere"),
        (lambda a: a.delete_subscription("nowhere", "s"), ResourceNotFoundError, "nowhere"),
        (lambda a: a.create_subscription("nowhere", "s"), ResourceNotFoundError, "nowhere"),
        (lambda a: list(a.list_subscriptions("nowhere")), ResourceNotFoundError, "nowhere"),
        (lambda a: a.create_queue("no spaces"), HttpResponseError, "is no queue name"),
        (lambda a: a.create_queue("q", lock_duration="PT10M"), HttpResponseError, "LockDuration"),
        (lambda a: a.create_queue("q", lock_duration="P1Y"), HttpResponseError, "months or years"),
        (lambda a: a.create_queue("q", status="Sleeping"), HttpResponseError, "'Sleeping' is none"),
        (lambda a: a.create_queue("q", forward_to="x"), HttpResponseError, "does not exist"),
    ],
)
def test_refusals_say_why(
    admin: Admin, attempt: Callable[[Admin], object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        attempt(admin)


def test_names_are_taken_once(admin: Admin) -> None:
    queue = admin.create_queue(name()).name
    with pytest.raises(ResourceExistsError, match="exists already"):
        admin.create_queue(queue.upper())


def test_bad_rules_are_refused_with_the_place(admin: Admin) -> None:
    topic = admin.create_topic(name()).name
    admin.create_subscription(topic, "s")
    with pytest.raises(HttpResponseError, match="SQL error at character 5 of `a = = 1`"):
        admin.create_rule(topic, "s", "bad", filter=SqlRuleFilter("a = = 1"))
    with pytest.raises(HttpResponseError, match="needs at least one property"):
        admin.create_rule(topic, "s", "bad", filter=CorrelationRuleFilter())


@pytest.mark.asyncio
async def test_the_asyncio_client_works_too(bus: ServiceBusEmulator) -> None:
    client = AsyncServiceBusAdministrationClient.from_connection_string(
        bus.admin_connection_string, connection_verify=str(bus.certificate)
    )
    async with client:
        queue = await client.create_queue(name())
        assert (await client.get_queue(queue.name)).name == queue.name
        assert queue.name in [found.name async for found in client.list_queues()]


def test_a_client_without_our_certificate_is_not_served(bus: ServiceBusEmulator) -> None:
    with (
        closing(
            ServiceBusAdministrationClient.from_connection_string(
                bus.admin_connection_string, retry_total=0
            )
        ) as client,
        pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get_queue("q")
