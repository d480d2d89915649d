"""The project's own rules for what it deploys: identities only, private when asked, tagged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.infra.bicep.schema import Schemas
from tests.infra.bicep.tree import Problem
from tests.infra.bicep.values import Resource

TAGS = ("mesh-domain", "mesh-owner", "mesh-product")

MUST: Mapping[str, Mapping[str, object]] = {
    "Microsoft.Storage/storageAccounts": {
        "allowSharedKeyAccess": False,
        "allowBlobPublicAccess": False,
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
    },
    "Microsoft.ServiceBus/namespaces": {"disableLocalAuth": True, "minimumTlsVersion": "1.2"},
    "Microsoft.EventGrid/topics": {"disableLocalAuth": True, "minimumTlsVersionAllowed": "1.2"},
    "Microsoft.Insights/components": {"DisableLocalAuth": True},
    "Microsoft.OperationalInsights/workspaces": {"features.disableLocalAuth": True},
    "Microsoft.KeyVault/vaults": {"enableRbacAuthorization": True, "enablePurgeProtection": True},
    "Microsoft.Web/sites": {"httpsOnly": True, "siteConfig.minTlsVersion": "1.2"},
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"allow": False},
}
"""What must be said, for the default is another, or has been."""

PRIVATE = {
    "Microsoft.Storage/storageAccounts",
    "Microsoft.ServiceBus/namespaces",
    "Microsoft.EventGrid/topics",
    "Microsoft.KeyVault/vaults",
}
"""What is not on the internet in network mode `private_endpoint`."""


def check_rules(resource: Resource, schemas: Schemas, *, is_private: bool) -> Iterator[Problem]:
    """What is against the rules in a resource that is made."""
    for path, wanted in MUST.get(resource.kind, {}).items():
        if _property(resource, path) != wanted:
            yield _problem(resource, "identity", f"{path} must be {wanted!r}")
    if _property(resource, "publicAccess") not in {None, "None"}:
        yield _problem(resource, "identity", "no blob is for everybody")
    is_open = _property(resource, "publicNetworkAccess") != "Disabled"
    if is_private and is_open and resource.kind in PRIVATE:
        yield _problem(resource, "network", "publicNetworkAccess must be 'Disabled'")
    tags = resource.body.get("tags") or {}
    missing = [tag for tag in TAGS if tag not in tags]
    if schemas.has_property(resource.kind, "tags") and _is_top(resource) and missing:
        yield _problem(resource, "tags", f"the tags {', '.join(missing)} are missing")


def _is_top(resource: Resource) -> bool:
    """Whether it is billed, found and owned as one thing, rather than part of another."""
    return resource.kind.count("/") == 1


def _property(resource: Resource, path: str) -> Any:
    value: Any = resource.body.get("properties")
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _problem(resource: Resource, code: str, text: str) -> Problem:
    return Problem(code=code, text=f"{resource.name}: {text}", place=resource.place)
