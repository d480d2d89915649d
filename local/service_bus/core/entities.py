"""Descriptions of queues, topics, subscriptions and rules, with Azure's defaults and limits.

Durations are seconds; `None` means unlimited. Limits come from the Service Bus quotas page
(https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas). Shorter locks,
lifetimes and duplicate windows than Azure's minima are allowed, so that tests need not wait.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from local.service_bus.core.errors import InvalidArgumentError
from local.service_bus.core.message import Value

Status = Literal["Active", "Disabled", "SendDisabled", "ReceiveDisabled"]
STATUSES: tuple[Status, ...] = ("Active", "Disabled", "SendDisabled", "ReceiveDisabled")

DEFAULT_RULE = "$Default"
LONGEST_LOCK = 300.0
LONGEST_DUPLICATE_WINDOW = 7 * 86400.0
MOST_ENTITIES = 10_000
MOST_SUBSCRIPTIONS = 2_000
MOST_RULES = 2_000
LONGEST_EXPRESSION = 1_024
LONGEST_METADATA = 1_024
LARGEST_MESSAGE = 102_400
"""Kilobytes; Azure allows it in its Premium tier."""

_SEGMENT = re.compile(r"[A-Za-z0-9](?:[\w.\-]*[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueSpec:
    """A queue."""

    name: str
    lock_duration: float = 60.0
    max_delivery_count: int = 10
    default_message_time_to_live: float | None = None
    dead_lettering_on_message_expiration: bool = False
    requires_session: bool = False
    requires_duplicate_detection: bool = False
    duplicate_detection_history_time_window: float = 600.0
    forward_to: str | None = None
    forward_dead_lettered_messages_to: str | None = None
    max_size_in_megabytes: int = 1024
    max_message_size_in_kilobytes: int = 256
    auto_delete_on_idle: float | None = None
    status: Status = "Active"
    user_metadata: str | None = None
    enable_batched_operations: bool = True
    enable_partitioning: bool = False
    enable_express: bool = False
    authorization_rules: str | None = None
    """XML as the administration client gave it; kept for it, and not enforced."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TopicSpec:
    """A topic."""

    name: str
    default_message_time_to_live: float | None = None
    requires_duplicate_detection: bool = False
    duplicate_detection_history_time_window: float = 600.0
    max_size_in_megabytes: int = 1024
    max_message_size_in_kilobytes: int = 256
    auto_delete_on_idle: float | None = None
    status: Status = "Active"
    user_metadata: str | None = None
    support_ordering: bool = True
    enable_batched_operations: bool = True
    enable_partitioning: bool = False
    enable_express: bool = False
    authorization_rules: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CorrelationFilter:
    """Matches messages whose properties equal all of these; strings by case."""

    correlation_id: str | None = None
    message_id: str | None = None
    to: str | None = None
    reply_to: str | None = None
    label: str | None = None
    session_id: str | None = None
    reply_to_session_id: str | None = None
    content_type: str | None = None
    properties: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlFilter:
    """Matches messages for which the SQL expression is true."""

    expression: str
    parameters: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrueFilter:
    """Matches every message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FalseFilter:
    """Matches no message."""


RuleFilter = CorrelationFilter | SqlFilter | TrueFilter | FalseFilter


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlAction:
    """Changes a copy of the message before it reaches the subscription."""

    expression: str
    parameters: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSpec:
    """A rule of a subscription."""

    name: str
    filter: RuleFilter = field(default_factory=TrueFilter)
    action: SqlAction | None = None
    created_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscriptionSpec:
    """A subscription of a topic; its rules are kept beside it."""

    topic: str
    name: str
    lock_duration: float = 60.0
    max_delivery_count: int = 10
    default_message_time_to_live: float | None = None
    dead_lettering_on_message_expiration: bool = False
    dead_lettering_on_filter_evaluation_exceptions: bool = True
    requires_session: bool = False
    forward_to: str | None = None
    forward_dead_lettered_messages_to: str | None = None
    auto_delete_on_idle: float | None = None
    status: Status = "Active"
    user_metadata: str | None = None
    enable_batched_operations: bool = True

    @property
    def path(self) -> str:
        """The subscription's address."""
        return subscription_path(self.topic, self.name)


Spec = QueueSpec | TopicSpec | SubscriptionSpec


def subscription_path(topic: str, name: str) -> str:
    """Give the address of a subscription."""
    return f"{topic}/Subscriptions/{name}"


def check_name(name: str, *, what: str, longest: int, slashes: bool = False) -> None:
    """Refuse a name that Service Bus would refuse.

    Raises:
        InvalidArgumentError: the name is empty, too long, or has characters that are not allowed.
    """
    segments = name.split("/") if slashes else [name]
    if len(name) > longest or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        message = (
            f"'{name}' is no {what} name: 1 to {longest} letters, digits, '.', '-' and '_', "
            "beginning and ending with a letter or digit."
        )
        raise InvalidArgumentError(message)


def check(spec: Spec) -> None:
    """Refuse a description that Service Bus would refuse.

    Raises:
        InvalidArgumentError: which property, its value, and what is allowed.
    """
    if isinstance(spec, SubscriptionSpec):
        check_name(spec.name, what="subscription", longest=50)
    else:
        kind = "queue" if isinstance(spec, QueueSpec) else "topic"
        check_name(spec.name, what=kind, longest=260, slashes=True)
    for wrong, rule in _violations(spec):
        message = f"{wrong} of '{spec.name}' {rule}."
        raise InvalidArgumentError(message)


def _violations(spec: Spec) -> list[tuple[str, str]]:
    """Give (property, rule) of each value that is not allowed."""
    rules: list[tuple[bool, str, str]] = []
    life, metadata = spec.default_message_time_to_live, spec.user_metadata
    rules.append((life is None or life > 0, "DefaultMessageTimeToLive", "must be over 0"))
    short = metadata is None or len(metadata) <= LONGEST_METADATA
    rules.append((short, "UserMetadata", f"must have at most {LONGEST_METADATA} characters"))
    if not isinstance(spec, TopicSpec):
        rules += _holding_rules(spec)
    if not isinstance(spec, SubscriptionSpec):
        rules += _sending_rules(spec)
    return [(name, rule) for holds, name, rule in rules if not holds]


def _holding_rules(spec: QueueSpec | SubscriptionSpec) -> list[tuple[bool, str, str]]:
    lock = 0 < spec.lock_duration <= LONGEST_LOCK
    forwards = not (spec.requires_session and spec.forward_to)
    return [
        (lock, "LockDuration", "must be over 0 and at most 5 minutes"),
        (spec.max_delivery_count >= 1, "MaxDeliveryCount", "must be at least 1"),
        (forwards, "ForwardTo", "cannot be set where RequiresSession is"),
    ]


def _sending_rules(spec: QueueSpec | TopicSpec) -> list[tuple[bool, str, str]]:
    window = 0 < spec.duplicate_detection_history_time_window <= LONGEST_DUPLICATE_WINDOW
    size = 1 <= spec.max_message_size_in_kilobytes <= LARGEST_MESSAGE
    name = "DuplicateDetectionHistoryTimeWindow"
    return [
        (window, name, "must be over 0 and at most 7 days"),
        (spec.max_size_in_megabytes >= 1, "MaxSizeInMegabytes", "must be at least 1"),
        (size, "MaxMessageSizeInKilobytes", f"must be between 1 and {LARGEST_MESSAGE}"),
    ]


def check_change(old: Spec, new: Spec) -> None:
    """Refuse to change what cannot change once an entity is made.

    Raises:
        InvalidArgumentError: it would.
    """
    for name in ("requires_session", "requires_duplicate_detection", "enable_partitioning"):
        before, after = getattr(old, name, None), getattr(new, name, None)
        if before != after:
            path = old.path if isinstance(old, SubscriptionSpec) else old.name
            message = f"{name} of '{path}' cannot change from {before} to {after}."
            raise InvalidArgumentError(message)
