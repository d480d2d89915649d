"""The SDK's clients: made when first needed, kept, shared by all threads.

A setting with a connection string (local Azure) comes first; else an account or namespace is named
and reached with the app's identity. Which of the two it is matters nowhere else.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.request import getproxies_environment

from azure.core.exceptions import AzureError

from mesh.settings import VARIABLES, MissingSettings, Settings

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import HttpTransport
    from azure.data.tables import TableClient, TableServiceClient
    from azure.eventgrid import EventGridPublisherClient
    from azure.servicebus import ServiceBusClient, ServiceBusSender
    from azure.servicebus.management import ServiceBusAdministrationClient
    from azure.storage.blob import BlobServiceClient

PIECE = 4 * 1024 * 1024
"""Bytes of a blob that are read, or written, at once; a smaller blob is one transaction."""

CONNECTIONS = 64
"""HTTP connections kept per host; as many threads as work at once, or the rest reconnect."""

_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Settings of `requests` that name other roots to trust."""

TIMEOUTS: Mapping[str, Any] = {"connection_timeout": 5, "read_timeout": 30}
"""Seconds; a message's lock lasts a minute and is renewed while its function runs."""

RETRIES: Mapping[str, Any] = {"retry_total": 3, "retry_backoff_factor": 0.5, "retry_backoff_max": 5}
"""Short and few: the queue, not the SDK, retries what takes longer."""

_QUIET: Mapping[str, int] = {
    "azure.core.pipeline.policies.http_logging_policy": logging.WARNING,
    "azure.identity": logging.WARNING,
    "azure.servicebus": logging.WARNING,
    # It warns of each option of a call, which the client also hands to the event.
    "azure.eventgrid._legacy._generated._serialization": logging.ERROR,
}
"""Loggers that tell of every request, and from which level on they may be heard."""

_Client = TypeVar("_Client")


class Clients:
    """All clients of one process.

    Args:
        transport: sends the HTTP requests to storage; for tests that count them.
    """

    def __init__(
        self, settings: Settings, *, transport: HttpTransport[Any, Any] | None = None
    ) -> None:
        self.settings = settings
        self._transport = transport
        self._made: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._sender_locks: dict[str, threading.Lock] = {}
        for name, level in _QUIET.items():
            logger = logging.getLogger(name)
            if logger.level == logging.NOTSET:
                logger.setLevel(level)

    def table(self, name: str) -> TableClient:
        return self._once(f"table {name}", lambda: self._tables().get_table_client(name))

    def blobs(self, account: str = "") -> BlobServiceClient:
        """Of the mesh's own account, or of a domain's."""
        return self._once(f"blobs {account}", lambda: self._make_blobs(account))

    def topic(self) -> EventGridPublisherClient:
        return self._once("topic", self._make_topic)

    def administration(self) -> ServiceBusAdministrationClient:
        return self._once("administration", self._make_administration)

    def event_grid(self, endpoint: str, is_local: bool) -> EventGridPublisherClient:
        """A new client of somebody else's topic; the local ones share the well-known key."""
        from azure.core.credentials import AzureKeyCredential
        from azure.eventgrid import EventGridPublisherClient

        key = self.settings.event_grid_key if is_local else ""
        return EventGridPublisherClient(
            endpoint, AzureKeyCredential(key) if key else self._credential()
        )

    def queue_sender(self, host: str, queue: str, is_local: bool) -> ServiceBusSender:
        """A new sender to somebody else's queue, with a connection of its own that it closes."""
        from azure.servicebus import ServiceBusClient

        options: dict[str, Any] = {"retry_total": 0}
        if is_local:
            text = (
                f"Endpoint=sb://{host};SharedAccessKeyName=local;SharedAccessKey=local;"
                "UseDevelopmentEmulator=true"
            )
            client = ServiceBusClient.from_connection_string(text, **options)
        else:
            client = ServiceBusClient(host, self._credential(), **options)
        return client.get_queue_sender(queue)

    def foreign_blobs(self, url: str, is_local: bool) -> BlobServiceClient:
        """A new client of somebody else's account; locally with the key of ours."""
        from azure.storage.blob import BlobServiceClient

        options: dict[str, Any] = {"retry_total": 0, "max_single_put_size": PIECE}
        if not is_local:
            return BlobServiceClient(url, credential=self._credential(), **options)
        return BlobServiceClient(url, credential=self.blobs().credential.account_key, **options)

    @contextmanager
    def sender(self, queue: str) -> Iterator[ServiceBusSender]:
        """The queue's one sender, for this thread alone: the SDK's senders are not thread-safe.

        It stays open, for opening one takes half a second; the SDK keeps the idle connection alive
        and mends a broken one. A sender that failed all the same is replaced by the next call.
        """
        with self._lock:
            lock = self._sender_locks.setdefault(queue, threading.Lock())
        with lock:
            name = f"sender {queue}"
            sender = self._once(name, lambda: self._service_bus().get_queue_sender(queue))
            try:
                yield sender
            except AzureError:
                with self._lock:
                    self._made.pop(name, None)
                with suppress(AzureError, OSError):
                    sender.close()
                raise

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        with self._lock:
            made, self._made = self._made, {}
        # What was made last may rest on what was made before it.
        for client in reversed(made.values()):
            close = getattr(client, "close", None)
            if close is not None:
                close()

    def _once(self, name: str, make: Callable[[], _Client]) -> _Client:
        with self._lock:
            if name not in self._made:
                self._made[name] = make()
            client: _Client = self._made[name]
            return client

    def _tables(self) -> TableServiceClient:
        return self._once("tables", self._make_tables)

    def _service_bus(self) -> ServiceBusClient:
        return self._once("service bus", self._make_service_bus)

    def _make_tables(self) -> TableServiceClient:
        from azure.data.tables import TableServiceClient

        options: dict[str, Any] = {"transport": self._storage_transport(), **RETRIES}
        if self.settings.storage:
            with _readable("storage"):
                return TableServiceClient.from_connection_string(self.settings.storage, **options)
        endpoint = f"https://{self.settings.storage_account}.table.core.windows.net"
        return TableServiceClient(endpoint=endpoint, credential=self._credential(), **options)

    def _make_blobs(self, account: str) -> BlobServiceClient:
        from azure.storage.blob import BlobServiceClient, ExponentialRetry

        options: dict[str, Any] = {
            "transport": self._storage_transport(),
            # The default waits 15 s before the first retry.
            "retry_policy": ExponentialRetry(
                initial_backoff=1, increment_base=2, retry_total=3, random_jitter_range=1
            ),
            "max_single_get_size": PIECE,
            "max_chunk_get_size": PIECE,
        }
        if self.settings.storage:
            with _readable("storage"):
                return BlobServiceClient.from_connection_string(self.settings.storage, **options)
        url = f"https://{account or self.settings.storage_account}.blob.core.windows.net"
        return BlobServiceClient(url, credential=self._credential(), **options)

    def _make_topic(self) -> EventGridPublisherClient:
        from azure.core.credentials import AzureKeyCredential
        from azure.eventgrid import EventGridPublisherClient

        key = self.settings.event_grid_key
        credential = AzureKeyCredential(key) if key else self._credential()
        # Its requests are none of storage's, which a test may count.
        transport = self._once("transport", _pooled_transport)
        return EventGridPublisherClient(
            self.settings.event_grid_topic, credential, transport=transport
        )

    def _make_service_bus(self) -> ServiceBusClient:
        from azure.servicebus import ServiceBusClient

        if self.settings.service_bus:
            with _readable("service_bus"):
                return ServiceBusClient.from_connection_string(self.settings.service_bus, **RETRIES)
        namespace = self.settings.service_bus_namespace
        return ServiceBusClient(namespace, self._credential(), **RETRIES)

    def _make_administration(self) -> ServiceBusAdministrationClient:
        from azure.servicebus.management import ServiceBusAdministrationClient

        options: dict[str, Any] = {**TIMEOUTS, **RETRIES}
        if self.settings.service_bus_admin_certificate:
            options["connection_verify"] = self.settings.service_bus_admin_certificate
        connection = self.settings.service_bus_admin or self.settings.service_bus
        if connection:
            with _readable(
                "service_bus_admin" if self.settings.service_bus_admin else "service_bus"
            ):
                return ServiceBusAdministrationClient.from_connection_string(connection, **options)
        namespace = self.settings.service_bus_namespace
        return ServiceBusAdministrationClient(namespace, self._credential(), **options)

    def _credential(self) -> TokenCredential:
        return self._once("credential", self._make_credential)

    def _make_credential(self) -> TokenCredential:
        from azure.identity import DefaultAzureCredential

        client_id = self.settings.identity_client_id or None
        return DefaultAzureCredential(managed_identity_client_id=client_id)

    def _storage_transport(self) -> HttpTransport[Any, Any]:
        return self._transport or self._once("transport", _pooled_transport)


@contextmanager
def _readable(setting: str) -> Iterator[None]:
    """Name the setting when the SDK does not understand its connection string."""
    try:
        yield
    except ValueError:
        message = f"{VARIABLES[setting]} is no connection string of that kind of resource."
        raise MissingSettings(message) from None


def _pooled_transport() -> HttpTransport[Any, Any]:
    """The SDK's own transport; the larger pool keeps the connections of many busy threads."""
    import requests
    from azure.core.pipeline.transport import RequestsTransport

    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # Looking for a proxy at each request costs `requests` half of its time, and a `.netrc` would
    # replace the token. The SDK applies its own option for this only to a session that it makes.
    session.trust_env = bool(getproxies_environment()) or any(map(os.environ.get, _CERTIFICATES))
    transport: HttpTransport[Any, Any] = RequestsTransport(session=session, **TIMEOUTS)
    return transport
