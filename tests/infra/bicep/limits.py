"""Limits that Microsoft's types do not carry: lengths of names, ranges, durations.

Each from the page named beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from tests.infra.bicep.tree import Problem
from tests.infra.bicep.values import Resource, Runtime

_Check = Callable[[Any], bool]
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def duration(text: object) -> timedelta | None:
    """An ISO 8601 duration of days, hours, minutes and seconds; None when it is none."""
    match = _DURATION.fullmatch(str(text))
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _lasts(low: timedelta, high: timedelta) -> _Check:
    def check(value: Any) -> bool:
        found = duration(value)
        return found is not None and low <= found <= high

    return check


def _number(low: int, high: int) -> _Check:
    return lambda value: isinstance(value, int) and low <= value <= high


def _matches(pattern: str) -> _Check:
    return lambda value: re.fullmatch(pattern, str(value)) is not None


_SECOND, _MINUTE, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
_LOCK = _lasts(5 * _SECOND, 5 * _MINUTE)
_LIFE = _lasts(_SECOND, timedelta(days=10675199))
_WINDOW = _lasts(20 * _SECOND, 7 * _DAY)
_DELIVERIES = _number(1, 2000)
_EVERY = _matches("PT(5|10|15|30|45)M|PT[1-6]H|P1D")

_NAMES = "https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"
_BUS = "https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas"
_GRID = "https://learn.microsoft.com/azure/event-grid/quotas-limits"
_ALERT = "https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-log-alert-rule"

LIMITS: tuple[tuple[str, str, _Check, str, str], ...] = (
    ("Storage/storageAccounts", "name", _matches("[a-z0-9]{3,24}"), "3 to 24 a-z0-9", _NAMES),
    (
        "Storage/storageAccounts/blobServices/containers",
        "name",
        _matches("(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"),
        "3 to 63 a-z0-9-",
        _NAMES,
    ),
    (
        "Storage/storageAccounts/tableServices/tables",
        "name",
        _matches("[A-Za-z][A-Za-z0-9]{2,62}"),
        "3 to 63 A-Za-z0-9",
        _NAMES,
    ),
    (
        "KeyVault/vaults",
        "name",
        _matches("[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]"),
        "3 to 24",
        _NAMES,
    ),
    ("EventGrid/topics", "name", _matches("[A-Za-z0-9-]{3,50}"), "3 to 50 A-Za-z0-9-", _NAMES),
    ("EventGrid/systemTopics", "name", _matches("[A-Za-z0-9-]{3,128}"), "3 to 128", _NAMES),
    ("Web/sites", "name", _matches("[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]"), "2 to 60", _NAMES),
    (
        "ServiceBus/namespaces",
        "name",
        _matches("[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]"),
        "6 to 50",
        _NAMES,
    ),
    ("ServiceBus/namespaces/topics/subscriptions", "name", _matches(".{1,50}"), "1 to 50", _BUS),
    ("ServiceBus/namespaces/queues", "properties.lockDuration", _LOCK, "5 s to 5 min", _BUS),
    (
        "ServiceBus/namespaces/topics/subscriptions",
        "properties.lockDuration",
        _LOCK,
        "5 s to 5 min",
        _BUS,
    ),
    ("ServiceBus/namespaces/queues", "properties.maxDeliveryCount", _DELIVERIES, "1 to 2000", _BUS),
    (
        "ServiceBus/namespaces/topics/subscriptions",
        "properties.maxDeliveryCount",
        _DELIVERIES,
        "1 to 2000",
        _BUS,
    ),
    ("ServiceBus/namespaces/queues", "properties.defaultMessageTimeToLive", _LIFE, "≥ 1 s", _BUS),
    (
        "ServiceBus/namespaces/queues",
        "properties.duplicateDetectionHistoryTimeWindow",
        _WINDOW,
        "20 s to 7 d",
        _BUS,
    ),
    (
        "ServiceBus/namespaces/topics",
        "properties.duplicateDetectionHistoryTimeWindow",
        _WINDOW,
        "20 s to 7 d",
        _BUS,
    ),
    *(
        (
            f"EventGrid/{topics}/eventSubscriptions",
            f"properties.retryPolicy.{name}",
            check,
            told,
            _GRID,
        )
        for topics in ("topics", "systemTopics")
        for name, check, told in (
            ("eventTimeToLiveInMinutes", _number(1, 1440), "1 to 1440"),
            ("maxDeliveryAttempts", _number(1, 30), "1 to 30"),
        )
    ),
    ("Insights/actionGroups", "properties.groupShortName", _matches(".{1,12}"), "1 to 12", _ALERT),
    ("Insights/scheduledQueryRules", "properties.severity", _number(0, 4), "0 to 4", _ALERT),
    (
        "Insights/scheduledQueryRules",
        "properties.evaluationFrequency",
        _EVERY,
        "5 min to 1 d",
        _ALERT,
    ),
    (
        "Insights/scheduledQueryRules",
        "properties.windowSize",
        _lasts(_MINUTE, 2 * _DAY),
        "≤ 2 d",
        _ALERT,
    ),
    ("Resources/resourceGroups", "name", _matches(r"[\w().-]{0,89}[\w()-]"), "1 to 90", _NAMES),
)
"""Type, path, check, what is allowed, and where that is written."""


def check_limits(resource: Resource) -> Iterator[Problem]:
    """What is beyond a limit in a resource."""
    for kind, path, holds, allowed, source in LIMITS:
        if f"Microsoft.{kind}" != resource.kind:
            continue
        value = resource.name.rpartition("/")[2] if path == "name" else _at(resource.body, path)
        if value is not None and not isinstance(value, Runtime) and not holds(value):
            text = f"{path} of {resource.name} is {value!r}; allowed: {allowed} ({source})"
            yield Problem(code="limit", text=text, place=resource.place)


def _at(body: Any, path: str) -> Any:
    for part in path.split("."):
        body = body.get(part) if isinstance(body, dict) else None
    return body
