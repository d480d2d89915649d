"""Functions of Bicep that the project uses, and the names of all that there are."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

_ALL = """
    any array base64 base64ToJson base64ToString bool buildUri cidrHost cidrSubnet concat
    contains dataUri dataUriToString dateTimeAdd dateTimeFromEpoch dateTimeToEpoch deployer
    deployment empty endsWith environment extensionResourceId fail filter first flatten
    format getSecret groupBy guid indexOf int intersection items join json last lastIndexOf
    length list listAccountSas listKeys listServiceSas loadDirectoryFileInfo
    loadFileAsBase64 loadJsonContent loadTextContent loadYamlContent managementGroup
    managementGroupResourceId map mapValues max min nameof newGuid objectKeys padLeft
    parseCidr pickZones providers range readEnvironmentVariable reduce reference replace
    resourceGroup resourceId shallowMerge skip sort split startsWith string subscription
    subscriptionResourceId substring take tenant tenantResourceId toLogicalZone
    toLogicalZones toLower toObject toPhysicalZone toPhysicalZones toUpper trim tryGet union
    uniqueString uri uriComponent uriComponentToString utcNow
"""
ALL = frozenset(_ALL.split())
"""https://learn.microsoft.com/azure/azure-resource-manager/bicep/bicep-functions"""

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
"""The subscription that deployments are expanded for."""

TENANT = "00000000-0000-0000-0000-00000000000f"


class WrongArguments(Exception):
    """A function was given what it does not take."""


def _texts(*values: object) -> None:
    for value in values:
        if not isinstance(value, str):
            message = f"expected a string, got {json.dumps(value, default=str)[:40]}"
            raise WrongArguments(message)


def _lists(*values: object) -> None:
    for value in values:
        if not isinstance(value, list):
            message = f"expected an array, got {json.dumps(value, default=str)[:40]}"
            raise WrongArguments(message)


def _concat(*values: Any) -> Any:
    if all(isinstance(value, str) for value in values):
        return "".join(values)
    _lists(*values)
    return [item for value in values for item in value]


def _contains(where: Any, what: Any) -> bool:
    if not isinstance(where, str | list | dict):
        message = "contains takes an array, an object or a string"
        raise WrongArguments(message)
    return what in where


def _empty(value: Any) -> bool:
    if not (value is None or isinstance(value, str | list | dict)):
        message = "empty takes an array, an object or a string"
        raise WrongArguments(message)
    return not value


def _flatten(value: Any) -> list[Any]:
    _lists(value, *value)
    return [item for inner in value for item in inner]


def _index_of(where: Any, what: Any) -> int:
    if isinstance(where, list):
        return where.index(what) if what in where else -1
    _texts(where, what)
    return int(where.find(what))


def _items(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, dict):
        message = "items takes an object"
        raise WrongArguments(message)
    return [{"key": key, "value": value[key]} for key in sorted(value)]


def _join(value: Any, between: Any) -> str:
    _lists(value)
    _texts(between, *value)
    return str(between).join(value)


def _last(value: Any) -> Any:
    if not isinstance(value, str | list) or not value:
        message = "last takes an array or a string that is not empty"
        raise WrongArguments(message)
    return value[-1]


def _replace(text: Any, old: Any, new: Any) -> str:
    _texts(text, old, new)
    return str(text).replace(old, new)


def _split(text: Any, at: Any) -> list[str]:
    _texts(text, at)
    return str(text).split(at)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _take(value: Any, count: Any) -> Any:
    if not isinstance(value, str | list) or not isinstance(count, int):
        message = "take takes an array or a string, and a number"
        raise WrongArguments(message)
    return value[:count]


def _union(*values: Any) -> Any:
    if all(isinstance(value, dict) for value in values):
        return {key: item for value in values for key, item in value.items()}
    _lists(*values)
    return list(dict.fromkeys(item for value in values for item in value))


def _unique(*values: Any) -> str:
    _texts(*values)
    digest = hashlib.sha256("\0".join(values).encode()).digest()
    return "".join("abcdefghijklmnopqrstuvwxyz234567"[byte % 32] for byte in digest[:13])


def _guid(*values: Any) -> str:
    _texts(*values)
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\0".join(values)))


def _role(kind: Any, *names: Any) -> str:
    _texts(kind, *names)
    return f"/subscriptions/{SUBSCRIPTION}/providers/{kind}/{'/'.join(names)}"


def _filter(value: Any, keep: Callable[..., Any]) -> list[Any]:
    _lists(value)
    kept = [(item, keep(item)) for item in value]
    if not all(isinstance(held, bool) for _, held in kept):
        message = "the condition of a filter must be true or false"
        raise WrongArguments(message)
    return [item for item, held in kept if held]


def _map(value: Any, change: Callable[..., Any]) -> list[Any]:
    _lists(value)
    return [change(item) for item in value]


def _to_object(
    value: Any, key: Callable[..., Any], change: Callable[..., Any] | None = None
) -> dict[str, Any]:
    _lists(value)
    keys = [key(item) for item in value]
    _texts(*keys)
    return {name: change(item) if change else item for name, item in zip(keys, value, strict=True)}


def _environment() -> dict[str, Any]:
    login = {"loginEndpoint": "https://login.microsoftonline.com/"}
    suffixes = {"storage": "core.windows.net"}
    return {"name": "AzureCloud", "authentication": login, "suffixes": suffixes}


KNOWN: Mapping[str, Callable[..., Any]] = {
    "concat": _concat,
    "contains": _contains,
    "empty": _empty,
    "environment": _environment,
    "filter": _filter,
    "flatten": _flatten,
    "guid": _guid,
    "indexOf": _index_of,
    "items": _items,
    "join": _join,
    "last": _last,
    "length": len,
    "map": _map,
    "replace": _replace,
    "split": _split,
    "string": _string,
    "subscriptionResourceId": _role,
    "take": _take,
    "tenant": lambda: {"tenantId": TENANT},
    "toObject": _to_object,
    "union": _union,
    "uniqueString": _unique,
}
"""What can be computed without knowing where in a deployment it is asked for."""
