"""The Bicep files are right, as far as can be known without Azure; and this would notice if not."""

from __future__ import annotations

import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from mesh.documents import read_document
from mesh.schemas import findings
from tests.infra.bicep.checking import INFRA, SCENARIOS, bicep_files, check, plan, schemas, sources
from tests.infra.bicep.mutants import mutants
from tests.infra.bicep.parameters import parameters_of
from tests.infra.bicep.plan import Sources
from tests.thorough import THOROUGH

FLOORS = {
    "name misspelt": 1.0,
    "member misspelt": 0.99,
    "property misspelt": 0.98,
    "text for a switch": 1.0,
    "text for a number": 0.9,
    "number for a text": 0.90,
}
"""The least share of mutants that must be noticed."""

EVERY = 1 if THOROUGH else 24
"""Of all mutants, one in so many is tried."""


def test_nothing_is_wrong() -> None:
    assert [str(problem) for problem in check()] == []


def test_the_module_of_a_node_is_described_as_it_is() -> None:
    """Its description as a template names each parameter, and which have to be given."""
    described = read_document("t.yaml", (INFRA / "domain-node.template.yaml").read_bytes())

    assert isinstance(described, dict)
    assert findings(described, "requests/template.v1") == ()
    assert (INFRA.parent / described["source"]).is_file()
    told = {name: one.get("required", False) for name, one in described["parameters"].items()}
    assert told == parameters_of(sources().file(INFRA / "modules" / "node.bicep"))


def test_every_declaration_is_deployed_by_some_scenario() -> None:
    """What no scenario deploys, none of the other tests has looked at."""
    seen = set().union(*(plan(scenario.name).seen for scenario in SCENARIOS))
    declared = {
        (path, one.name)
        for path in bicep_files()
        for one in sources().file(path).of("resource", "module")
        if not one.is_existing
    }

    assert declared - seen == set()


def test_rules_of_subscriptions_become_filters() -> None:
    rules = plan("rules").deployed("Microsoft.ServiceBus/namespaces/topics/subscriptions/rules")

    assert {rule.name: rule.body["properties"] for rule in rules} == {
        "bus-of-mesh/product-events/geo-only/by-sql": {
            "filterType": "SqlFilter",
            "sqlFilter": {"sqlExpression": "domain = 'geo'"},
            "correlationFilter": None,
        },
        "bus-of-mesh/product-events/geo-only/by-value": {
            "filterType": "CorrelationFilter",
            "sqlFilter": None,
            "correlationFilter": {"properties": {"domain": "geo"}},
        },
    }


PLANTED = {
    "syntax": ("main.bicep", "param location string", "param location string = ="),
    "name": ("main.bicep", "name: 'rg-${environmentName}-hub'", "name: 'rg-${environment}-hub'"),
    "function": ("main.bicep", "uniqueString(", "uniqeString("),
    "duplicate": ("main.bicep", "param owner string", "param owner string\nparam owner string"),
    "unused": ("main.bicep", "param owner string", "param owner string\nparam other string = ''"),
    "keys": (
        "modules/event-topic.bicep",
        "output id string = topic.id",
        "output id string = topic.listKeys().key1",
    ),
    "kind": (
        "modules/key-vault.bicep",
        "Microsoft.KeyVault/vaults@",
        "Microsoft.KeyVault/vault@",
    ),
    "version": ("modules/key-vault.bicep", "@2024-11-01", "@2019-09-01"),
    "property": ("modules/key-vault.bicep", "enableSoftDelete:", "enableSoftdelete:"),
    "missing": ("modules/key-vault.bicep", "    tenantId: tenant().tenantId\n", ""),
    "read-only": (
        "modules/key-vault.bicep",
        "tenantId: tenant().tenantId",
        "tenantId: tenant().tenantId\n    hsmPoolResourceId: 'x'",
    ),
    "type": (
        "modules/key-vault.bicep",
        "softDeleteRetentionInDays: 90",
        "softDeleteRetentionInDays: '90'",
    ),
    "choice": ("modules/storage-account.bicep", "'TLS1_2'", "'TLS12'"),
    "discriminator": ("event-grid.json", '"ServiceBusQueue"', '"ServiceBusTopik"'),
    "parameter": ("main.bicep", "    owner: domain.owner\n", ""),
    "output": (
        "main.bicep",
        "'https://${hub.outputs.appHostName}'",
        "'https://${hub.outputs.appHost}'",
    ),
    "file": ("modules/hub.bicep", "'registry.bicep'", "'registrar.bicep'"),
    "scope": ("main.bicep", "  scope: hubGroup\n", ""),
    "runtime": (
        "modules/monitoring.bicep",
        "name: 'appi-${name}'",
        "name: 'appi-${workspace.properties.customerId}'",
    ),
    "cycle": ("main.bicep", "var token = ", "var token = token == '' ? '' : "),
    "member": ("service-bus.json", '"LockDuration"', '"LockDurations"'),
    "segments": (
        "modules/service-bus-entities.bicep",
        "'${namespaceName}/${subscription.topic}/${subscription.name}'",
        "'${subscription.topic}/${subscription.name}'",
    ),
    "limit": ("service-bus.json", '"LockDuration": "PT1M"', '"LockDuration": "PT6M"'),
    "identity": (
        "modules/storage-account.bicep",
        "allowSharedKeyAccess: false",
        "allowSharedKeyAccess: true",
    ),
    "network": (
        "modules/event-topic.bicep",
        "networkMode == 'private_endpoint' ? 'Disabled' : 'Enabled'",
        "networkMode == 'private' ? 'Disabled' : 'Enabled'",
    ),
    "tags": ("modules/network.bicep", "  tags: tags\n", ""),
    "undeployed": (
        "modules/monitoring.bicep",
        "output workspaceId string = empty(workspaceId) ? workspace.id : workspaceId",
        "output workspaceId string = workspace.properties.customerId",
    ),
    "index": ("modules/event-topic.bicep", ".topics[0]", ".topics[1]"),
    "argument": ("main.bicep", "replace(domain.name, '-', '')", "replace(domain.name, 7, '')"),
}
"""One mistake of each kind: in which file, and what becomes what."""


@pytest.mark.parametrize("code", PLANTED)
def test_a_planted_mistake_is_noticed(code: str, tmp_path: Path) -> None:
    copied = tmp_path / "infra"
    shutil.copytree(INFRA, copied)
    name, before, after = PLANTED[code]
    text = (copied / name).read_text(encoding="utf-8")
    assert before in text
    (copied / name).write_text(text.replace(before, after, 1), encoding="utf-8")

    assert code in {problem.code for problem in check(copied)}


def test_most_mistakes_would_be_noticed() -> None:
    read = Sources()
    assert check(read=read) == []
    tried: Counter[str] = Counter()
    missed: defaultdict[str, list[str]] = defaultdict(list)
    everything = sorted(
        (mutant for path in bicep_files() for mutant in mutants(path)), key=lambda one: one.kind
    )
    rare = [mutant for mutant in everything if mutant.kind == "text for a number"]
    for mutant in [*everything[::EVERY], *rare]:
        tried[mutant.kind] += 1
        if not check(read=read.replacing(mutant.file, mutant.text)):
            missed[mutant.kind].append(f"{mutant.file.name}:{mutant.line} {mutant.was}")

    assert set(tried) == set(FLOORS)
    shares = {kind: 1 - len(missed[kind]) / count for kind, count in tried.items()}
    below = {kind: missed[kind] for kind, share in shares.items() if share < FLOORS[kind]}
    assert not below, (shares, below)


def test_each_role_assignment_says_why() -> None:
    for path in bicep_files():
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if "Microsoft.Authorization/roleAssignments@" in line:
                assert re.match(r"// \S", lines[number - 1]), f"{path.name}:{number + 1}"


def test_roles_come_from_one_list() -> None:
    guid = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
    written = [path for path in bicep_files() if guid.search(path.read_text(encoding="utf-8"))]

    assert written == []


def test_pinned_versions_are_the_exported_ones() -> None:
    used = {
        str(one.target).partition("@")[::2]
        for path in bicep_files()
        for one in sources().file(path).of("resource")
    }
    assert {kind for kind, version in used if schemas().version(kind) != version} == set()
