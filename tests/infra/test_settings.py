"""Settings: what the app reads, what Bicep sets, what the sample shows and the page explains."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mesh.model.entitlement import OPEN
from mesh.schemas import openapi
from mesh.settings import VARIABLES, MissingSettings, Settings
from tests.infra.bicep.checking import plan, plan_with, sources
from tests.infra.entities import ROOT

SAMPLE = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def deployed(scenario: str = "public") -> dict[str, Any]:
    return plan(scenario).config("appsettings")


def explained(heading: str) -> dict[str, tuple[str, str]]:
    """The rows of the table under a heading of the page: name → (in Azure, locally)."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \| (yes|no) \|", section, re.MULTILINE)
    return {name: (azure, local) for name, azure, local in rows}


def names(table: dict[str, tuple[str, str]], column: int) -> set[str]:
    return {name for name, told in table.items() if told[column] == "yes"}


def test_the_page_explains_each_setting_of_the_app() -> None:
    assert set(explained("What the app reads")) == set(VARIABLES.values())


def test_bicep_sets_what_the_page_says() -> None:
    app, host = explained("What the app reads"), explained("What its surroundings read")

    assert set(deployed()) == names(app, 0) | names(host, 0)


def test_a_misspelt_setting_would_be_noticed() -> None:
    file, right, wrong = "modules/function-app.bicep", "WEBHOOK_ORIGIN", "WEBHOOK_ORIGINS"
    planted = plan_with("public", file, f"{right}:", f"{wrong}:").config("appsettings")

    assert set(planted) ^ set(deployed()) == {right, wrong}
    with pytest.raises(MissingSettings, match=right):
        Settings.from_environ({name: str(value) for name, value in planted.items()})


def test_the_sample_shows_what_the_page_says() -> None:
    app, host = explained("What the app reads"), explained("What its surroundings read")

    # The sample names every setting of the app, so that one can see what there is.
    assert set(SAMPLE) == set(app) | names(host, 1)


def test_the_local_azure_sets_what_the_page_says() -> None:
    app, host = explained("What the app reads"), explained("What its surroundings read")
    local = json.loads((ROOT / "infra" / "local.json").read_text())["settings"]

    assert set(local) == names(app, 1) | names(host, 1)


def test_an_app_in_azure_can_start_with_its_settings() -> None:
    settings = Settings.from_environ({name: str(value) for name, value in deployed().items()})

    assert settings.storage == settings.service_bus == settings.event_grid_key == ""
    assert settings.storage_account.startswith("stmesh")
    assert set(settings.storage_of_domains) == {"geo", "market-data"}
    assert settings.storage_of_domains["market-data"] == "oldlake"
    assert settings.allow_loopback_webhooks is False


def test_no_setting_in_azure_holds_a_secret() -> None:
    secret = re.compile(r"AccountKey=|SharedAccessKey=|[?&]sig=|^[A-Za-z0-9+/]{40,}=*$")
    held = {name: str(value) for name, value in deployed().items()}

    assert [name for name, value in held.items() if secret.search(value)] == []
    assert held["WEBHOOK_SIGNING_KEY"].startswith("@Microsoft.KeyVault(SecretUri=")
    assert secret.search("DefaultEndpointsProtocol=https;AccountKey=abc")


def test_the_vault_holds_the_key_under_the_name_that_is_asked_for() -> None:
    hook = (ROOT / "infra" / "hooks" / "signing-key.sh").read_text(encoding="utf-8")
    asked = deployed()["WEBHOOK_SIGNING_KEY"]

    assert asked.endswith(f"secrets/{plan('public').outputs['MESH_SIGNING_KEY_NAME']})")
    for output in re.findall(r"\$\{(MESH_\w+)", hook):
        assert output in plan("public").outputs


def test_identities_are_believed_only_where_they_are_checked() -> None:
    for scenario in ("public", "private"):
        on = plan(scenario).config("authsettingsV2")["platform"]["enabled"]
        assert deployed(scenario)["EASY_AUTH"] == ("true" if on else "false")

    assert deployed("public")["EASY_AUTH"] == "true"
    assert deployed("private")["EASY_AUTH"] == "false"  # it has no app registration yet


def test_identities_are_believed_only_once_they_are_checked() -> None:
    declared = sources().file(ROOT / "infra" / "modules" / "function-app.bicep").of("resource")
    [settings] = [one for one in declared if one.name == "settings"]
    awaited = settings.body.members["dependsOn"]

    assert "signIn" in {node.value for node in awaited.walk() if node.kind == "name"}


def test_only_what_takes_no_identity_is_reached_without_a_token() -> None:
    checked = plan("public").config("authsettingsV2")
    rules, entra = checked["globalValidation"], checked["identityProviders"]["azureActiveDirectory"]

    assert rules["requireAuthentication"] is True
    assert rules["unauthenticatedClientAction"] == "Return401"
    paths = {operation["get"]["operationId"]: f"/api{path}"
             for path, operation in openapi()["paths"].items() if "get" in operation}  # fmt: skip
    assert set(rules["excludedPaths"]) == {paths[operation] for operation in OPEN}
    assert entra["registration"]["openIdIssuer"].startswith("https://login.microsoftonline.com/")
    assert entra["validation"]["allowedAudiences"] == ["an-api", "api://an-api"]
    assert checked["httpSettings"]["requireHttps"] is True
