"""App settings: `local.settings.json`, `%NAME%` in binding values, and connections by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.process import LocalError

_PLACEHOLDER = re.compile(r"%([^%\s]+)%")


def read_local_settings(path: Path) -> dict[str, str]:
    """Read the `Values` of a `local.settings.json` file: environment variables of the app.

    Raises:
        LocalError: the file is absent, encrypted, not JSON, or holds values that are no strings.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise LocalError(
            f"{path}: no such settings file. Copy the app's sample to it, or drop --settings."
        ) from None
    except (OSError, ValueError) as broken:
        raise LocalError(f"{path}: cannot be read as JSON: {broken}. Correct the file.") from None
    if not isinstance(document, dict):
        raise LocalError(f'{path}: must hold a JSON object with "Values"; correct the file.')
    if document.get("IsEncrypted") in (True, "true", "True"):
        raise LocalError(
            f"{path}: is encrypted for another machine (IsEncrypted is true). "
            'Run "func settings decrypt" there, or write the values in clear.'
        )
    values = document.get("Values", {})
    if not isinstance(values, dict):
        raise LocalError(f'{path}: "Values" must be an object of names and strings.')
    for name, value in values.items():
        if not isinstance(value, str):
            raise LocalError(
                f'{path}: the value of "{name}" must be a string, as Azure\'s app settings are; '
                "put it in quotes."
            )
    return values


def resolve(text: str, environ: Mapping[str, str], where: str) -> str:
    """Put app settings in place of `%NAME%` in a binding's value.

    Raises:
        LocalError: no such setting; the message names it and `where` it is used.
    """

    def _setting(match: re.Match[str]) -> str:
        name = match.group(1)
        value = _lookup(name, environ)
        if value is None:
            raise LocalError(
                f"{where}: '%{name}%' does not resolve: there is no app setting {name}. "
                f'Add it to "Values" in local.settings.json or to the environment.'
            )
        return value

    return _PLACEHOLDER.sub(_setting, text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """What the `connection` of a binding points at.

    Either `connection_string`, or `properties` of an identity-based connection, for example
    `fullyQualifiedNamespace`, `accountName`, `blobServiceUri`, `clientId`.
    """

    name: str
    connection_string: str | None
    properties: Mapping[str, str]


def find_connection(name: str, environ: Mapping[str, str], where: str) -> Connection:
    """Look a connection up as the host does: `X`, `AzureWebJobsX`, then settings `X__…`.

    Raises:
        LocalError: none of them is set.
    """
    candidates = (name, f"AzureWebJobs{name}", f"ConnectionStrings__{name}")
    for candidate in candidates:
        if value := _lookup(candidate, environ):
            return Connection(name=name, connection_string=value, properties={})
    for candidate in candidates:
        prefix = f"{candidate}__"
        properties = {
            key[len(prefix) :]: value
            for key, value in environ.items()
            if key.startswith(prefix) and value
        }
        if properties:
            return Connection(name=name, connection_string=None, properties=properties)
    raise LocalError(
        f"{where}: the connection '{name}' is not configured. Set the app setting {name} to a "
        f"connection string, or {name}__fullyQualifiedNamespace (Service Bus) or "
        f"{name}__accountName (storage) for an identity."
    )


def _lookup(name: str, environ: Mapping[str, str]) -> str | None:
    value = environ.get(name)
    if value is None and ":" in name:  # sections are written with "__" in the environment
        value = environ.get(name.replace(":", "__"))
    return value
