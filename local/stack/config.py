"""The file that tells what a local Azure is to hold, and which settings the app gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.process import LocalError


@dataclass(frozen=True, kw_only=True, slots=True)
class StackConfig:
    """What a local Azure holds.

    Attributes:
        app: folder of the Functions app.
        service_bus: entities, in the form of Microsoft's Service Bus emulator.
        event_grid: topics and event subscriptions.
        storage: `{"containers": […], "tables": […], "queues": […]}`.
        settings: the app's settings; `{storage}`, `{service_bus}`, … in a value stand for what is
            known only once the parts run (`local.stack.stack.Addresses`).
        identity: registrations of the token issuer, if there is to be one.
        authentication: which paths take a token of it (`globalValidation` of `authsettingsV2`).
        queries: folder of `*.kql` files and workbooks that the telemetry page is to offer, if any.
    """

    app: Path
    service_bus: Path
    event_grid: Path
    storage: Path
    settings: Mapping[str, str]
    queries: Path | None = None
    identity: Path | None = None
    authentication: Path | None = None

    @classmethod
    def read(cls, path: Path) -> StackConfig:
        """Read the file; paths in it are relative to it.

        Raises:
            LocalError: it cannot be read, or something in it is missing or unknown.
        """
        data = _json(path)
        if not isinstance(data, dict):
            message = f"{path} holds no JSON object."
            raise LocalError(message)
        required = ("app", "serviceBus", "eventGrid", "storage")
        missing = [key for key in required if not isinstance(data.get(key), str)]
        optional = ("queries", "identity", "authentication")
        unknown = sorted(set(data) - {*required, "settings", *optional})
        if missing or unknown:
            wrong = [f"{key} is missing" for key in missing] + [
                f"{key} is unknown" for key in unknown
            ]
            message = f"{path}: {'; '.join(wrong)}."
            raise LocalError(message)
        settings = data.get("settings", {})
        if not isinstance(settings, dict) or not all(isinstance(v, str) for v in settings.values()):
            message = f"{path}: settings holds texts only."
            raise LocalError(message)
        chosen = {name: _optional(path, data, name) for name in optional}
        if (chosen["identity"] is None) != (chosen["authentication"] is None):
            message = f"{path}: identity and authentication go together."
            raise LocalError(message)
        app, service_bus, event_grid, storage = (path.parent / data[key] for key in required)
        return cls(
            app=app.resolve(),
            service_bus=service_bus.resolve(),
            event_grid=event_grid.resolve(),
            storage=storage.resolve(),
            settings=settings,
            **chosen,
        )


def _optional(path: Path, data: Mapping[str, Any], name: str) -> Path | None:
    value = data.get(name)
    if not isinstance(value, str | None):
        kind = "folder" if name == "queries" else "file"
        message = f"{path}: {name} must be the name of a {kind}."
        raise LocalError(message)
    return None if value is None else (path.parent / value).resolve()


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as failed:
        message = f"{path} cannot be read: {failed.strerror}."
        raise LocalError(message) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as wrong:
        message = f"{path} is no JSON: {wrong}."
        raise LocalError(message) from None
