"""All that is checked of the Bicep files, over deployments that between them use every part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.infra.bicep.expansion import expand
from tests.infra.bicep.limits import check_limits
from tests.infra.bicep.names import check_names
from tests.infra.bicep.plan import Plan, Sources
from tests.infra.bicep.rules import check_rules
from tests.infra.bicep.schema import Schemas
from tests.infra.bicep.tree import BicepError, File, Problem

INFRA = Path(__file__).parents[3] / "infra"
_OLD = "/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/old"


def _old(resource: str) -> str:
    return f"{_OLD}/providers/{resource}"


_GROUP = [{"id": "11111111-0000-0000-0000-000000000000", "type": "Group"}]
_MAIN = {"environmentName": "dev", "location": "westeurope", "owner": "platform"}
_APP = "22222222-0000-0000-0000-000000000000"
_FILTERED = {
    "Name": "product-events",
    "Properties": {
        "DefaultMessageTimeToLive": "P14D",
        "RequiresDuplicateDetection": True,
        "DuplicateDetectionHistoryTimeWindow": "PT10M",
    },
    "Subscriptions": [
        {
            "Name": "geo-only",
            "Properties": {
                "LockDuration": "PT1M",
                "MaxDeliveryCount": 10,
                "DefaultMessageTimeToLive": "P14D",
                "DeadLetteringOnMessageExpiration": True,
                "RequiresSession": False,
            },
            "Rules": [
                {
                    "Name": "by-sql",
                    "Properties": {
                        "FilterType": "Sql",
                        "SqlFilter": {"SqlExpression": "domain = 'geo'"},
                    },
                },
                {
                    "Name": "by-value",
                    "Properties": {
                        "FilterType": "Correlation",
                        "CorrelationFilter": {"Properties": {"domain": "geo"}},
                    },
                },
            ],
        }
    ],
}
_GEO = {"name": "geo", "owner": "maps", "producers": _GROUP, "consumers": _GROUP}


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A file, deployed with some parameters.

    Attributes:
        entities: what stands in for `service-bus.json`; None for itself.
    """

    name: str
    file: str
    given: Mapping[str, Any]
    entities: Mapping[str, Any] | None = None

    @property
    def is_private(self) -> bool:
        return self.given.get("networkMode") == "private_endpoint"


SCENARIOS = (
    Scenario(
        name="public",
        file="main.bicep",
        given={
            **_MAIN,
            "apiClientId": "an-api",
            "domains": [
                _GEO,
                {
                    "name": "market-data",
                    "owner": "trading",
                    "products": ["prices", "holidays"],
                    "storageAccountId": _old("Microsoft.Storage/storageAccounts/oldlake"),
                    "systemTopicName": "oldlake-events",
                },
            ],
            "sharedDomains": ["weather"],
            "producers": _GROUP,
            "consumers": _GROUP,
            "alertEmails": ["ops@example.com"],
            "alwaysReady": 1,
        },
    ),
    Scenario(
        name="private",
        file="main.bicep",
        given={
            **_MAIN,
            "networkMode": "private_endpoint",
            "domains": [{**_GEO, "location": "northeurope"}],
            "privateApi": True,
            "webhookOrigin": "mesh.example.com",
        },
    ),
    Scenario(
        name="brownfield",
        file="main.bicep",
        given={
            **_MAIN,
            "networkMode": "private_endpoint",
            "domains": [_GEO],
            "adopted": {
                "workspaceId": _old("Microsoft.OperationalInsights/workspaces/logs"),
                "serviceBusNamespaceId": _old("Microsoft.ServiceBus/namespaces/oldbus"),
                "keyVaultId": _old("Microsoft.KeyVault/vaults/oldvault"),
                "appSubnetId": _old("Microsoft.Network/virtualNetworks/n/subnets/app"),
                "endpointSubnetId": _old("Microsoft.Network/virtualNetworks/n/subnets/e"),
                "dnsZonesResourceGroupId": _OLD,
            },
        },
    ),
    Scenario(
        name="hub alone",
        file="modules/hub.bicep",
        given={
            "environmentName": "dev",
            "owner": "platform",
            "token": "abcdefghijklm",
            "runbook": "https://wiki.example/runbook",
        },
    ),
    Scenario(
        name="node alone",
        file="modules/node.bicep",
        given={
            "domain": "geo",
            "owner": "maps",
            "accountName": "stgeo",
            "namespaceId": _old("Microsoft.ServiceBus/namespaces/bus"),
            "appPrincipalId": _APP,
            "workspaceId": _old("Microsoft.OperationalInsights/workspaces/logs"),
            "producers": _GROUP,
        },
    ),
    Scenario(
        name="rules",
        file="modules/service-bus-entities.bicep",
        given={"namespaceName": "bus-of-mesh", "appPrincipalId": _APP, "workspaceId": "logs"},
        entities={"UserConfig": {"Namespaces": [{"Queues": [], "Topics": [_FILTERED]}]}},
    ),
    Scenario(
        name="signing key",
        file="signing-key.bicep",
        given={"vaultName": "vault", "secretName": "key", "value": "c2VjcmV0"},
    ),
)


@cache
def schemas() -> Schemas:
    return Schemas.read(INFRA / "schema")


@cache
def sources() -> Sources:
    return Sources()


@cache
def plan(scenario: str) -> Plan:
    """One of the scenarios, expanded."""
    return _expand(INFRA, _scenario(scenario), sources())


def plan_with(scenario: str, name: str, before: str, after: str) -> Plan:
    """The same, were a file's text another in one place: a planted mistake."""
    text = (INFRA / name).read_text(encoding="utf-8")
    assert before in text, f"{name} has no {before!r}"
    read = sources().replacing(INFRA / name, text.replace(before, after).encode())
    return _expand(INFRA, _scenario(scenario), read)


def _scenario(name: str) -> Scenario:
    return next(one for one in SCENARIOS if one.name == name)


def bicep_files() -> list[Path]:
    return sorted(INFRA.rglob("*.bicep"))


def check(infra: Path = INFRA, *, read: Sources | None = None) -> list[Problem]:
    """Everything that is wrong with the files in a folder, or in what stands in for them."""
    read = read or Sources()
    problems = _static(infra, read) or _expanded(infra, read)
    return list({str(problem): problem for problem in problems}.values())


def _expand(infra: Path, scenario: Scenario, read: Sources) -> Plan:
    if scenario.entities is not None:
        text = json.dumps(scenario.entities).encode()
        read = read.replacing(infra / "service-bus.json", text)
    return expand(infra / scenario.file, scenario.given, schemas=schemas(), sources=read)


def _static(infra: Path, read: Sources) -> list[Problem]:
    problems: list[Problem] = []
    for path in sorted(infra.rglob("*.bicep")):

        def module(target: str, path: Path = path) -> File | None:
            try:
                return read.file(path.parent / target)
            except (OSError, BicepError):
                return None

        try:
            problems += check_names(read.file(path), module)
        except BicepError as wrong:
            problems.append(wrong.problem)
    return problems


def _expanded(infra: Path, read: Sources) -> list[Problem]:
    problems: list[Problem] = []
    for scenario in SCENARIOS:
        made = _expand(infra, scenario, read)
        problems += made.problems
        if made.problems:
            return problems  # what rests on something wrong is not worth telling
        for resource in made.deployed():
            problems += check_limits(resource)
            problems += check_rules(resource, schemas(), is_private=scenario.is_private)
    return problems
