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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.process import LocalError
from local.service_bus.config_values import (
    QUEUE,
    SUBSCRIPTION,
    TOPIC,
    Reader,
    WrongError,
    as_list,
    as_object,
    items_of,
    name_of,
    values_of,
)
from local.service_bus.core.entities import (
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
    except WrongError as wrong:
        raise LocalError(str(wrong)) from None


def _declaration(document: Any) -> Declaration:
    user_config = as_object(as_object(document, "the top").get("UserConfig"), "UserConfig")
    where = "UserConfig.Namespaces"
    namespaces = as_list(user_config.get("Namespaces"), where)
    if len(namespaces) != 1:
        raise WrongError(where, f"exactly one namespace is expected, {len(namespaces)} are there.")
    where += "[0]"
    namespace = as_object(namespaces[0], where)
    queues = [
        _entity(QueueSpec, QUEUE, item, place)
        for item, place in items_of(namespace, "Queues", where)
    ]
    topics, subscriptions = [], []
    for item, place in items_of(namespace, "Topics", where):
        topic = _entity(TopicSpec, TOPIC, item, place)
        topics.append(topic)
        found = items_of(as_object(item, place), "Subscriptions", place)
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
            raise WrongError(where, f"the name '{path}' is declared twice.")
        seen.add(path.lower())


def _entity(
    kind: type[Any], readers: dict[str, tuple[str, Reader]], item: Any, where: str, **given: str
) -> Any:
    item = as_object(item, where)
    fields: dict[str, Any] = {"name": name_of(item, where), **given}
    properties = as_object(item.get("Properties", {}), f"{where}.Properties")
    for key, value in properties.items():
        place = f"{where}.Properties.{key}"
        if key not in readers:
            raise WrongError(place, f"is not known; known are {', '.join(sorted(readers))}.")
        field, read = readers[key]
        try:
            fields[field] = read(value)
        except (TypeError, ValueError) as wrong:
            raise WrongError(place, str(wrong)) from None
    spec: Spec = kind(**fields)
    try:
        check(spec)
    except InvalidArgumentError as wrong:
        raise WrongError(where, str(wrong)) from None
    return spec


def _subscription(topic: str, item: Any, where: str) -> DeclaredSubscription:
    spec = _entity(SubscriptionSpec, SUBSCRIPTION, item, where, topic=topic)
    rules = tuple(_rule(child, place) for child, place in items_of(item, "Rules", where))
    names = [rule.name.lower() for rule in rules]
    if len(set(names)) < len(names):
        raise WrongError(f"{where}.Rules", "two rules have the same name.")
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
    item = as_object(item, where)
    name, where = name_of(item, where), f"{where}.Properties"
    properties = as_object(item.get("Properties"), where)
    action = properties.get("Action")
    rule = RuleSpec(
        name=name,
        filter=_filter(properties, where),
        action=None if not action else SqlAction(**_sql(action, f"{where}.Action")),
    )
    try:
        compile_rule(rule)
    except InvalidArgumentError as wrong:
        raise WrongError(where, str(wrong)) from None
    return rule


def _filter(properties: dict[str, Any], where: str) -> RuleFilter:
    kind = properties.get("FilterType")
    if kind == "Sql":
        place = f"{where}.SqlFilter"
        return SqlFilter(**_sql(properties.get("SqlFilter"), place))
    if kind != "Correlation":
        raise WrongError(f"{where}.FilterType", "'Sql' or 'Correlation' is expected.")
    place = f"{where}.CorrelationFilter"
    fields: dict[str, Any] = {}
    for key, value in as_object(properties.get("CorrelationFilter"), place).items():
        if key == "Properties":
            fields["properties"] = values_of(value, f"{place}.Properties")
        elif key in _CORRELATION and isinstance(value, str):
            fields[_CORRELATION[key]] = value
        else:
            known = ", ".join([*_CORRELATION, "Properties"])
            raise WrongError(f"{place}.{key}", f"a string under one of {known} is expected.")
    return CorrelationFilter(**fields)


def _sql(value: Any, where: str) -> dict[str, Any]:
    document = as_object(value, where)
    expression = document.get("SqlExpression")
    if not isinstance(expression, str) or not expression.strip():
        raise WrongError(f"{where}.SqlExpression", "an SQL expression is expected.")
    parameters = values_of(document.get("Parameters", {}), f"{where}.Parameters")
    return {"expression": expression, "parameters": parameters}
