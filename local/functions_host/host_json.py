"""`host.json`: the parts of it that mean something on one machine, with Azure's defaults."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.process import LocalError

_TIME_SPAN = re.compile(
    r"(?P<sign>-)?(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})"
    r"(?::(?P<seconds>\d{1,2})(?:\.(?P<fraction>\d{1,7}))?)?"
)
_DEFAULT_TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceBusOptions:
    """`extensions.serviceBus`. Concurrency defaults are per core, as in the host."""

    max_concurrent_calls: int = 16 * (os.cpu_count() or 1)
    max_concurrent_sessions: int = 8
    max_message_batch_size: int = 1000
    prefetch_count: int = 0
    auto_complete_messages: bool = True
    max_auto_lock_renewal: timedelta = timedelta(minutes=5)
    session_idle_timeout: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueOptions:
    """`extensions.queues`. Polling backs off to `max_polling_interval`.

    Azure's default for that is a minute; its host uses two seconds when it runs for development.
    """

    max_polling_interval: timedelta = timedelta(seconds=2)
    visibility_timeout: timedelta = timedelta(0)
    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    message_encoding: str = "base64"


@dataclass(frozen=True, kw_only=True, slots=True)
class BlobOptions:
    """`extensions.blobs`."""

    max_degree_of_parallelism: int = 8 * (os.cpu_count() or 1)
    poison_blob_threshold: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class HostJson:
    """A checked `host.json`.

    `function_timeout` is None where `-1` asks for no bound; `functions` is None where the file
    names none, which means that all run.
    """

    route_prefix: str = "api"
    function_timeout: timedelta | None = _DEFAULT_TIMEOUT
    service_bus: ServiceBusOptions = field(default_factory=ServiceBusOptions)
    queues: QueueOptions = field(default_factory=QueueOptions)
    blobs: BlobOptions = field(default_factory=BlobOptions)
    log_levels: Mapping[str, str] = field(default_factory=dict)
    functions: tuple[str, ...] | None = None


def parse_time_span(text: str) -> timedelta:
    """Read .NET's `[-][d.]hh:mm[:ss[.fffffff]]`.

    Raises:
        ValueError: anything else, or hours over 23, or minutes or seconds over 59.
    """
    match = _TIME_SPAN.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{text}' is not a time span such as 00:05:00 or 1.00:00:00")
    parts = {name: int(match[name] or 0) for name in ("days", "hours", "minutes", "seconds")}
    if parts["hours"] > 23 or parts["minutes"] > 59 or parts["seconds"] > 59:
        raise ValueError(f"'{text}' has hours over 23, or minutes or seconds over 59")
    fraction = (match["fraction"] or "").ljust(7, "0")
    span = timedelta(**parts, microseconds=int(fraction) // 10)
    return -span if match["sign"] else span


def read_host_json(app: Path) -> HostJson:
    """Read `host.json` of an app's folder.

    Raises:
        LocalError: it is absent, not JSON, not version 2.0, or a value is out of bounds.
    """
    path = app / "host.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise LocalError(
            f'{path}: not found. A function app needs one; the least is {{"version": "2.0"}}.'
        ) from None
    except (OSError, ValueError) as broken:
        raise LocalError(f"{path}: cannot be read as JSON: {broken}. Correct the file.") from None
    if not isinstance(document, dict) or document.get("version") != "2.0":
        raise LocalError(f'{path}: must be a JSON object with "version": "2.0".')
    return _Reader(path, document).host_json()


class _Reader:
    """Reads typed values out of the document; every refusal names the file and the property."""

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self._path = path
        self._document = document

    def host_json(self) -> HostJson:
        timeout = self._document.get("functionTimeout")
        levels = self._section("logging.logLevel")
        return HostJson(
            route_prefix=str(self._section("extensions.http").get("routePrefix", "api")).strip("/"),
            function_timeout=None
            if timeout == "-1"
            else self._span("", "functionTimeout", _DEFAULT_TIMEOUT),
            service_bus=self._service_bus(),
            queues=self._queues(),
            blobs=self._blobs(),
            log_levels={str(key): str(value) for key, value in levels.items()},
            functions=self._functions(),
        )

    def _functions(self) -> tuple[str, ...] | None:
        names = self._document.get("functions")
        if names is None:
            return None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._refuse("", "functions", "must be a list of names")
        return tuple(names)

    def _service_bus(self) -> ServiceBusOptions:
        section, default = "extensions.serviceBus", ServiceBusOptions()
        return ServiceBusOptions(
            max_concurrent_calls=self._int(
                section, "maxConcurrentCalls", default.max_concurrent_calls, least=1
            ),
            max_concurrent_sessions=self._int(
                section, "maxConcurrentSessions", default.max_concurrent_sessions, least=1
            ),
            max_message_batch_size=self._int(
                section, "maxMessageBatchSize", default.max_message_batch_size, least=1
            ),
            prefetch_count=self._int(section, "prefetchCount", default.prefetch_count, least=0),
            auto_complete_messages=self._bool(
                section, "autoCompleteMessages", default=default.auto_complete_messages
            ),
            max_auto_lock_renewal=self._span(
                section, "maxAutoLockRenewalDuration", default.max_auto_lock_renewal
            ),
            session_idle_timeout=self._span(
                section, "sessionIdleTimeout", default.session_idle_timeout
            ),
        )

    def _queues(self) -> QueueOptions:
        section, default = "extensions.queues", QueueOptions()
        batch = self._int(section, "batchSize", default.batch_size, least=1, most=32)
        encoding = str(self._section(section).get("messageEncoding", default.message_encoding))
        if encoding.lower() not in ("base64", "none"):
            raise self._refuse(section, "messageEncoding", 'must be "base64" or "none"')
        return QueueOptions(
            max_polling_interval=self._span(
                section, "maxPollingInterval", default.max_polling_interval
            ),
            visibility_timeout=self._span(section, "visibilityTimeout", default.visibility_timeout),
            batch_size=batch,
            new_batch_threshold=self._int(section, "newBatchThreshold", batch // 2, least=0),
            max_dequeue_count=self._int(
                section, "maxDequeueCount", default.max_dequeue_count, least=1
            ),
            message_encoding=encoding.lower(),
        )

    def _blobs(self) -> BlobOptions:
        section, default = "extensions.blobs", BlobOptions()
        return BlobOptions(
            max_degree_of_parallelism=self._int(
                section, "maxDegreeOfParallelism", default.max_degree_of_parallelism, least=1
            ),
            poison_blob_threshold=self._int(
                section, "poisonBlobThreshold", default.poison_blob_threshold, least=1
            ),
        )

    def _section(self, dotted: str) -> Mapping[str, Any]:
        current: Any = self._document
        for part in filter(None, dotted.split(".")):
            current = current.get(part, {})
            if not isinstance(current, dict):
                raise self._refuse("", dotted, "must be an object")
        section: Mapping[str, Any] = current
        return section

    def _int(
        self, section: str, name: str, default: int, *, least: int, most: int | None = None
    ) -> int:
        value = self._section(section).get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._refuse(section, name, "must be a whole number")
        if value < least or (most is not None and value > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            raise self._refuse(section, name, f"must be {bounds}, not {value}")
        return value

    def _bool(self, section: str, name: str, *, default: bool) -> bool:
        value = self._section(section).get(name, default)
        if not isinstance(value, bool):
            raise self._refuse(section, name, "must be true or false")
        return value

    def _span(self, section: str, name: str, default: timedelta) -> timedelta:
        value = self._section(section).get(name)
        if value is None:
            return default
        try:
            return parse_time_span(str(value))
        except ValueError as wrong:
            raise self._refuse(section, name, str(wrong)) from None

    def _refuse(self, section: str, name: str, why: str) -> LocalError:
        dotted = f"{section}.{name}" if section else name
        return LocalError(f"{self._path}: {dotted}: {why}. Correct the file.")
