"""Reading values of the entities file, each with its place in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local.service_bus.core.entities import STATUSES
from local.service_bus.durations import parse_duration


class WrongError(Exception):
    """Something in the file is wrong; the message begins with the place."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")


def as_object(value: Any, where: str) -> dict[str, Any]:
    """Give an object.

    Raises:
        WrongError: it is none; so in all that follow.
    """
    if not isinstance(value, dict):
        raise WrongError(where, "an object is expected." if value is not None else "is missing.")
    return value


def as_list(value: Any, where: str) -> list[Any]:
    """Give a list."""
    if not isinstance(value, list):
        raise WrongError(where, "a list is expected." if value is not None else "is missing.")
    return value


def items_of(parent: Mapping[str, Any], key: str, where: str) -> list[tuple[Any, str]]:
    """Give the items of an optional list with their places."""
    place = f"{where}.{key}"
    items = as_list(parent.get(key) or [], place)
    return [(item, f"{place}[{index}]") for index, item in enumerate(items)]


def name_of(item: dict[str, Any], where: str) -> str:
    """Give an item's name."""
    name = item.get("Name")
    if not isinstance(name, str):
        raise WrongError(f"{where}.Name", "a name is expected.")
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
QUEUE = {**_COMMON, **_HELD, **_SENT}
TOPIC = {**_COMMON, **_SENT}
SUBSCRIPTION = {
    **_COMMON,
    **_HELD,
    "DeadLetteringOnFilterEvaluationExceptions": (
        "dead_lettering_on_filter_evaluation_exceptions",
        _flag,
    ),
}


def values_of(value: Any, where: str) -> dict[str, Any]:
    """Give an object of simple values."""
    values = as_object(value, where)
    for key, item in values.items():
        if not isinstance(item, str | int | float | bool):
            raise WrongError(f"{where}.{key}", "a string, a number, true or false is expected.")
    return values
