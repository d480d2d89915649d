"""SDK clients for the connections of bindings: by connection string, or by identity."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from local.functions_host.settings import Connection, find_connection
from local.process import LocalError

if TYPE_CHECKING:
    from azure.data.tables.aio import TableClient
    from azure.eventgrid.aio import EventGridPublisherClient
    from azure.servicebus.aio import ServiceBusClient
    from azure.storage.blob.aio import BlobServiceClient
    from azure.storage.queue.aio import QueueClient

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
        self._contexts: dict[bool, ssl.SSLContext] = {}

    def service_bus(self, connection: str, where: str, **options: Any) -> ServiceBusClient:
        """Make a Service Bus client; `options` go to the SDK.

        Raises:
            LocalError: the connection is not configured or cannot be read.
        """
        from azure.servicebus.aio import ServiceBusClient

        found = find_connection(connection, self._environ, where)
        options["ssl_context"] = self._tls(found)
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

    def _tls(self, found: Connection) -> ssl.SSLContext:
        """Share one TLS context: by itself the SDK reads all root certificates per receiver.

        An emulator's connection string means no TLS at all, so its context needs none.
        """
        local = "UseDevelopmentEmulator=true" in (found.connection_string or "")
        context = self._contexts.get(local)
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if not local:
                import certifi

                context.load_verify_locations(certifi.where())
            self._contexts[local] = context
        return context

    def blobs(self, connection: str, where: str) -> BlobServiceClient:
        """Make a client of a storage account's blobs; raises as `service_bus` does."""
        from azure.storage.blob.aio import BlobServiceClient

        found = find_connection(connection, self._environ, where)
        if text := _connection_string(found):
            try:
                return BlobServiceClient.from_connection_string(text)
            except ValueError as wrong:
                raise _unreadable(where, found, wrong) from None
        return BlobServiceClient(_account_url(found, "blob", where), credential=_credential(found))

    def queue(self, connection: str, name: str, where: str) -> QueueClient:
        """Make a client of a storage queue; raises as `service_bus` does."""
        from azure.storage.queue.aio import QueueClient

        found = find_connection(connection, self._environ, where)
        if text := _connection_string(found):
            try:
                return QueueClient.from_connection_string(text, name)
            except ValueError as wrong:
                raise _unreadable(where, found, wrong) from None
        url = _account_url(found, "queue", where)
        return QueueClient(url, name, credential=_credential(found))

    def table(self, connection: str, name: str, where: str) -> TableClient:
        """Make a client of a table; raises as `service_bus` does."""
        from azure.data.tables.aio import TableClient

        found = find_connection(connection, self._environ, where)
        if text := _connection_string(found):
            try:
                return TableClient.from_connection_string(text, name)
            except ValueError as wrong:
                raise _unreadable(where, found, wrong) from None
        url = _account_url(found, "table", where)
        return TableClient(url, name, credential=_credential(found))

    def event_grid(
        self, *, connection: str, endpoint_setting: str, key_setting: str, where: str
    ) -> EventGridPublisherClient:
        """Make a publisher for a topic: by endpoint and key, or by `X__topicEndpointUri`.

        Raises:
            LocalError: a setting it names is missing.
        """
        from azure.core.credentials import AzureKeyCredential
        from azure.eventgrid.aio import EventGridPublisherClient

        if connection:
            found = find_connection(connection, self._environ, where)
            endpoint = found.properties.get("topicEndpointUri", "")
            if not endpoint:
                raise _missing(where, f"{connection}__topicEndpointUri")
            return EventGridPublisherClient(endpoint, _credential(found))
        for setting in (endpoint_setting, key_setting):
            if not self._environ.get(setting):
                raise _missing(where, setting)
        key = AzureKeyCredential(self._environ[key_setting])
        return EventGridPublisherClient(self._environ[endpoint_setting], key)


def _connection_string(found: Connection) -> str | None:
    """Return the connection string, the shorthand for Azurite written out."""
    text = found.connection_string
    return _AZURITE if text and text.strip().startswith("UseDevelopmentStorage=true") else text


def _account_url(found: Connection, service: str, where: str) -> str:
    if url := found.properties.get(f"{service}ServiceUri") or found.properties.get("serviceUri"):
        return url
    if account := found.properties.get("accountName"):
        return f"https://{account}.{service}.core.windows.net"
    raise _missing(where, f"{found.name}__accountName")


def _missing(where: str, setting: str) -> LocalError:
    return LocalError(
        f'{where}: the app setting {setting} is missing. Add it to "Values" in '
        "local.settings.json or to the environment."
    )


def _credential(found: Connection) -> Any:
    from azure.identity.aio import DefaultAzureCredential

    client_id = found.properties.get("clientId")
    return DefaultAzureCredential(managed_identity_client_id=client_id)


def _unreadable(where: str, found: Connection, wrong: Exception) -> LocalError:
    return LocalError(
        f"{where}: the connection string in the app setting {found.name} cannot be read: {wrong}."
    )
