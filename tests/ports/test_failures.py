"""What fails on the way to Azure is `Unavailable`, named, and tells no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from mesh.azure.clients import Clients
from mesh.azure.failures import told, unavailable
from mesh.backbone import Backbone, on_azure
from mesh.errors import Conflict, Unavailable
from mesh.model.names import ProductId
from mesh.model.record import Head
from tests.ports import nouns
from tests.ports.conftest import settings

PRODUCT = ProductId(domain="geo", product="regions")
KEY = "c2VjcmV0LWtleS1vZi10aGUtYWNjb3VudA=="

EVERYTHING: dict[str, tuple[Callable[[Backbone], object], str]] = {
    "head": (lambda ports: ports.registry.head(PRODUCT), "Reading head of geo.regions in table"),
    "events": (
        lambda ports: ports.registry.events(PRODUCT, after=0, limit=1),
        "Reading geo.regions in table record",
    ),
    "commit": (
        lambda ports: ports.registry.commit(nouns.change(Head.new(PRODUCT))),
        "Changing the record of geo/regions",
    ),
    "relayed": (
        lambda ports: ports.registry.relayed(PRODUCT, [1, 2]),
        "Taking events of geo/regions off the outbox",
    ),
    "catalogue": (
        lambda ports: ports.catalogue.put(nouns.summary(PRODUCT)),
        "Writing geo/regions into the catalogue",
    ),
    "saga": (lambda ports: ports.onboardings.put(nouns.saga(id="o1")), "Writing onboarding o1"),
    "subscribe": (
        lambda ports: ports.subscriptions.add(nouns.subscription(PRODUCT)),
        "Writing subscription s1",
    ),
    "unsubscribe": (
        lambda ports: ports.subscriptions.remove(PRODUCT, "s1"),
        "Removing subscription s1",
    ),
    "attempt": (
        lambda ports: ports.deliveries.record(nouns.attempt(PRODUCT)),
        "Recording attempt 1 of 00000000000000000001:s1",
    ),
    "read": (lambda ports: ports.storage.read("landing/x"), "Reading landing/x"),
    "open": (lambda ports: list(ports.storage.open("landing/x")), "Reading landing/x"),
    "write": (
        lambda ports: ports.storage.write("landing/x", b"", content_type="text/csv"),
        "Writing landing/x",
    ),
    "writer": (
        lambda ports: ports.storage.writer("landing/x", content_type="text/csv").commit(),
        "Writing landing/x",
    ),
    "large writer": (
        lambda ports: ports.storage.writer("landing/x", content_type="text/csv").write(
            bytes(5 * 1024 * 1024)
        ),
        "Writing landing/x",
    ),
    "container": (
        lambda ports: ports.storage.exists("landing"),
        "Looking for the container landing",
    ),
    "pull subscription": (
        lambda ports: ports.pull.delete("planning"),
        "Deleting the subscription planning of the topic product-events",
    ),
}


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backbone]:
    """A backbone where nothing answers, and that does not insist."""
    from azure.storage.blob import ExponentialRetry

    monkeypatch.setattr("mesh.azure.clients.RETRIES", {"retry_total": 0})
    monkeypatch.setattr(
        "azure.storage.blob.ExponentialRetry", lambda **_: ExponentialRetry(retry_total=0)
    )
    nowhere = "http://127.0.0.1:1/account"
    storage = f"DefaultEndpointsProtocol=http;AccountName=account;AccountKey={KEY};"
    storage += f"BlobEndpoint={nowhere};TableEndpoint={nowhere};"
    bus = f"Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=x;SharedAccessKey={KEY};"
    clients = Clients(settings(storage=storage, service_bus=bus))
    yield on_azure(clients.settings, clients=clients)
    clients.close()


@pytest.mark.parametrize("operation", EVERYTHING)
def test_nothing_that_answers_is_unavailable(away: Backbone, operation: str) -> None:
    act, doing = EVERYTHING[operation]

    with pytest.raises(Unavailable) as failed:
        act(away)

    assert not isinstance(failed.value, Conflict)
    assert str(failed.value).startswith(doing)
    assert " failed: ServiceRequestError: " in str(failed.value)
    assert KEY not in str(failed.value)
    assert failed.value.__suppress_context__


def test_a_table_that_is_not_there_is_no_empty_table(clients: Clients) -> None:
    from mesh.azure import rows

    table = clients._tables().get_table_client("nowhere")

    with pytest.raises(Unavailable, match=r"in table nowhere failed: 404 TableNotFound: The table"):
        rows.get(table, "a", "b")
    with pytest.raises(Unavailable, match=r"in table nowhere failed: 404 TableNotFound: The table"):
        list(rows.under(table, "a", "b"))


def test_a_wrong_account_key_is_named_and_not_shown(storage_account: str) -> None:
    before, _, after = storage_account.partition("AccountKey=")
    wrong = f"{before}AccountKey={KEY};{after.partition(';')[2]}"
    clients = Clients(settings(storage=wrong))

    with pytest.raises(Unavailable, match=r"Reading landing/x failed: 403 Auth\w+: ") as failed:
        on_azure(clients.settings, clients=clients).storage.read("landing/x")

    assert KEY not in str(failed.value)
    clients.close()


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("GET https://a/b?sv=1&sig=abc%3D failed", "GET https://a/b?… failed"),
        ("AccountKey=abc==;EndpointSuffix=x", "AccountKey=…;EndpointSuffix=x"),
        ("header Authorization: SharedKey", "header Authorization=…"),
        ("first line\nAuthorization: second", "first line"),
        ("what? a question", "what? a question"),
        ("", "ServiceRequestError"),
    ],
)
def test_messages_are_told_without_secrets(said: str, left: str) -> None:
    assert told(ServiceRequestError(said)) == f"ServiceRequestError: {left}"


def test_a_status_without_code_is_told() -> None:
    class Answer:
        status_code, reason, headers = 503, "Busy", {}

    assert told(HttpResponseError("Busy", response=Answer())).startswith("503: ")


def test_our_own_mistakes_are_not_the_world_s() -> None:
    with pytest.raises(KeyError), unavailable("Nothing"):
        {}["x"]
