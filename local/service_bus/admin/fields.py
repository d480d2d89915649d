"""Descriptions of entities as XML: which element holds which property, and how it is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from local.service_bus.core.entities import STATUSES, Spec
from local.service_bus.core.errors import InvalidArgumentError
from local.service_bus.core.message import State
from local.service_bus.core.queues import Entity, Queue, Subscription, Topic
from local.service_bus.durations import format_duration, parse_duration

SB = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"

Read = Callable[[str], Any]
Write = Callable[[Any], str]


def _read_duration(text: str) -> float:
    seconds = parse_duration(text)
    if seconds is None:
        message = f"'{text}' is too long"
        raise ValueError(message)
    return seconds


def _read_flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        message = f"'{text}' is neither true nor false"
        raise ValueError(message)
    return text.lower() == "true"


def _write_flag(value: Any) -> str:
    return "true" if value else "false"


def _read_path(text: str) -> str | None:
    """Read where to forward: the client sends a URL."""
    path = urlsplit(text).path.strip("/") if "://" in text else text.strip("/")
    return path or None


def _read_status(text: str) -> str:
    if text not in STATUSES:
        message = f"'{text}' is none of {', '.join(STATUSES)}"
        raise ValueError(message)
    return text


_NUMBER: tuple[Read, Write] = int, str
_SPAN: tuple[Read, Write] = _read_duration, format_duration
_LIMIT: tuple[Read, Write] = parse_duration, format_duration
_FLAG: tuple[Read, Write] = _read_flag, _write_flag
_TEXT: tuple[Read, Write] = str, str
_PATH: tuple[Read, Write] = _read_path, str
_STATUS: tuple[Read, Write] = _read_status, str

_FIELDS: Mapping[str, tuple[str, tuple[Read, Write]]] = {
    "LockDuration": ("lock_duration", _SPAN),
    "MaxSizeInMegabytes": ("max_size_in_megabytes", _NUMBER),
    "RequiresDuplicateDetection": ("requires_duplicate_detection", _FLAG),
    "RequiresSession": ("requires_session", _FLAG),
    "DefaultMessageTimeToLive": ("default_message_time_to_live", _LIMIT),
    "DeadLetteringOnMessageExpiration": ("dead_lettering_on_message_expiration", _FLAG),
    "DeadLetteringOnFilterEvaluationExceptions": (
        "dead_lettering_on_filter_evaluation_exceptions",
        _FLAG,
    ),
    "DuplicateDetectionHistoryTimeWindow": ("duplicate_detection_history_time_window", _SPAN),
    "MaxDeliveryCount": ("max_delivery_count", _NUMBER),
    "EnableBatchedOperations": ("enable_batched_operations", _FLAG),
    "Status": ("status", _STATUS),
    "ForwardTo": ("forward_to", _PATH),
    "UserMetadata": ("user_metadata", _TEXT),
    "SupportOrdering": ("support_ordering", _FLAG),
    "AutoDeleteOnIdle": ("auto_delete_on_idle", _LIMIT),
    "EnablePartitioning": ("enable_partitioning", _FLAG),
    "ForwardDeadLetteredMessagesTo": ("forward_dead_lettered_messages_to", _PATH),
    "EnableExpress": ("enable_express", _FLAG),
    "MaxMessageSizeInKilobytes": ("max_message_size_in_kilobytes", _NUMBER),
}
_OPTIONAL = (
    "forward_to",
    "forward_dead_lettered_messages_to",
    "user_metadata",
    "authorization_rules",
)
_SPANS_NEVER = ("default_message_time_to_live", "auto_delete_on_idle")


def tag(name: str) -> str:
    """Give an element's name in Service Bus' namespace."""
    return f"{{{SB}}}{name}"


def without_optional(spec: Spec) -> Spec:
    """Give a description without what an update takes away by leaving it out."""
    optional: dict[str, Any] = {name: None for name in _OPTIONAL if hasattr(spec, name)}
    return replace(spec, **optional)


def read_fields(description: ET.Element, spec: Spec) -> Spec:
    """Give a description with what the XML says; what it leaves out stays.

    Raises:
        InvalidArgumentError: a value cannot be read; names the element.
    """
    changes: dict[str, Any] = {}
    for name, (field, (read, _)) in _FIELDS.items():
        element = description.find(tag(name))
        if element is None or not hasattr(spec, field):
            continue
        try:
            changes[field] = read(element.text) if element.text else None
        except ValueError as wrong:
            message = f"{name}: {wrong}."
            raise InvalidArgumentError(message) from None
        if changes[field] is None and not _may_be_empty(field):
            del changes[field]
    rules = description.find(tag("AuthorizationRules"))
    if rules is not None and hasattr(spec, "authorization_rules"):
        given = ET.tostring(rules, encoding="unicode") if len(rules) else None
        changes["authorization_rules"] = given
    return replace(spec, **changes)


def _may_be_empty(field: str) -> bool:
    return field.startswith("forward") or field in (*_SPANS_NEVER, "user_metadata")


def write_fields(entity: Entity, base: str) -> ET.Element:
    """Write an entity's description, with what happens in it. `base` is the namespace's URL."""
    description = ET.Element(tag(f"{entity.kind}Description"))
    spec = entity.spec
    for name, (field, (_, write)) in _FIELDS.items():
        if not hasattr(spec, field):
            continue
        value = getattr(spec, field)
        if field.startswith("forward") and value:
            value = f"{base}/{value}"
        if value is not None or field in _SPANS_NEVER:
            _add(description, name, write(value))
    rules = getattr(spec, "authorization_rules", None)
    if rules is not None:
        description.append(ET.fromstring(rules))  # noqa: S314 - written by ET itself
    for name, text in _runtime(entity).items():
        _add(description, name, text)
    description.append(_counts(entity))
    return description


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, tag(name)).text = text


def moment(seconds: float) -> str:
    """Write a time."""
    at = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _runtime(entity: Entity) -> dict[str, str]:
    accessed = max(mailbox.accessed_at for mailbox in entity.mailboxes())
    found = {
        "CreatedAt": moment(entity.created_at),
        "UpdatedAt": moment(entity.updated_at),
        "AccessedAt": moment(accessed),
        "EntityAvailabilityStatus": "Available",
    }
    if not isinstance(entity, Subscription):
        found["SizeInBytes"] = str(entity.size)
        found["IsAnonymousAccessible"] = "false"
    if isinstance(entity, Topic):
        found["SubscriptionCount"] = str(len(entity.subscriptions))
        found["FilteringMessagesBeforePublishing"] = "false"
        found["EnableSubscriptionPartitioning"] = "false"
    else:
        found["MessageCount"] = str(sum(len(mailbox) for mailbox in entity.mailboxes()))
    if isinstance(entity, Queue):
        found["SupportOrdering"] = "true"
    return found


_COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"


def _counts(entity: Entity) -> ET.Element:
    counts = ET.Element(tag("CountDetails"))
    dead = 0 if isinstance(entity, Topic) else len(entity.dead_letters)
    found = {
        "ActiveMessageCount": entity.mailbox.count(State.ACTIVE),
        "DeadLetterMessageCount": dead,
        "ScheduledMessageCount": entity.mailbox.count(State.SCHEDULED),
        "TransferDeadLetterMessageCount": 0,
        "TransferMessageCount": 0,
    }
    for name, count in found.items():
        ET.SubElement(counts, f"{{{_COUNTS}}}{name}").text = str(count)
    return counts
