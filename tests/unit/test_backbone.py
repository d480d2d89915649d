from __future__ import annotations

import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import mesh
from mesh import memory
from mesh.azure.clients import Clients
from mesh.backbone import Backbone, backbone, in_memory, on_azure, replace_backbone
from mesh.errors import Rejected
from mesh.model.delivery import DeliveryAttempt
from mesh.model.policy import Policy
from mesh.settings import MissingSettings, Settings
from tests.unit.test_settings import AZURE, LOCAL

ROOT = Path(__file__).parents[2]
KEY = "a" * 43 + "="


@pytest.fixture
def azure_settings() -> Settings:
    return Settings.from_environ(AZURE | {"WEBHOOK_SIGNING_KEY": KEY})


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with the settings of a local Azure that is not running."""
    for name, value in (LOCAL | {"WEBHOOK_SIGNING_KEY": KEY}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("mesh.backbone._current", None)
    return monkeypatch


@pytest.mark.usefixtures("environ")
def test_there_is_one_backbone_per_process() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: backbone(), range(32)))

    assert all(one is made[0] for one in made)
    assert made[0].now().tzinfo is UTC


def test_a_backbone_needs_its_settings(environ: pytest.MonkeyPatch) -> None:
    environ.delenv("STORAGE")

    with pytest.raises(MissingSettings, match="STORAGE or STORAGE__accountName is missing"):
        backbone()


def test_a_backbone_needs_a_signing_key_that_can_be_read(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("WEBHOOK_SIGNING_KEY", "short")

    with pytest.raises(ValueError, match="WEBHOOK_SIGNING_KEY: key 1 is not base64"):
        backbone()


@pytest.mark.usefixtures("environ")
def test_a_replacement_stands_in_for_a_while() -> None:
    real, other = backbone(), in_memory()

    with replace_backbone(other) as inner:
        assert inner is other
        assert backbone() is other
        with pytest.raises(ZeroDivisionError), replace_backbone(in_memory()):
            raise ZeroDivisionError
        assert backbone() is other

    assert backbone() is real


def test_in_memory_everything_is_fresh_and_can_be_replaced() -> None:
    first, second = in_memory(), in_memory(now=lambda: datetime(2026, 11, 22, tzinfo=UTC))

    for field in fields(Backbone):
        if field.name not in {"signing", "policy", "easy_auth"}:
            assert getattr(first, field.name) is not getattr(second, field.name), field.name
    assert second.now() == datetime(2026, 11, 22, tzinfo=UTC)
    topic = memory.Topic()
    assert replace(first, topic=topic).topic is topic


def test_the_policy_is_the_one_at_the_root() -> None:
    declared = json.loads((ROOT / "policy.json").read_text())
    seconds = declared["notifications"]["schedule_seconds"]

    assert in_memory().policy.schedule == tuple(timedelta(seconds=pause) for pause in seconds)


@pytest.mark.parametrize(
    "wrong",
    [{"quick_seconds": 0}, {"quick_seconds": 21}, {"at_once_per_subscriber": 0}],
)
def test_a_policy_without_time_or_places_is_none(wrong: dict[str, int]) -> None:
    declared = json.loads((ROOT / "policy.json").read_text())
    declared["notifications"] |= wrong

    with pytest.raises(ValueError, match="notifications needs 0 < quick_seconds ≤ patient_seconds"):
        Policy.from_data(declared)


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, mesh.backbone, mesh.ports, mesh.memory; "
        "heavy = ('azure', 'requests', 'httpx', 'httpcore', 'jsonschema', 'msgspec', 'yaml'); "
        "print([name for name in sys.modules if name.partition('.')[0] in heavy])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_the_version_is_that_of_the_package() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert mesh.__version__ == project["version"]


def test_azure_is_reached_by_name_and_identity(azure_settings: Settings) -> None:
    from azure.identity import DefaultAzureCredential

    clients = Clients(azure_settings)

    assert clients.blobs().url == "https://meshstore.blob.core.windows.net/"
    assert clients.table("record").url == "https://meshstore.table.core.windows.net"
    assert isinstance(clients.blobs().credential, DefaultAzureCredential)
    namespace = "mesh.servicebus.windows.net"
    assert clients._service_bus().fully_qualified_namespace == namespace
    assert clients.administration().fully_qualified_namespace == namespace
    assert clients.topic() is clients.topic()
    clients.close()


def test_development_storage_is_understood() -> None:
    clients = Clients(Settings.from_environ(LOCAL | {"WEBHOOK_SIGNING_KEY": KEY}))
    storage = on_azure(clients.settings, clients=clients).storage

    assert storage.url("landing/x") == "http://127.0.0.1:10000/devstoreaccount1/landing/x"
    assert clients.table("record").url == "http://127.0.0.1:10002/devstoreaccount1"
    clients.close()


@pytest.mark.parametrize(
    ("setting", "variable", "use"),
    [
        ("storage", "STORAGE", lambda clients: clients.table("record")),
        ("storage", "STORAGE", lambda clients: clients.blobs()),
        ("service_bus", "SERVICE_BUS", lambda clients: clients._service_bus()),
        ("service_bus", "SERVICE_BUS", lambda clients: clients.administration()),
        ("service_bus_admin", "SERVICE_BUS_ADMIN", lambda clients: clients.administration()),
    ],
)
def test_a_connection_string_that_is_none_is_named_and_not_shown(
    azure_settings: Settings, setting: str, variable: str, use
) -> None:
    clients = Clients(replace(azure_settings, **{setting: "hidden"}))

    with pytest.raises(MissingSettings, match=f"^{variable} is no connection string") as refused:
        use(clients)
    assert "hidden" not in str(refused.value)


def test_closing_twice_is_closing_once(azure_settings: Settings) -> None:
    clients = Clients(azure_settings)
    clients.blobs()

    clients.close()
    clients.close()

    assert clients.blobs().account_name == "meshstore"
    clients.close()


def test_the_sdk_s_chatter_is_off_unless_somebody_asked_for_it(azure_settings: Settings) -> None:
    quiet = logging.getLogger("azure.core.pipeline.policies.http_logging_policy")
    asked = logging.getLogger("azure.identity")
    before = (quiet.level, asked.level)
    try:
        quiet.setLevel(logging.NOTSET)
        asked.setLevel(logging.DEBUG)
        Clients(azure_settings)
        assert (quiet.level, asked.level) == (logging.WARNING, logging.DEBUG)
    finally:
        quiet.setLevel(before[0])
        asked.setLevel(before[1])


def test_receivers_in_memory_answer_what_they_are_told_to() -> None:
    webhooks = memory.Webhooks()
    failed = DeliveryAttempt(outcome="retry", status=500, reason="500", duration_s=0.1)
    webhooks.answers.append(failed)
    webhooks.unwilling.add("https://no.example/")

    sent = {
        "url": "https://yes.example/",
        "body": b"{}",
        "headers": {"webhook-id": "msg_1"},
        "limit": timedelta(seconds=5),
    }
    outcomes = [webhooks.deliver(**sent).outcome for _ in range(2)]  # type: ignore[arg-type]

    assert outcomes == ["retry", "delivered"]
    assert [request.headers["webhook-id"] for request in webhooks.requests] == ["msg_1", "msg_1"]
    webhooks.verify("https://yes.example/")
    with pytest.raises(Rejected, match=r"https://no\.example/ does not want our notifications"):
        webhooks.verify("https://no.example/")
