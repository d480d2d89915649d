"""Where things are deployed: ids, scopes, and the functions that depend on them."""

from __future__ import annotations

from typing import Any

from tests.infra.bicep.functions import WrongArguments
from tests.infra.bicep.tree import BicepError, File, Place
from tests.infra.bicep.values import is_runtime


def identity(scope: str, kind: str, name: str) -> str:
    """The id of a resource within a scope."""
    if kind == "Microsoft.Resources/resourceGroups":
        return f"{scope}/resourceGroups/{name}"
    space, *kinds = kind.split("/")
    pairs = "/".join(f"{one}/{part}" for one, part in zip(kinds, name.split("/"), strict=False))
    return f"{scope}/providers/{space}/{pairs}"


def place_function(scope: str, name: str, arguments: list[Any]) -> Any:
    """What a function gives in a scope; NotImplemented when it does not depend on one."""
    parts = scope.split("/")
    subscription = {"id": "/".join(parts[:3]), "subscriptionId": parts[2]}
    if name == "subscription":
        return subscription
    if name == "resourceGroup":
        if arguments:
            subscription_id, group = [subscription["subscriptionId"], *arguments][-2:]
            if not group or not subscription_id:
                raise WrongArguments("a resource group without a name")
            named = f"/subscriptions/{subscription_id}/resourceGroups/{group}"
            return {"id": named, "name": group}
        if len(parts) < 5:
            raise WrongArguments("there is none around a subscription's deployment")
        return {"id": scope, "name": parts[4], "location": "westeurope"}
    if name == "resourceId":
        kind, *names = arguments
        return identity(scope, str(kind), "/".join(names))
    return NotImplemented


def scope_of(found: Any, place: Place) -> str:
    """The scope that a resource group or subscription stands for.

    Raises:
        BicepError: it is none, or not known before the deployment.
    """
    named = found.get("id") if isinstance(found, dict) else getattr(found, "id", None)
    if not isinstance(named, str):
        raise BicepError("type", "the scope is no resource group", place)
    if is_runtime(named):
        raise BicepError("runtime", "the scope is known too late", place)
    return named


def check_scope(file: File, scope: str, place: Place) -> None:
    """Hold a scope to what a file is written for.

    Raises:
        BicepError: it is for another kind of scope.
    """
    wanted = 5 if file.scope == "resourceGroup" else 3
    if len(scope.split("/")) != wanted:
        text = f"{file.path.name} is for a {file.scope}, not for {scope}"
        raise BicepError("scope", text, place)
