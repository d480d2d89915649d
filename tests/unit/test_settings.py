from __future__ import annotations

import json
from pathlib import Path

import pytest

from mesh.settings import VARIABLES, MissingSettings, Settings

ROOT = Path(__file__).parents[2]
LOCAL = {
    "STORAGE": "UseDevelopmentStorage=true",
    "SERVICE_BUS": "Endpoint=sb://127.0.0.1:5672;",
    "EVENT_GRID_TOPIC": "http://127.0.0.1:10010/mesh-events/api/events",
    "EVENT_GRID_KEY": "key",
    "WEBHOOK_SIGNING_KEY": "c2VjcmV0",
    "WEBHOOK_ORIGIN": "mesh.localhost",
    "ALLOW_LOOPBACK_WEBHOOKS": "true",
}
AZURE = {
    "STORAGE__accountName": "meshstore",
    "SERVICE_BUS__fullyQualifiedNamespace": "mesh.servicebus.windows.net",
    "EVENT_GRID_TOPIC": "https://mesh-events.westeurope-1.eventgrid.azure.net/api/events",
    "WEBHOOK_SIGNING_KEY": "c2VjcmV0",
    "WEBHOOK_ORIGIN": "mesh.example.com",
    "AZURE_CLIENT_ID": "0000",
}


def test_the_local_azure_is_reached_by_connection_strings() -> None:
    settings = Settings.from_environ(LOCAL | {"SOMETHING": "else"})

    assert settings.storage == "UseDevelopmentStorage=true"
    assert settings.storage_account == ""
    assert settings.allow_loopback_webhooks is True


def test_azure_is_reached_by_identity() -> None:
    settings = Settings.from_environ(AZURE)

    assert settings.storage_account == "meshstore"
    assert settings.service_bus_namespace == "mesh.servicebus.windows.net"
    assert settings.identity_client_id == "0000"
    assert (settings.storage, settings.service_bus, settings.event_grid_key) == ("", "", "")
    assert settings.allow_loopback_webhooks is False


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(MissingSettings) as refused:
        Settings.from_environ({"WEBHOOK_ORIGIN": ""})

    message = str(refused.value)
    assert message.startswith("The app cannot start: ")
    for part in (
        "STORAGE or STORAGE__accountName is missing",
        "SERVICE_BUS or SERVICE_BUS__fullyQualifiedNamespace is missing",
        "EVENT_GRID_TOPIC is missing",
        "WEBHOOK_SIGNING_KEY is missing",
        "WEBHOOK_ORIGIN is missing",
    ):
        assert part in message
    assert message.endswith("See local.settings.sample.json.")


@pytest.mark.parametrize("missing", ["EVENT_GRID_TOPIC", "WEBHOOK_SIGNING_KEY", "WEBHOOK_ORIGIN"])
def test_only_what_is_missing_is_named(missing: str) -> None:
    environ = {name: value for name, value in LOCAL.items() if name != missing}

    with pytest.raises(MissingSettings, match=rf"cannot start: {missing} is missing\. See"):
        Settings.from_environ(environ)


@pytest.mark.parametrize(("text", "value"), [("", False), ("False", False), ("TRUE", True)])
def test_a_switch_is_on_or_off(text: str, value: bool) -> None:
    settings = Settings.from_environ(LOCAL | {"ALLOW_LOOPBACK_WEBHOOKS": text})

    assert settings.allow_loopback_webhooks is value


def test_a_switch_is_nothing_else() -> None:
    with pytest.raises(
        MissingSettings, match="ALLOW_LOOPBACK_WEBHOOKS is 'yes', and may be true or false"
    ):
        Settings.from_environ(LOCAL | {"ALLOW_LOOPBACK_WEBHOOKS": "yes"})


def test_secrets_are_not_shown() -> None:
    settings = Settings.from_environ(
        LOCAL
        | {
            "STORAGE": "AccountKey=hidden",
            "SERVICE_BUS": "SharedAccessKey=hidden",
            "SERVICE_BUS_ADMIN": "SharedAccessKey=hidden",
            "EVENT_GRID_KEY": "hidden",
            "WEBHOOK_SIGNING_KEY": "hidden",
        }
    )

    assert "hidden" not in repr(settings)


def test_the_sample_holds_every_setting() -> None:
    sample = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]

    assert set(VARIABLES.values()) <= sample.keys()
    Settings.from_environ(sample)
