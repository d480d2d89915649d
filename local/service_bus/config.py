"""Entities declared in a file of the form that Microsoft's Service Bus emulator reads.

    {"UserConfig": {"Namespaces": [{"Name": "…",
      "Queues": [{"Name": "…", "Properties": {"LockDuration": "PT1M", …}}],
      "Topics": [{"Name": "…", "Properties": {…}, "Subscriptions": [{"Name": "…",
        "Properties": {…}, "Rules": [{"Name": "…", "Properties": {"FilterType": "Sql",
        "SqlFilter": {"SqlExpression": "…"}, "Action": {"SqlExpression": "…"}}}]}]}]}]}}

What is left out has Azure's defaults, not the emulator's: ten deliveries, no expiry. Beyond the
emulator's form, `MaxSizeInMegabytes`, `MaxMessageSizeInKilobytes`, `Status`, `AutoDeleteOnIdle`,
`UserMetadata`, `DeadLetteringOnFilterEvaluationExceptions` and a filter's `Parameters` are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.process import LocalError
from local.service_bus.core.entities import (
    STATUSES,
    CorrelationFilter,
    QueueSpec,
    RuleFilter,
    RuleSpec,
    Spec,
    SqlAction,
    SqlFilter,
    SubscriptionSpec,
    TopicSpec,
    check,
)
from local.service_bus.core.errors import InvalidArgumentError
from local.service_bus.core.rules import compile_rule
from local.service_bus.durations import parse_duration


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredSubscription:
    """A subscription and its rules; no rules means that it gets everything."""

    spec: SubscriptionSpec
    rules: tuple[RuleSpec, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
    """The entities of a file."""

    queues: tuple[QueueSpec, ...] = ()
    topics: tuple[TopicSpec, ...] = ()
    subscriptions: tuple[DeclaredSubscription, ...] = ()


class _Wrong(Exception):  # noqa: N818 - carries a place within the file, never leaves this module
    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")


def load_declaration(file: Path) -> Declaration:
    """Read an entities file.

    Raises:
        LocalError: the file cannot be read, is no JSON, or declares what Service Bus refuses; the
            message gives the place within it.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as refused:
        message = f"The entities file {file} cannot be read: {refused.strerror}."
        raise LocalError(message) from None
    except UnicodeDecodeError as wrong:
        message = f"The entities file {file} is not UTF-8 (byte {wrong.start})."
        raise LocalError(message) from None
    except json.JSONDecodeError as wrong:
        message = (
            f"The entities file {file} is no JSON: {wrong.msg} "
            f"at line {wrong.lineno}, column {wrong.colno}."
        )
        raise LocalError(message) from None
    try:
        return read_declaration(document)
    except LocalError as wrong:
        message = f"The entities file {file} is wrong at {wrong}"
        raise LocalError(message) from None


def read_declaration(document: Any) -> Declaration:
    """Read entities from a document.

    Raises:
        LocalError: something is wrong; the message begins with the place.
    """
    try:
        return _declaration(document)
    except _Wrong as wrong:
        raise LocalError(str(wrong)) from None


def _declaration(document: Any) -> Declaration:
    user_config = _object(_object(document, "the top").get("UserConfig"), "UserConfig")
    where = "UserConfig.Namespaces"
    namespaces = _list(user_config.get("Namespaces"), where)
    if len(namespaces) != 1:
        raise _Wrong(where, f"exactly one namespace is expected, {len(namespaces)} are there.")
    where += "[0]"
    namespace = _object(namespaces[0], where)
    queues = [
        _entity(QueueSpec, _QUEUE, item, place) for item, place in _items(namespace, "Queues", where)
    ]
    topics, subscriptions = [], []
    for item, place in _items(namespace, "Topics", where):
        topic = _entity(TopicSpec, _TOPIC, item, place)
        topics.append(topic)
        found = _items(_object(item, place), "Subscriptions", place)
        subscriptions += [_subscription(topic.name, child, below) for child, below in found]
    _check_unique([*queues, *topics], where)
    _check_unique([declared.spec for declared in subscriptions], where)
    return Declaration(
        queues=tuple(queues), topics=tuple(topics), subscriptions=tuple(subscriptions)
    )


def _check_unique(specs: list[Any], where: str) -> None:
    seen = set()
    for spec in specs:
        path = spec.path if isinstance(spec, SubscriptionSpec) else spec.name
        if path.lower() in seen:
            raise _Wrong(where, f"the name '{path}' is declared twice.")
        seen.add(path.lower())


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(where, "an object is expected." if value is not None else "is missing.")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _Wrong(where, "a list is expected." if value is not None else "is missing.")
    return value


def _items(parent: Mapping[str, Any], key: str, where: str) -> list[tuple[Any, str]]:
    """Give the items of an optional list with their places."""
    place = f"{where}.{key}"
    items = _list(parent.get(key) or [], place)
    return [(item, f"{place}[{index}]") for index, item in enumerate(items)]


def _name(item: dict[str, Any], where: str) -> str:
    name = item.get("Name")
    if not isinstance(name, str):
        raise _Wrong(f"{where}.Name", "a name is expected.")
    return name


# Properties: how each is read, and the field it fills


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false is expected.")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("a whole number is expected.")
    return value


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("a string is expected.")
    return value or None


def _duration(value: Any) -> float:
    seconds = _span(value)
    if seconds is None:
        message = f"'{value}' is too long."
        raise ValueError(message)
    return seconds


def _span(value: Any) -> float | None:
    if not isinstance(value, str):
        raise TypeError("an ISO 8601 duration such as PT1M is expected.")
    try:
        return parse_duration(value)
    except ValueError as wrong:
        message = f"{wrong}."
        raise ValueError(message) from None


def _status(value: Any) -> str:
    if value not in STATUSES:
        message = f"one of {', '.join(STATUSES)} is expected."
        raise ValueError(message)
    return str(value)


Reader = Callable[[Any], Any]

_COMMON: dict[str, tuple[str, Reader]] = {
    "DefaultMessageTimeToLive": ("default_message_time_to_live", _span),
    "AutoDeleteOnIdle": ("auto_delete_on_idle", _span),
    "Status": ("status", _status),
    "UserMetadata": ("user_metadata", _text),
}
_HELD: dict[str, tuple[str, Reader]] = {
    "DeadLetteringOnMessageExpiration": ("dead_lettering_on_message_expiration", _flag),
    "ForwardDeadLetteredMessagesTo": ("forward_dead_lettered_messages_to", _text),
    "ForwardTo": ("forward_to", _text),
    "LockDuration": ("lock_duration", _duration),
    "MaxDeliveryCount": ("max_delivery_count", _number),
    "RequiresSession": ("requires_session", _flag),
}
_SENT: dict[str, tuple[str, Reader]] = {
    "DuplicateDetectionHistoryTimeWindow": ("duplicate_detection_history_time_window", _duration),
    "RequiresDuplicateDetection": ("requires_duplicate_detection", _flag),
    "MaxSizeInMegabytes": ("max_size_in_megabytes", _number),
    "MaxMessageSizeInKilobytes": ("max_message_size_in_kilobytes", _number),
}
_QUEUE = {**_COMMON, **_HELD, **_SENT}
_TOPIC = {**_COMMON, **_SENT}
_SUBSCRIPTION = {
    **_COMMON,
    **_HELD,
    "DeadLetteringOnFilterEvaluationExceptions": (
        "dead_lettering_on_filter_evaluation_exceptions",
        _flag,
    ),
}


def _entity(
    kind: type[Any], readers: dict[str, tuple[str, Reader]], item: Any, where: str, **given: str
) -> Any:
    item = _object(item, where)
    fields: dict[str, Any] = {"name": _name(item, where), **given}
    properties = _object(item.get("Properties", {}), f"{where}.Properties")
    for key, value in properties.items():
        place = f"{where}.Properties.{key}"
        if key not in readers:
            raise _Wrong(place, f"is not known; known are {', '.join(sorted(readers))}.")
        field, read = readers[key]
        try:
            fields[field] = read(value)
        except (TypeError, ValueError) as wrong:
            raise _Wrong(place, str(wrong)) from None
    spec: Spec = kind(**fields)
    try:
        check(spec)
    except InvalidArgumentError as wrong:
        raise _Wrong(where, str(wrong)) from None
    return spec


def _subscription(topic: str, item: Any, where: str) -> DeclaredSubscription:
    spec = _entity(SubscriptionSpec, _SUBSCRIPTION, item, where, topic=topic)
    rules = tuple(_rule(child, place) for child, place in _items(item, "Rules", where))
    names = [rule.name.lower() for rule in rules]
    if len(set(names)) < len(names):
        raise _Wrong(f"{where}.Rules", "two rules have the same name.")
    return DeclaredSubscription(spec=spec, rules=rules)


_CORRELATION = {
    "ContentType": "content_type",
    "CorrelationId": "correlation_id",
    "Label": "label",
    "Subject": "label",
    "MessageId": "message_id",
    "ReplyTo": "reply_to",
    "ReplyToSessionId": "reply_to_session_id",
    "SessionId": "session_id",
    "To": "to",
}


def _rule(item: Any, where: str) -> RuleSpec:
    item = _object(item, where)
    name, where = _name(item, where), f"{where}.Properties"
    properties = _object(item.get("Properties"), where)
    action = properties.get("Action")
    rule = RuleSpec(
        name=name,
        filter=_filter(properties, where),
        action=None if not action else SqlAction(**_sql(action, f"{where}.Action")),
    )
    try:
        compile_rule(rule)
    except InvalidArgumentError as wrong:
        raise _Wrong(where, str(wrong)) from None
    return rule


def _filter(properties: dict[str, Any], where: str) -> RuleFilter:
    kind = properties.get("FilterType")
    if kind == "Sql":
        place = f"{where}.SqlFilter"
        return SqlFilter(**_sql(properties.get("SqlFilter"), place))
    if kind != "Correlation":
        raise _Wrong(f"{where}.FilterType", "'Sql' or 'Correlation' is expected.")
    place = f"{where}.CorrelationFilter"
    fields: dict[str, Any] = {}
    for key, value in _object(properties.get("CorrelationFilter"), place).items():
        if key == "Properties":
            fields["properties"] = _values(value, f"{place}.Properties")
        elif key in _CORRELATION and isinstance(value, str):
            fields[_CORRELATION[key]] = value
        else:
            known = ", ".join([*_CORRELATION, "Properties"])
            raise _Wrong(f"{place}.{key}", f"a string under one of {known} is expected.")
    return CorrelationFilter(**fields)


def _sql(value: Any, where: str) -> dict[str, Any]:
    document = _object(value, where)
    expression = document.get("SqlExpression")
    if not isinstance(expression, str) or not expression.strip():
        raise _Wrong(f"{where}.SqlExpression", "an SQL expression is expected.")
    parameters = _values(document.get("Parameters", {}), f"{where}.Parameters")
    return {"expression": expression, "parameters": parameters}


def _values(value: Any, where: str) -> dict[str, Any]:
    values = _object(value, where)
    for key, item in values.items():
        if not isinstance(item, str | int | float | bool):
            raise _Wrong(f"{where}.{key}", "a string, a number, true or false is expected.")
    return values
