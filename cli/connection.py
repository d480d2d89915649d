"""Where the mesh is: settings of the environment, or else what the local Azure wrote down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cli.failures import Failed, wrong_call

DEFAULT_URL = "http://127.0.0.1:7071/api"
READY_FILE = Path(".local/state/azure.json")
"""Written by the local Azure when it is ready, with the settings of the app that it runs."""

PATIENCE_S = 30.0

_API = ("MESH_URL", "MESH_TOKEN", "MESH_SCOPE", "MESH_TOKEN_URL", "MESH_CLIENT_SECRET")


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """How to reach the mesh.

    Attributes:
        url: of the HTTP API, without a slash at the end.
        acting: the domain to act for (`--as`, `MESH_AS`); empty for one's own identity.
        token: an access token that was given as it is (`MESH_TOKEN`).
        scope: what to ask a token for, such as `api://mesh/.default`.
        token_url, secret: the token endpoint of the local issuer, and what it wants to know.
        storage: connection string of the storage account; empty with `storage_account`.
        storage_account: name of the account that is reached by identity.
        storage_of_domains: name of the account of each domain that has one of its own.
        logs_workspace: Log Analytics workspace with the mesh's telemetry, by its customer id.
        telemetry_url: of the local Azure's telemetry; empty with `logs_workspace`.
        patience_s: how long to keep asking a mesh that says it is unavailable.
        origin: where `url` was found, for messages.
    """

    url: str
    acting: str = ""
    token: str = field(default="", repr=False)
    scope: str = ""
    token_url: str = ""
    secret: str = field(default="", repr=False)
    storage: str = field(default="", repr=False)
    storage_account: str = ""
    storage_of_domains: Mapping[str, str] = field(default_factory=dict)
    logs_workspace: str = ""
    telemetry_url: str = ""
    patience_s: float = PATIENCE_S
    origin: str = "the default"

    def account_of(self, domain: str) -> str:
        """The storage account that `domain` drops files into; empty when none is known."""
        return self.storage_of_domains.get(domain, self.storage_account)


def find_connection(environ: Mapping[str, str], state: Path | None, start: Path) -> Connection:
    """Work out the connection.

    Settings of the environment go first. What reaches the API comes from one place, and so does
    what reaches the storage, so that no secret of the local Azure is ever sent elsewhere.

    Args:
        state: folder of the local Azure's state; None looks for `.local/state` in `start` and the
            folders above it.

    Raises:
        Failed: `state` has no ready file, one cannot be read, or a setting makes no sense.
    """
    file = _ready_file(state, start)
    local = {} if file is None else _settings(file)
    api, origin = _first(environ, local, file, *_API)
    storage, stored_by = _first(
        environ, local, file, "STORAGE", "STORAGE__accountName", "STORAGE_OF_DOMAINS"
    )
    logs = environ.get("MESH_LOGS_WORKSPACE", "")
    # The local Azure has no telemetry of a mesh that is elsewhere.
    is_elsewhere = bool(logs or environ.get("MESH_URL"))
    return Connection(
        url=_checked_url(api.get("MESH_URL") or DEFAULT_URL, origin),
        token=api.get("MESH_TOKEN", ""),
        scope=api.get("MESH_SCOPE", ""),
        token_url=api.get("MESH_TOKEN_URL", ""),
        secret=api.get("MESH_CLIENT_SECRET", ""),
        storage=storage.get("STORAGE", ""),
        storage_account=storage.get("STORAGE__accountName", ""),
        storage_of_domains=_accounts(storage.get("STORAGE_OF_DOMAINS", ""), stored_by),
        logs_workspace=logs,
        telemetry_url="" if is_elsewhere else local.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        patience_s=_patience(environ.get("MESH_PATIENCE", "")),
        origin=origin,
    )


def _first(
    environ: Mapping[str, str], local: Mapping[str, str], file: Path | None, *names: str
) -> tuple[dict[str, str], str]:
    """The values of `names` from the environment if it has any of them, or else from the file."""
    given = {name: environ[name] for name in names if environ.get(name)}
    if given:
        return given, "the environment"
    known = {name: local[name] for name in names if local.get(name)}
    return known, str(file) if known else "the default"


def _ready_file(state: Path | None, start: Path) -> Path | None:
    if state is not None:
        file = state / READY_FILE.name
        if not file.is_file():
            message = (
                f"{state} holds no {READY_FILE.name}: no local Azure runs with this state. "
                f"Start it with `mesh up --state {state}`."
            )
            raise wrong_call(message, problem="no-local-azure")
        return file
    folders = (start, *start.parents)
    return next((found for at in folders if (found := at / READY_FILE).is_file()), None)


def _settings(file: Path) -> dict[str, str]:
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))["settings"]
        return {str(name): str(value) for name, value in settings.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as wrong:
        message = (
            f"{file} cannot be read ({type(wrong).__name__}: {wrong}). Delete it and start the "
            f"local Azure again with `mesh up`."
        )
        raise wrong_call(message, problem="no-local-azure") from None


def _checked_url(url: str, origin: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _wrong_setting("MESH_URL", url, "an address such as https://HOST/api", origin)
    return url.rstrip("/")


def _accounts(text: str, origin: str) -> dict[str, str]:
    from mesh.settings import accounts_of_domains

    try:
        return accounts_of_domains(text)
    except ValueError:
        wanted = 'a JSON object such as {"DOMAIN": "ACCOUNT"}'
        raise _wrong_setting("STORAGE_OF_DOMAINS", text, wanted, origin) from None


def _patience(text: str) -> float:
    try:
        seconds = float(text or PATIENCE_S)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 3600:
        raise _wrong_setting("MESH_PATIENCE", text, "seconds, 0 to 3600", "the environment")
    return seconds


def _wrong_setting(name: str, value: str, wanted: str, origin: str) -> Failed:
    message = f"{name} is {value!r} (from {origin}); it has to be {wanted}."
    return wrong_call(message, problem="wrong-setting")
