"""SDK clients for the connections of bindings: by connection string, or by identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from local.functions_host.settings import Connection, find_connection
from local.process import LocalError

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient

_AZURITE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)
"""Azurite's published account at its usual ports: what `UseDevelopmentStorage=true` means."""


class Clients:
    """Makes clients for connections by name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def service_bus(self, connection: str, where: str, **options: Any) -> ServiceBusClient:
        """Make a Service Bus client; `options` go to the SDK.

        Raises:
            LocalError: the connection is not configured or cannot be read.
        """
        from azure.servicebus.aio import ServiceBusClient

        found = find_connection(connection, self._environ, where)
        if found.connection_string is not None:
            try:
                return ServiceBusClient.from_connection_string(found.connection_string, **options)
            except ValueError as wrong:
                raise _unreadable(where, found, wrong) from None
        namespace = found.properties.get("fullyQualifiedNamespace")
        if not namespace:
            raise LocalError(
                f"{where}: the connection '{connection}' has no setting "
                f"{connection}__fullyQualifiedNamespace; add it, or give a connection string."
            )
        return ServiceBusClient(namespace, _credential(found), **options)


def storage_connection_string(found: Connection) -> str | None:
    """The connection string of a storage connection, the shorthand for Azurite written out."""
    text = found.connection_string
    return _AZURITE if text and text.strip().startswith("UseDevelopmentStorage=true") else text


def _credential(found: Connection) -> Any:
    from azure.identity.aio import DefaultAzureCredential

    client_id = found.properties.get("clientId")
    return DefaultAzureCredential(managed_identity_client_id=client_id)


def _unreadable(where: str, found: Connection, wrong: Exception) -> LocalError:
    return LocalError(
        f"{where}: the connection string in the app setting {found.name} cannot be read: {wrong}."
    )
