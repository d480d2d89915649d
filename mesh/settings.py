"""The app's settings: every environment variable that the app itself reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


class MissingSettings(ValueError):
    """Settings that are not there, or make no sense; all of them are named at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings, read once.

    `storage` and `service_bus` are connections in the sense of Functions bindings: either one
    setting holds a connection string (local), or settings with a `__` suffix name an account or a
    namespace that is reached by identity (Azure). See `docs/settings.md`.

    Attributes:
        storage: connection string of the storage account, for the local Azure.
        storage_account: name of the storage account (`STORAGE__accountName`).
        storage_of_domains: name of the storage account of each domain that has one of its own.
        service_bus: connection string of the namespace, for the local Azure.
        service_bus_namespace: its fully qualified name (`SERVICE_BUS__fullyQualifiedNamespace`).
        service_bus_admin: connection string of the administration endpoint where that is another
            one than the namespace's own, as in the local Azure.
        service_bus_admin_certificate: file with the certificate to trust there.
        event_grid_topic: endpoint of the topic `mesh-events`.
        event_grid_key: its access key, for the local Azure; identity otherwise.
        webhook_signing_key: master key (base64) that subscribers' signing secrets derive from.
        webhook_origin: who we say we are in the CloudEvents webhook handshake.
        allow_loopback_webhooks: whether webhooks may be http and loopback, and destinations on
            this machine; the local Azure only.
        destination_hosts: where consumers' own topics, queues and containers may be; whoever owns
            such a host is shown a token of the app's identity. None for those of Azure.
        easy_auth: whether App Service authentication is on, so that its headers can be believed.
        identity_client_id: of the user-assigned identity (`AZURE_CLIENT_ID`).
    """

    storage: str = field(default="", repr=False)
    storage_account: str = ""
    storage_of_domains: Mapping[str, str] = field(default_factory=dict)
    service_bus: str = field(default="", repr=False)
    service_bus_namespace: str = ""
    service_bus_admin: str = field(default="", repr=False)
    service_bus_admin_certificate: str = ""
    event_grid_topic: str
    event_grid_key: str = field(default="", repr=False)
    webhook_signing_key: str = field(repr=False)
    webhook_origin: str
    allow_loopback_webhooks: bool = False
    destination_hosts: tuple[str, ...] = ()
    easy_auth: bool = False
    identity_client_id: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from environment variables.

        Raises:
            MissingSettings: some are missing or wrong; the message names each.
        """
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for name, variable in VARIABLES.items():
            text = environ.get(variable, "")
            if name in {"allow_loopback_webhooks", "easy_auth"}:
                if text.lower() not in {"", "true", "false"}:
                    wrong.append(f"{variable} is {text!r}, and may be true or false")
                values[name] = text.lower() == "true"
            elif name == "storage_of_domains":
                values[name] = {}
                try:
                    values[name] = accounts_of_domains(text)
                except ValueError:
                    wrong.append(
                        f'{variable} must be a JSON object such as {{"DOMAIN": "ACCOUNT"}}'
                    )
            else:
                values[name] = text
        values["destination_hosts"] = _hosts(values["destination_hosts"], wrong)
        for either, other in (
            ("storage", "storage_account"),
            ("service_bus", "service_bus_namespace"),
        ):
            if not values[either] and not values[other]:
                wrong.append(f"{VARIABLES[either]} or {VARIABLES[other]} is missing")
        if values["storage"] and values["storage_of_domains"]:
            variable = VARIABLES["storage_of_domains"]
            wrong.append(f"{variable} goes with STORAGE__accountName, not with STORAGE")
        required = ("event_grid_topic", "webhook_signing_key", "webhook_origin")
        wrong.extend(f"{VARIABLES[name]} is missing" for name in required if not values[name])
        if wrong:
            message = f"The app cannot start: {'; '.join(wrong)}. See local.settings.sample.json."
            raise MissingSettings(message)
        return cls(**values)


VARIABLES = {
    "storage": "STORAGE",
    "storage_account": "STORAGE__accountName",
    "storage_of_domains": "STORAGE_OF_DOMAINS",
    "service_bus": "SERVICE_BUS",
    "service_bus_namespace": "SERVICE_BUS__fullyQualifiedNamespace",
    "service_bus_admin": "SERVICE_BUS_ADMIN",
    "service_bus_admin_certificate": "SERVICE_BUS_ADMIN_CERTIFICATE",
    "event_grid_topic": "EVENT_GRID_TOPIC",
    "event_grid_key": "EVENT_GRID_KEY",
    "webhook_signing_key": "WEBHOOK_SIGNING_KEY",
    "webhook_origin": "WEBHOOK_ORIGIN",
    "allow_loopback_webhooks": "ALLOW_LOOPBACK_WEBHOOKS",
    "destination_hosts": "DESTINATION_HOSTS",
    "easy_auth": "EASY_AUTH",
    "identity_client_id": "AZURE_CLIENT_ID",
}
"""The environment variable of each setting."""


def accounts_of_domains(text: str) -> dict[str, str]:
    """The account of each domain, as STORAGE_OF_DOMAINS has it: a JSON object, or nothing.

    Raises:
        ValueError: it is something else.
    """
    found = json.loads(text or "{}")
    if isinstance(found, dict) and all(isinstance(name, str) and name for name in found.values()):
        return found
    message = "no JSON object of names"
    raise ValueError(message)


def _hosts(text: str, wrong: list[str]) -> tuple[str, ...]:
    """The hosts, which commas separate; what is wrong with them is added to `wrong`."""
    found = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for host in found:
        labels = host.removeprefix("*.").split(".")
        if len(labels) < 2 or not all(label and "*" not in label for label in labels):
            variable = VARIABLES["destination_hosts"]
            wrong.append(f"{variable} has {host!r}, which is no host such as *.example.net")
    return found


assert set(VARIABLES) == {setting.name for setting in fields(Settings)}
