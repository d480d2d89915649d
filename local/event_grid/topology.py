"""What exists in an Event Grid: topics, system topics and event subscriptions, read from JSON.

The form is ARM's, so that Bicep can load the same file (`loadJsonContent`): members may stand in
`properties` or beside the name, a Service Bus queue is named by `resourceId` (whole, or its end
`queues/NAME`) or by `queueName`, and event subscriptions stand inside their topic.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.event_grid.destinations.settings import DeadLetters, Destination, read_destination
from local.event_grid.documents import Document, InvalidDocument
from local.event_grid.filters import Filter, read_filter
from local.event_grid.schemas import (
    CLOUD_EVENTS,
    CUSTOM,
    CUSTOM_INPUT,
    DELIVERY_SCHEMAS,
    EVENT_GRID,
    INPUT_SCHEMAS,
    Mapping,
)
from local.process import LocalError

RESOURCE_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
STORAGE_TOPIC_TYPE = "Microsoft.Storage.StorageAccounts"

_ARM_MEMBERS = ("name", "location", "tags", "identity", "sku", "kind", "eventSubscriptions")
_TOPIC_MEMBERS = (
    *_ARM_MEMBERS,
    "inputSchema",
    "inputSchemaMapping",
    "publicNetworkAccess",
    "disableLocalAuth",
    "minimumTlsVersionAllowed",
)
_SUBSCRIPTION_MEMBERS = (
    "name",
    "destination",
    "deliveryWithResourceIdentity",
    "filter",
    "eventDeliverySchema",
    "retryPolicy",
    "deadLetterDestination",
    "deadLetterWithResourceIdentity",
    "labels",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EventSubscription:
    """Which events of a topic go where, in which form, and what happens when they cannot."""

    name: str
    destination: Destination
    filter: Filter
    delivery_schema: str
    max_attempts: int
    time_to_live: float
    """Seconds."""
    dead_letters: DeadLetters | None
    document: dict[str, Any] = field(compare=False)
    """As it was declared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """A custom topic, or a system topic, to which only its own source publishes."""

    name: str
    resource_id: str
    input_schema: str
    is_system: bool = False
    mapping: Mapping | None = None
    subscriptions: tuple[EventSubscription, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Topology:
    """Everything that the file declares."""

    topics: tuple[Topic, ...] = ()


def load_topology(file: Path) -> Topology:
    """Read a topology file.

    Raises:
        LocalError: it is absent, not JSON, or not a topology; the message names file and place.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        message = f"Cannot read the topology {file}: {problem.strerror}."
        raise LocalError(message) from None
    except ValueError as problem:
        message = f"The topology {file} is not JSON: {problem}."
        raise LocalError(message) from None
    try:
        return read_topology(document)
    except InvalidDocument as problem:
        message = f"The topology {file} is not right: {problem}"
        raise LocalError(message) from None


def read_topology(value: Any) -> Topology:
    """Read a topology from JSON.

    Raises:
        InvalidDocument: the message starts with the path of the place that is not right.
    """
    if not isinstance(value, dict):
        raise InvalidDocument("The top level must be an object with topics and systemTopics.")
    document = Document(value=value)
    document.only("topics", "systemTopics")
    topics = [_read_topic(item) for item in document.children("topics")]
    systems = [_read_system_topic(item) for item in document.children("systemTopics")]
    _refuse_twins([topic.name for topic in topics + systems], "topics and systemTopics")
    sources = [topic.resource_id for topic in systems]
    if len(set(sources)) < len(sources):
        raise InvalidDocument("systemTopics: a storage account can have only one system topic.")
    return Topology(topics=(*topics, *systems))


def _read_topic(document: Document) -> Topic:
    document = document.flattened()
    document.only(*_TOPIC_MEMBERS)
    schema = document.choice("inputSchema", INPUT_SCHEMAS, default=EVENT_GRID)
    mapping = _read_mapping(document.optional_child("inputSchemaMapping"))
    if mapping is not None and schema != CUSTOM:
        raise document.complain("inputSchemaMapping", f"needs the inputSchema {CUSTOM}.")
    name = document.text("name")
    return Topic(
        name=name,
        resource_id=f"{RESOURCE_GROUP}/providers/Microsoft.EventGrid/topics/{name}",
        input_schema=schema,
        mapping=mapping,
        subscriptions=_read_subscriptions(document, schema),
    )


def _read_system_topic(document: Document) -> Topic:
    document = document.flattened()
    document.only(*_ARM_MEMBERS, "source", "topicType")
    document.choice("topicType", (STORAGE_TOPIC_TYPE,), default=STORAGE_TOPIC_TYPE)
    source = document.optional_text("source") or "devstoreaccount1"
    if not source.startswith("/"):
        source = f"{RESOURCE_GROUP}/providers/Microsoft.Storage/storageAccounts/{source}"
    return Topic(
        name=document.text("name"),
        resource_id=source,
        input_schema=EVENT_GRID,
        is_system=True,
        subscriptions=_read_subscriptions(document, EVENT_GRID),
    )


def _read_subscriptions(topic: Document, schema: str) -> tuple[EventSubscription, ...]:
    found = tuple(
        read_subscription(item, input_schema=schema)
        for item in topic.children("eventSubscriptions")
    )
    _refuse_twins([item.name for item in found], topic.at("eventSubscriptions"))
    return found


def read_subscription(document: Document, *, input_schema: str) -> EventSubscription:
    """Read an event subscription of a topic with this input schema.

    Raises:
        InvalidDocument: it is not right; the message starts with the path of the place.
    """
    declared = document.value
    document = document.flattened()
    document.only(*_SUBSCRIPTION_MEMBERS)
    allowed = DELIVERY_SCHEMAS[input_schema]
    default = CUSTOM_INPUT if input_schema == CUSTOM else allowed[0]
    schema = document.choice("eventDeliverySchema", allowed, default=default)
    retry = document.optional_child("retryPolicy") or Document(value={})
    retry.only("maxDeliveryAttempts", "eventTimeToLiveInMinutes")
    minutes = retry.integer("eventTimeToLiveInMinutes", default=1440, low=1, high=1440)
    return EventSubscription(
        name=document.text("name"),
        destination=read_destination(_with_identity(document, "deliveryWithResourceIdentity")),
        filter=read_filter(document.optional_child("filter")),
        delivery_schema=schema,
        max_attempts=retry.integer("maxDeliveryAttempts", default=30, low=1, high=30),
        time_to_live=minutes * 60.0,
        dead_letters=_read_dead_letters(document),
        document=declared,
    )


def _with_identity(document: Document, key: str) -> Document:
    """The destination, which stands inside the identity when Event Grid delivers as somebody."""
    wrapped = document.optional_child(key)
    if wrapped is None:
        return document.child("destination")
    if "destination" in document.value:
        raise document.complain(key, "and destination exclude each other.")
    wrapped.only("identity", "destination")
    return wrapped.child("destination")


def _read_dead_letters(document: Document) -> DeadLetters | None:
    plain = document.optional_child("deadLetterDestination")
    wrapped = document.optional_child("deadLetterWithResourceIdentity")
    if wrapped is not None:
        plain = wrapped.child("deadLetterDestination")
    return DeadLetters.read(plain) if plain else None


def _read_mapping(document: Document | None) -> Mapping | None:
    if document is None:
        return None
    document.choice("inputSchemaMappingType", ("Json",))
    document = document.flattened()
    members = ("id", "topic", "eventTime", "eventType", "subject", "dataVersion")
    document.only("inputSchemaMappingType", *members)
    fields, defaults = {}, {}
    for member in members:
        rule = document.optional_child(member)
        if rule is None:
            continue
        rule.only("sourceField", "defaultValue")
        if source := rule.optional_text("sourceField"):
            fields[member] = source
        if default := rule.optional_text("defaultValue"):
            defaults[member] = default
    return Mapping(fields=fields, defaults=defaults)


def _refuse_twins(names: list[str], place: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            message = f"{place}: the name '{name}' stands there twice."
            raise InvalidDocument(message)
        seen.add(name.casefold())


__all__ = [
    "CLOUD_EVENTS",
    "EventSubscription",
    "Topic",
    "Topology",
    "load_topology",
    "read_subscription",
    "read_topology",
]
