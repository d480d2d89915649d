"""Every port twice: in memory, and on Azure's SDKs against the local Azure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport

from local.azurite import Endpoints
from mesh.azure.clients import Clients
from mesh.backbone import Backbone, in_memory, on_azure
from mesh.model.names import ProductId
from mesh.settings import Settings
from tests.local.azurite.running import azurite
from tests.ports import nouns
from tests.ports.starting import ROOT, part

__all__ = ["azurite"]


class CountingTransport(RequestsTransport):
    """Sends requests to storage, and remembers them: each is one transaction on the bill."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[str] = []

    def send(self, request: Any, **options: Any) -> Any:
        self.requests.append(f"{request.method} {request.url.partition('?')[0]}")
        return super().send(request, **options)


@pytest.fixture(scope="session")
def storage_account(azurite: Endpoints) -> str:
    """The connection string of an Azurite that has our tables and containers."""
    create_storage(azurite.connection_string)
    return azurite.connection_string


def create_storage(connection: str) -> None:
    from azure.data.tables import TableServiceClient
    from azure.storage.blob import BlobServiceClient

    declared = json.loads((ROOT / "infra" / "storage.json").read_text())
    with TableServiceClient.from_connection_string(connection) as tables:
        for name in declared["tables"]:
            tables.create_table(name)
    with BlobServiceClient.from_connection_string(connection) as blobs:
        for name in declared["containers"]:
            blobs.create_container(name)


@pytest.fixture(scope="session")
def counting() -> CountingTransport:
    return CountingTransport()


def settings(**given: Any) -> Settings:
    """Settings that reach nothing, but for what is given."""
    nowhere: dict[str, Any] = {
        "storage": "",
        "service_bus": "",
        "event_grid_topic": "http://127.0.0.1:1/",
        "event_grid_key": "key",
        "webhook_signing_key": "a" * 43 + "=",
        "webhook_origin": "mesh.example",
    }
    return Settings(**nowhere | given)


@pytest.fixture(scope="session")
def clients(storage_account: str, counting: CountingTransport) -> Iterator[Clients]:
    """Clients of Azurite alone."""
    made = Clients(settings(storage=storage_account), transport=counting)
    yield made
    made.close()


@pytest.fixture(scope="session")
def azure(clients: Clients) -> Backbone:
    return on_azure(clients.settings, clients=clients)


@pytest.fixture(scope="session")
def service_bus() -> Iterator[dict[str, str]]:
    """What the ready line of a Service Bus with our entities says."""
    entities = ROOT / "infra" / "service-bus.json"
    with part("local.service_bus", "--entities", entities, "--port=0", "--admin-port=0") as told:
        yield told


@pytest.fixture(scope="session")
def event_grid(
    service_bus: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """What the ready line of an Event Grid with our custom topic says."""
    declared = json.loads((ROOT / "infra" / "event-grid.json").read_text())
    topology = tmp_path_factory.mktemp("event-grid") / "topology.json"
    topology.write_text(json.dumps({"topics": declared["topics"]}))
    options = ["--topology", topology, "--port=0", "--service-bus"]
    with part("local.event_grid", *options, service_bus["connection_string"]) as told:
        yield told


@pytest.fixture(scope="session")
def messaging(service_bus: dict[str, str]) -> Iterator[Clients]:
    """Clients of the local Service Bus alone."""
    made = Clients(settings(**bus_settings(service_bus)))
    yield made
    made.close()


def bus_settings(told: dict[str, str]) -> dict[str, str]:
    return {
        "service_bus": told["connection_string"],
        "service_bus_admin": told["admin_connection_string"],
        "service_bus_admin_certificate": told["certificate"],
    }


@pytest.fixture(params=["memory", "azure"])
def ports(request: pytest.FixtureRequest) -> Backbone:
    """Storage-based ports of either kind; the memory's are fresh, Azurite's are shared."""
    if request.param == "memory":
        return in_memory()
    shared: Backbone = request.getfixturevalue("azure")
    return shared


@pytest.fixture
def product() -> ProductId:
    """A product nobody else has."""
    return nouns.new_product()
