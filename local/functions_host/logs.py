"""Structured logs: one JSON object a line, for the host, invocations and the app's `logging`."""

from __future__ import annotations

import contextvars
import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

from local.process import LocalError

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}
_NAMES = {
    logging.DEBUG: "Debug",
    logging.INFO: "Information",
    logging.WARNING: "Warning",
    logging.ERROR: "Error",
    logging.CRITICAL: "Critical",
}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
HOST = "Host"
RESULTS = "Host.Results"


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """The invocation that the current code belongs to."""

    function: str
    invocation: str
    trace_id: str


running: contextvars.ContextVar[Running | None] = contextvars.ContextVar("running", default=None)
"""Set while a function runs, in its task or thread."""


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; `extra` fields become members of their own."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": _NAMES.get(record.levelno, record.levelname),
            "category": category_of(record),
            "message": record.getMessage(),
        }
        if (now := running.get()) is not None:
            line |= {
                "function": now.function,
                "invocation": now.invocation,
                "trace_id": now.trace_id,
                "logger": record.name,
            }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def category_of(record: logging.LogRecord) -> str:
    """Azure's category: `Host…`, or `Function.<name>.User` for what a function logs."""
    now = running.get()
    if now is not None and not record.name.startswith(HOST):
        return f"Function.{now.function}.User"
    return record.name


class Levels(logging.Filter):
    """`logging.logLevel` of `host.json`: the longest category that matches decides.

    SDK chatter that belongs to no function (the host's own receivers) passes from Warning up.
    """

    def __init__(self, levels: Mapping[str, str]) -> None:
        super().__init__()
        self._default = _level("default", levels.get("default", "Information"))
        self._by_category = sorted(
            (
                (name.lower(), _level(name, level))
                for name, level in levels.items()
                if name != "default"
            ),
            key=lambda entry: -len(entry[0]),
        )
        self._known: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        category = category_of(record)
        if category.startswith(("azure.", "aiohttp", "asyncio")):
            return record.levelno >= logging.WARNING
        least = self._known.get(category)
        if least is None:
            least = self._known[category] = self._least(category)
        return record.levelno >= least

    def _least(self, category: str) -> int:
        for name, level in self._by_category:
            if f"{category.lower()}.".startswith(f"{name}."):
                return level
        return self._default


def configure_logging(levels: Mapping[str, str], stream: IO[str] | None = None) -> None:
    """Send every record of the process to `stream` (standard error) as JSON lines.

    Raises:
        LocalError: a level of `host.json` is unknown.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(Levels(levels))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Nothing below the lowest level that any category asks for need be made into a record.
    asked = [_level(category, level) for category, level in levels.items()]
    root.setLevel(min([*asked, _level("default", levels.get("default", "Information"))]))


def _level(category: str, name: str) -> int:
    level = _LEVELS.get(name.lower())
    if level is None:
        raise LocalError(
            f"host.json: logging.logLevel.{category}: unknown level '{name}'. "
            f"Use one of {', '.join(known.title() for known in _LEVELS)}."
        )
    return level
