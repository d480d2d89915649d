"""Blobs of a domain that has a storage account of its own are looked for there."""

from __future__ import annotations

import pytest

from mesh.azure.clients import Clients
from mesh.azure.storage import BlobStorage
from mesh.settings import MissingSettings, Settings

AZURE = {
    "STORAGE__accountName": "hub",
    "STORAGE_OF_DOMAINS": '{"geo": "stgeo", "market-data": "oldlake"}',
    "SERVICE_BUS__fullyQualifiedNamespace": "mesh.servicebus.windows.net",
    "EVENT_GRID_TOPIC": "https://mesh-events.westeurope-1.eventgrid.azure.net/api/events",
    "WEBHOOK_SIGNING_KEY": "c2VjcmV0",
    "WEBHOOK_ORIGIN": "mesh.example.com",
}


@pytest.mark.parametrize(
    ("location", "account"),
    [
        ("landing/geo/regions/v1/regions/a.csv", "stgeo"),
        ("published/geo/regions/v1/regions/a.csv", "stgeo"),
        ("quarantine/market-data/prices/v1/prices/a.csv", "oldlake"),
        ("receipts/geo/regions/1.json", "stgeo"),
        # A name that only begins like a domain's is another domain.
        ("landing/geology/rocks/v1/rocks/a.csv", "hub"),
        ("landing/weather/rain/v1/rain/a.csv", "hub"),
        ("receipts/unplaced/files/1.json", "hub"),
        ("contracts/geo/regions/1.json", "hub"),
        ("declarations/geo.json", "hub"),
    ],
)
def test_the_domain_in_a_location_says_in_which_account_it_is(location: str, account: str) -> None:
    clients = Clients(Settings.from_environ(AZURE))
    try:
        url = BlobStorage(clients).url(location)
    finally:
        clients.close()

    assert url == f"https://{account}.blob.core.windows.net/{location}"


@pytest.mark.parametrize("text", ["[]", "geo=stgeo", '{"geo": 7}', '{"geo": ""}', "null"])
def test_the_accounts_must_make_sense(text: str) -> None:
    with pytest.raises(MissingSettings) as refused:
        Settings.from_environ(AZURE | {"STORAGE_OF_DOMAINS": text})

    told = 'STORAGE_OF_DOMAINS must be a JSON object such as {"DOMAIN": "ACCOUNT"}'
    assert told in str(refused.value)


def test_accounts_of_domains_are_reached_by_identity_only() -> None:
    with pytest.raises(
        MissingSettings, match="STORAGE_OF_DOMAINS goes with STORAGE__accountName, not with STORAGE"
    ):
        Settings.from_environ(AZURE | {"STORAGE": "UseDevelopmentStorage=true"})


def test_there_need_be_no_such_accounts() -> None:
    settings = Settings.from_environ(AZURE | {"STORAGE_OF_DOMAINS": ""})

    assert settings.storage_of_domains == {}
