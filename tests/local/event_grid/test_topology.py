"""Topology files: what they may say, and what is said about those that are not right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.event_grid import EventGrid, load_topology, read_topology
from local.event_grid.destinations.settings import (
    DeadLetters,
    ServiceBusEntity,
    StorageQueue,
    WebHook,
)
from local.event_grid.documents import InvalidDocument
from local.process import LocalError
from tests.local.azurite.running import ROOT, failing
from tests.local.event_grid.building import CLOUD, CUSTOM, OWN, subscription, webhook

BUS = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/n"


def with_topic(**members: Any) -> dict[str, Any]:
    return {"topics": [{"name": "orders", **members}]}


def with_subscription(**members: Any) -> dict[str, Any]:
    declared = {"name": "s", "destination": webhook("http://x"), **members}
    return with_topic(eventSubscriptions=[declared])


def test_the_topology_of_the_project_is_one() -> None:
    topology = load_topology(ROOT / "infra" / "event-grid.json")
    assert all(topic.subscriptions for topic in topology.topics)


def test_members_may_stand_in_properties_as_in_arm() -> None:
    flat = with_topic(inputSchema=CLOUD, eventSubscriptions=[subscription(webhook("http://x"))])
    nested = {
        "topics": [
            {
                "name": "orders",
                "location": "westeurope",
                "tags": {},
                "properties": {"inputSchema": CLOUD},
                "eventSubscriptions": [
                    {"name": "sub", "properties": {"destination": webhook("http://x")}}
                ],
            }
        ]
    }
    assert read_topology(flat) == read_topology(nested)


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("ServiceBusQueue", {"queueName": "q"}, ServiceBusEntity(name="q", is_topic=False)),
        (
            "ServiceBusQueue",
            {"resourceId": f"{BUS}/queues/q"},
            ServiceBusEntity(name="q", is_topic=False),
        ),
        ("ServiceBusTopic", {"resourceId": "topics/t"}, ServiceBusEntity(name="t", is_topic=True)),
        ("StorageQueue", {"resourceId": "/a", "queueName": "q"}, StorageQueue(name="q")),
        (
            "StorageQueue",
            {"queueName": "q", "queueMessageTimeToLiveInSeconds": -1},
            StorageQueue(name="q", time_to_live=-1),
        ),
        ("WebHook", {"endpointUrl": "https://x/y"}, WebHook(url="https://x/y")),
        (
            "WebHook",
            {"endpointUrl": "https://x", "maxEventsPerBatch": 5000},
            WebHook(url="https://x", max_events=5000, batched=True),
        ),
    ],
)
@pytest.mark.parametrize("as_identity", [False, True])
def test_destinations(
    kind: str, properties: dict[str, Any], expected: object, as_identity: bool
) -> None:
    destination = {"endpointType": kind, "properties": properties}
    declared: dict[str, Any] = {"name": "s", "destination": destination}
    if as_identity:
        identity = {"identity": {"type": "SystemAssigned"}, "destination": destination}
        declared = {"name": "s", "deliveryWithResourceIdentity": identity}
    topology = read_topology(with_topic(eventSubscriptions=[declared]))
    assert topology.topics[0].subscriptions[0].destination == expected


def test_defaults_are_azures() -> None:
    topic = read_topology(with_subscription()).topics[0]
    (found,) = topic.subscriptions
    assert (topic.input_schema, found.delivery_schema) == (OWN, OWN)
    assert (found.max_attempts, found.time_to_live) == (30, 86400.0)
    assert found.dead_letters is None


def test_dead_letters_with_and_without_an_identity() -> None:
    blob = {"endpointType": "StorageBlob", "properties": {"blobContainerName": "dead"}}
    for members in (
        {"deadLetterDestination": blob},
        {"deadLetterWithResourceIdentity": {"identity": {}, "deadLetterDestination": blob}},
    ):
        (found,) = read_topology(with_subscription(**members)).topics[0].subscriptions
        assert found.dead_letters == DeadLetters(container="dead")


def test_a_system_topic_stands_for_its_storage_account() -> None:
    topics = read_topology(
        {"systemTopics": [{"name": "a"}, {"name": "b", "source": "lake"}]}
    ).topics
    assert [topic.is_system for topic in topics] == [True, True]
    assert topics[0].resource_id.endswith("/storageAccounts/devstoreaccount1")
    assert topics[1].resource_id.endswith("Microsoft.Storage/storageAccounts/lake")


STATIC = {"name": "h", "type": "Static"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "The top level must be an object with topics and systemTopics."),
        ({"topcis": []}, "topcis is not known here. Expected one of: systemTopics, topics."),
        ({"topics": {}}, "topics must be a list, but is {}."),
        ({"topics": ["a"]}, "topics[0] must be an object, but is 'a'."),
        ({"topics": [{}]}, "topics[0].name is missing. It must be a text that is not empty."),
        ({"topics": [{"name": 1}]}, "topics[0].name must be a text, but is 1."),
        (
            with_topic(inputSchema="XML"),
            "topics[0].inputSchema is 'XML'. Expected one of: EventGridSchema, ",
        ),
        (
            {"topics": [{"name": "a"}], "systemTopics": [{"name": "A"}]},
            "topics and systemTopics: the name 'A' stands there twice.",
        ),
        (
            {"systemTopics": [{"name": "a"}, {"name": "b"}]},
            "systemTopics: a storage account can have only one system topic.",
        ),
        (
            {"systemTopics": [{"name": "a", "topicType": "Microsoft.KeyVault.vaults"}]},
            "systemTopics[0].topicType is 'Microsoft.KeyVault.vaults'. Expected one of: Micro",
        ),
        (
            with_topic(inputSchemaMapping={"inputSchemaMappingType": "Json"}),
            "topics[0].inputSchemaMapping needs the inputSchema CustomEventSchema.",
        ),
        (
            with_topic(eventSubscriptions=[subscription(webhook("http://x"))] * 2),
            "topics[0].eventSubscriptions: the name 'sub' stands there twice.",
        ),
        (
            with_topic(eventSubscriptions=[{"name": "s"}]),
            "topics[0].eventSubscriptions[0].destination is missing. It must be an object.",
        ),
        (
            with_subscription(destination={"endpointType": "EventHub", "properties": {}}),
            "topics[0].eventSubscriptions[0].destination.endpointType is 'EventHub'. Expected ",
        ),
        (
            with_subscription(destination=webhook("ftp://x")),
            "topics[0].eventSubscriptions[0].destination.properties.endpointUrl must start with ",
        ),
        (
            with_subscription(destination=webhook("http://x", maxEventsPerBatch=5001)),
            (
                "topics[0].eventSubscriptions[0].destination.properties.maxEventsPerBatch must be "
                "a whole number from 1 to 5000, but is 5001."
            ),
        ),
        (
            with_subscription(
                destination={"endpointType": "ServiceBusQueue", "properties": {"resourceId": "q"}}
            ),
            (
                "topics[0].eventSubscriptions[0].destination.properties.resourceId must end with "
                "queues/NAME."
            ),
        ),
        (
            with_subscription(retryPolicy={"maxDeliveryAttempts": 31}),
            (
                "topics[0].eventSubscriptions[0].retryPolicy.maxDeliveryAttempts must be a whole "
                "number from 1 to 30, but is 31."
            ),
        ),
        (
            with_subscription(retryPolicy={"eventTimeToLiveInMinutes": 0}),
            "topics[0].eventSubscriptions[0].retryPolicy.eventTimeToLiveInMinutes must be a ",
        ),
        (
            with_subscription(deadLetterDestination={"endpointType": "StorageBlob"}),
            "topics[0].eventSubscriptions[0].deadLetterDestination.properties is missing.",
        ),
        (
            with_subscription(deliveryWithResourceIdentity={"destination": webhook("http://x")}),
            "topics[0].eventSubscriptions[0].deliveryWithResourceIdentity and destination ",
        ),
        (
            with_subscription(
                destination=webhook("http://x", deliveryAttributeMappings=[STATIC] * 11)
            ),
            (
                "topics[0].eventSubscriptions[0].destination.properties.deliveryAttributeMappings "
                "holds 11 attributes; Azure takes at most 10."
            ),
        ),
        (
            with_subscription(
                destination=webhook(
                    "http://x",
                    deliveryAttributeMappings=[
                        {"name": "aeg-x", "type": "Static", "properties": {"value": "v"}}
                    ],
                )
            ),
            (
                "topics[0].eventSubscriptions[0].destination.properties.deliveryAttributeMappings[0]"
                ".name must not start with aeg-"
            ),
        ),
        (
            with_subscription(
                destination=webhook(
                    "http://x",
                    deliveryAttributeMappings=[{**STATIC, "properties": {"value": "v" * 4097}}],
                )
            ),
            (
                "topics[0].eventSubscriptions[0].destination.properties.deliveryAttributeMappings[0]"
                ".value is longer than 4096 bytes."
            ),
        ),
        (
            with_subscription(filter={"isSubjectCaseSensitive": "yes"}),
            "topics[0].eventSubscriptions[0].filter.isSubjectCaseSensitive must be true or false, ",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(InvalidDocument) as refused:
        read_topology(value)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("input_schema", "delivery_schema", "allowed"),
    [
        (OWN, OWN, True),
        (OWN, CLOUD, True),
        (OWN, "CustomInputSchema", False),
        (CLOUD, CLOUD, True),
        (CLOUD, OWN, False),
        (CLOUD, "CustomInputSchema", False),
        (CUSTOM, OWN, True),
        (CUSTOM, CLOUD, True),
        (CUSTOM, "CustomInputSchema", True),
    ],
)
def test_schemas_become_what_azure_lets_them_become(
    input_schema: str, delivery_schema: str, allowed: bool
) -> None:
    declared = subscription(webhook("http://x"), eventDeliverySchema=delivery_schema)
    value = with_topic(inputSchema=input_schema, eventSubscriptions=[declared])
    if allowed:
        assert read_topology(value).topics[0].subscriptions[0].delivery_schema == delivery_schema
    else:
        with pytest.raises(InvalidDocument, match="eventDeliverySchema is"):
            read_topology(value)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    absent, torn, wrong = (tmp_path / name for name in ("absent.json", "torn.json", "wrong.json"))
    torn.write_text('{"topics": [')
    wrong.write_text('{"topics": 1}')
    for file, message in (
        (absent, f"Cannot read the topology {absent}: No such file or directory."),
        (torn, f"The topology {torn} is not JSON: Expecting value: line 1 column 13 (char 12)."),
        (wrong, f"The topology {wrong} is not right: topics must be a list, but is 1."),
    ):
        with pytest.raises(LocalError) as refused:
            load_topology(file)
        assert str(refused.value) == message


@pytest.mark.asyncio
async def test_a_destination_out_of_reach_is_named_with_the_option_that_is_missing() -> None:
    bus = {"endpointType": "ServiceBusQueue", "properties": {"queueName": "q"}}
    queue = {"endpointType": "StorageQueue", "properties": {"queueName": "q"}}
    dead = {"endpointType": "StorageBlob", "properties": {"blobContainerName": "dead"}}
    for value, message in (
        (
            with_subscription(destination=bus),
            "delivers to Service Bus: give its connection string with --service-bus.",
        ),
        (
            with_subscription(destination=queue),
            "delivers to a storage queue: give a connection string with --storage.",
        ),
        (
            with_subscription(deadLetterDestination=dead),
            "has dead letters: give a storage connection string with --storage.",
        ),
    ):
        with pytest.raises(LocalError) as refused:
            await EventGrid(topology=read_topology(value)).start()
        assert str(refused.value) == f"The event subscription 's' {message}"


def test_a_system_topic_needs_a_storage_account(tmp_path: Path) -> None:
    file = tmp_path / "topology.json"
    file.write_text('{"systemTopics": [{"name": "landing"}]}')
    code, errors = failing("local.event_grid", "--topology", file, "--port=0")
    assert code == 2
    assert errors == (
        "error: The system topic 'landing' needs a storage account: give its connection string "
        "with --storage.\n"
    )
