r"""Export Microsoft's Bicep types as compact JSON into `infra/schema`.

For whoever raises a pinned version. The types come out of packages of Microsoft's under the MIT
licence, without a network
or a login: `msmcp-azure` carries those of the Bicep compiler; for those that it only lists, the
models of `azure-mgmt-monitor` and `azure-mgmt-privatedns` tell names, types and what is required.
In a virtual environment of its own, since the app needs none of them:

    python -m venv /tmp/export
    /tmp/export/bin/pip install msmcp-azure==3.0.0 azure-mgmt-monitor==7.0.0 \
        azure-mgmt-privatedns==1.2.0
    /tmp/export/bin/python tests/infra/bicep/export.py /tmp/export/bin/azmcp infra/schema

A file holds one resource type:

    {"type": …, "apiVersion": …, "source": …, "body": OBJECT, "types": {NAME: OBJECT}}
    OBJECT     {"properties": {NAME: PROPERTY}, "others": TYPE}   `others` when any name is allowed
               {"by": NAME, "common": {…}, "cases": {VALUE: OBJECT}}   told apart by one property
    PROPERTY   [TYPE], or [TYPE, {"required": true, "readOnly": true, "minValue": 1, …}]
    TYPE       "string", "int", "bool", "any", "NAME", "NAME[]", or "Standard | Premium | string":
               values; when it ends so, Azure may take others too
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FROM_COMPILER = (
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.EventGrid/systemTopics",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions",
    "Microsoft.EventGrid/topics",
    "Microsoft.EventGrid/topics/eventSubscriptions",
    "Microsoft.Insights/components",
    "Microsoft.Insights/workbooks",
    "Microsoft.KeyVault/vaults",
    "Microsoft.KeyVault/vaults/secrets",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.OperationalInsights/workspaces",
    "Microsoft.Resources/resourceGroups",
    "Microsoft.ServiceBus/namespaces",
    "Microsoft.ServiceBus/namespaces/networkRuleSets",
    "Microsoft.ServiceBus/namespaces/queues",
    "Microsoft.ServiceBus/namespaces/topics",
    "Microsoft.ServiceBus/namespaces/topics/subscriptions",
    "Microsoft.ServiceBus/namespaces/topics/subscriptions/rules",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Storage/storageAccounts/managementPolicies",
    "Microsoft.Storage/storageAccounts/tableServices",
    "Microsoft.Storage/storageAccounts/tableServices/tables",
    "Microsoft.Web/serverfarms",
    "Microsoft.Web/sites",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
    "Microsoft.Web/sites/config",
)

FROM_MODELS = {
    "Microsoft.Insights/actionGroups": ("monitor", "ActionGroupResource", "2023-01-01"),
    "Microsoft.Insights/scheduledQueryRules": (
        "monitor",
        "ScheduledQueryRuleResource",
        "2023-12-01",
    ),
    "Microsoft.Network/privateDnsZones": ("privatedns", "PrivateZone", "2024-06-01"),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": (
        "privatedns",
        "VirtualNetworkLink",
        "2024-06-01",
    ),
}
"""The package, its class, and the version of the API that the class is of."""

_LIMITS = {"minValue", "maxValue", "minLength", "maxLength"}
_SIMPLE = {"str": "string", "int": "int", "long": "int", "bool": "bool", "duration": "string"}
# Bicep knows whole numbers only.
_SIMPLE |= {"iso-8601": "string", "rfc-1123": "string", "float": "int"}


def main(arguments: list[str]) -> int:
    """`export.py AZMCP FOLDER`: write a file for each type; 1 when one could not be had."""
    azmcp, folder = arguments[0], Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for kind in (*FROM_COMPILER, *FROM_MODELS):
        made = from_models(kind) if kind in FROM_MODELS else from_compiler(ask(azmcp, kind))
        if made is None:
            print(f"no type {kind}")
            failed = 1
            continue
        name = kind.replace("/", "_").lower() + ".json"
        text = json.dumps(made, separators=(",", ":"), sort_keys=True)
        (folder / name).write_text(text + "\n", encoding="utf-8")
        print(f"{kind}@{made['apiVersion']}: {len(made['types'])} types, {len(text)} characters")
    return failed


def ask(azmcp: str, kind: str) -> list[dict[str, Any]]:
    """What `azmcp` knows of a resource type; empty when nothing."""
    done = subprocess.run(
        [azmcp, "bicepschema", "get", "--resource-type", kind],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "AZURE_MCP_COLLECT_TELEMETRY": "false"},
    )
    try:
        found = json.loads(done.stdout)["results"]["BicepSchemaResult"]
    except (ValueError, KeyError, TypeError):
        return []
    return found if isinstance(found, list) else []


def from_compiler(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A type as the compiler knows it."""
    body: Mapping[str, Any] | None = None
    types: dict[str, Any] = {}
    for found in rows:
        if found["$type"] == "Resource":
            body = found
        elif found["$type"] in {"Object", "DiscriminatedObject"}:
            types[found["name"]] = _object(found)
    if body is None:
        return None
    name, version = body["name"].split("@")
    return _file(name, version, "msmcp-azure", _object(body["bodyType"]), types)


def _object(found: Mapping[str, Any]) -> dict[str, Any]:
    if found["$type"] == "DiscriminatedObject":
        cases = [_object(element) for element in found["elements"]]
        by = found.get("discriminator") or _discriminator(cases)
        return {
            "by": by,
            "common": _properties(found.get("baseProperties")),
            "cases": {case["properties"][by][0]: case for case in cases},
        }
    made: dict[str, Any] = {"properties": _properties(found.get("properties"))}
    if found.get("additionalPropertiesType"):
        made["others"] = found["additionalPropertiesType"]
    return made


def _discriminator(cases: list[dict[str, Any]]) -> str:
    """The required property that has another value in each case."""
    for name in cases[0]["properties"]:
        told = [case["properties"].get(name) for case in cases]
        required = all(one and len(one) > 1 and one[1].get("required") for one in told)
        if required and len({one[0] for one in told if one}) == len(cases):
            return str(name)
    message = f"no property tells apart {sorted(cases[0]['properties'])}"
    raise ValueError(message)


def _properties(found: Iterable[Mapping[str, Any]] | None) -> dict[str, Any]:
    made = {}
    for told in found or ():
        flags = (told.get("flags") or "").replace(" ", "").split(",")
        more: dict[str, Any] = {}
        if "Required" in flags:
            more["required"] = True
        if "ReadOnly" in flags:
            more["readOnly"] = True
        for name, value in re.findall(r"(\w+): (-?\d+)", told.get("modifiers") or ""):
            if name in _LIMITS:
                more[name] = int(value)
        made[told["name"]] = [told["type"], more] if more else [told["type"]]
    return made


def from_models(kind: str) -> dict[str, Any] | None:
    """A type as the classes of a management package tell it; without values of enumerations."""
    package, name, version = FROM_MODELS[kind]
    models = importlib.import_module(f"azure.mgmt.{package}.models")
    types: dict[str, Any] = {}
    body = _model(models, getattr(models, name), types)
    for given in ("id", "type", "systemData", "etag"):
        if given in body["properties"]:
            body["properties"][given] = ["string", {"readOnly": True}]
    body["properties"]["name"] = ["string", {"required": True}]
    return _file(kind, version, f"azure-mgmt-{package}", body, types)


def _model(models: Any, model: Any, types: dict[str, Any]) -> dict[str, Any]:
    root: dict[str, Any] = {"properties": {}}
    for attribute, told in model._attribute_map.items():
        *outer, last = re.split(r"(?<!\\)\.", told["key"])
        node = root
        for part in outer:
            inner = f"{model.__name__}.{part}"
            node["properties"].setdefault(part, [inner])
            node = types.setdefault(inner, {"properties": {}})
        rules = model._validation.get(attribute, {})
        more = {
            flag: True
            for flag, rule in (("required", "required"), ("readOnly", "readonly"))
            if rules.get(rule)
        }
        kind = _model_type(models, told["type"], types)
        node["properties"][last.replace("\\.", ".")] = [kind, more] if more else [kind]
    return root


def _model_type(models: Any, told: str, types: dict[str, Any]) -> str:
    if told.startswith("["):
        return _model_type(models, told[1:-1], types) + "[]"
    if told in _SIMPLE:
        return _SIMPLE[told]
    found = getattr(models, told, None)
    if found is None or not hasattr(found, "_attribute_map"):
        return "string" if told[:1].isupper() else "any"
    if told not in types:
        types[told] = {}
        types[told] = _model(models, found, types)
    return told


def _file(
    kind: str, version: str, source: str, body: dict[str, Any], types: dict[str, Any]
) -> dict[str, Any]:
    reached: set[str] = set()
    _reach(body, types, reached)
    kept = {name: types[name] for name in reached}
    return {"type": kind, "apiVersion": version, "source": source, "body": body, "types": kept}


def _reach(part: Mapping[str, Any], types: Mapping[str, Any], reached: set[str]) -> None:
    """Collect the types that `part` leads to."""
    groups = [part.get("properties", {}), part.get("common", {})]
    told = [one[0] for group in groups for one in group.values()]
    told.append(part.get("others", "any"))
    for name in (one.removesuffix("[]") for one in told):
        if name in types and name not in reached:
            reached.add(name)
            _reach(types[name], types, reached)
    for case in part.get("cases", {}).values():
        _reach(case, types, reached)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
