"""Where events can go, as an event subscription declares it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from local.event_grid.documents import Document
from local.event_grid.schemas import Event

MAX_ATTRIBUTES = 10
MAX_ATTRIBUTE_BYTES = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribute:
    """A delivery property: a header or message property, fixed or taken from the event."""

    name: str
    value: str | None
    source_field: str | None

    def of(self, event: Event) -> str | None:
        """Its value for this event; None when the event has no such field."""
        if self.source_field is None:
            return self.value
        found: Any = event.attributes
        for name in self.source_field.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, bool):
            return str(found).lower()
        return str(found) if isinstance(found, str | int | float) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceBusEntity:
    """A queue or a topic of the Service Bus namespace."""

    name: str
    is_topic: bool
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class WebHook:
    """An HTTP endpoint that proves by a handshake that it wants events."""

    url: str
    max_events: int = 1
    preferred_bytes: int = 64 * 1024
    batched: bool = False
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageQueue:
    """A queue of the storage account."""

    name: str
    time_to_live: int | None = None
    """Seconds that a message stays in the queue; -1: for ever."""
    attributes: tuple[Attribute, ...] = ()


Destination = ServiceBusEntity | WebHook | StorageQueue


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetters:
    """The blob container for events that could not be delivered."""

    container: str

    @classmethod
    def read(cls, document: Document) -> Self:
        document.only("endpointType", "properties")
        document.choice("endpointType", ("StorageBlob",))
        properties = document.child("properties")
        properties.only("resourceId", "blobContainerName")
        return cls(container=properties.text("blobContainerName"))


def read_destination(document: Document) -> Destination:
    """Read a `destination`: `{endpointType, properties}`.

    Raises:
        InvalidDocument: an endpoint type that is not supported, or properties that are not right.
    """
    document.only("endpointType", "properties")
    kinds = ("ServiceBusQueue", "ServiceBusTopic", "WebHook", "StorageQueue")
    kind = document.choice("endpointType", kinds)
    properties = document.child("properties")
    if kind == "WebHook":
        return _read_webhook(properties)
    if kind == "StorageQueue":
        properties.only("resourceId", "queueName", "queueMessageTimeToLiveInSeconds")
        name = properties.text("queueName")
        seconds = properties.integer(
            "queueMessageTimeToLiveInSeconds", default=0, low=-1, high=2**31 - 1
        )
        return StorageQueue(name=name, time_to_live=seconds or None)
    is_topic = kind == "ServiceBusTopic"
    short = "topicName" if is_topic else "queueName"
    properties.only("resourceId", short, "deliveryAttributeMappings")
    return ServiceBusEntity(
        name=_entity_name(properties, short, "topics" if is_topic else "queues"),
        is_topic=is_topic,
        attributes=_read_attributes(properties),
    )


def _entity_name(properties: Document, short: str, segment: str) -> str:
    resource = properties.optional_text("resourceId")
    if resource is None:
        return properties.text(short)
    *_, before, name = ("", *resource.strip("/").split("/"))
    if before != segment or not name:
        raise properties.complain("resourceId", f"must end with {segment}/NAME.")
    return name


def _read_webhook(properties: Document) -> WebHook:
    batching = ("maxEventsPerBatch", "preferredBatchSizeInKilobytes")
    entra = ("azureActiveDirectoryTenantId", "azureActiveDirectoryApplicationIdOrUri")
    properties.only("endpointUrl", "deliveryAttributeMappings", *batching, *entra)
    url = properties.text("endpointUrl")
    if not url.startswith(("http://", "https://")):
        raise properties.complain("endpointUrl", f"must start with http:// or https://: '{url}'.")
    kilobytes = properties.integer("preferredBatchSizeInKilobytes", default=64, low=1, high=1024)
    return WebHook(
        url=url,
        max_events=properties.integer("maxEventsPerBatch", default=1, low=1, high=5000),
        preferred_bytes=kilobytes * 1024,
        batched=any(properties.value.get(name) is not None for name in batching),
        attributes=_read_attributes(properties),
    )


def _read_attributes(properties: Document) -> tuple[Attribute, ...]:
    rules = list(properties.children("deliveryAttributeMappings"))
    if len(rules) > MAX_ATTRIBUTES:
        problem = f"holds {len(rules)} attributes; Azure takes at most {MAX_ATTRIBUTES}."
        raise properties.complain("deliveryAttributeMappings", problem)
    return tuple(_read_attribute(rule) for rule in rules)


def _read_attribute(rule: Document) -> Attribute:
    kind = rule.choice("type", ("Static", "Dynamic"))
    name = rule.text("name")
    if name.casefold().startswith("aeg-"):
        raise rule.complain("name", "must not start with aeg-, which Event Grid itself uses.")
    rule = rule.flattened()
    if kind == "Dynamic":
        rule.only("name", "type", "sourceField")
        return Attribute(name=name, value=None, source_field=rule.text("sourceField"))
    rule.only("name", "type", "value", "isSecret")
    value = rule.text("value")
    if len(value.encode()) > MAX_ATTRIBUTE_BYTES:
        raise rule.complain("value", f"is longer than {MAX_ATTRIBUTE_BYTES} bytes.")
    return Attribute(name=name, value=value, source_field=None)
