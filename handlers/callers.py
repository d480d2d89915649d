"""Who calls: the headers in which App Service authentication ("Easy Auth") tells of a principal.

https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
It removes such headers from what comes from outside. Where it is not on, they are not believed.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import azure.functions as func

from mesh import entitlement
from mesh.backbone import backbone
from mesh.entitlement import Call
from mesh.model.entitlement import OPEN
from mesh.model.principal import Caller, Principal

_SCHEMA = "http://schemas.microsoft.com/identity/claims/"
_OBJECT_ID = ("oid", f"{_SCHEMA}objectidentifier")
_APP = ("azp", "appid")
_ROLES = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
_GROUPS = ("groups", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups")


def caller(req: func.HttpRequest) -> Caller:
    """Who calls, and what they may do.

    Raises:
        Rejected: nobody says who they are, or nobody has checked it.
    """
    return entitlement.identify(backbone(), principal(req.headers))


def admit(req: func.HttpRequest, operation: str) -> None:
    """Let a call through that its rule allows.

    Raises:
        Rejected: the rule does not, or the caller says not who they are.
        NotFound: what the call is about does not exist.
    """
    if operation in OPEN:
        return
    call = Call(operation=operation, parts=dict(req.route_params), body=req.get_body())
    entitlement.check(backbone(), caller(req), call)


def principal(headers: Mapping[str, str]) -> Principal | None:
    """The principal that the headers tell of; None when there is none, or it cannot be read."""
    try:
        told = json.loads(base64.b64decode(headers.get("x-ms-client-principal", ""), validate=True))
        claims = [(str(claim["typ"]), str(claim["val"])) for claim in told["claims"]]
    except (ValueError, KeyError, TypeError):
        return None
    identity = _first(claims, _OBJECT_ID)
    if not identity or told.get("auth_typ") != "aad":
        return None
    app = _first(claims, _APP)
    return Principal(
        id=identity,
        name=headers.get("x-ms-client-principal-name") or app or identity,
        app=app,
        groups=_all(claims, _GROUPS),
        app_roles=_all(claims, (*_ROLES, _text(told, "role_typ"))),
    )


def _first(claims: list[tuple[str, str]], kinds: tuple[str, ...]) -> str:
    return next((value for kind, value in claims if kind in kinds), "")


def _all(claims: list[tuple[str, str]], kinds: tuple[str, ...]) -> frozenset[str]:
    return frozenset(value for kind, value in claims if kind in kinds)


def _text(told: Mapping[str, Any], member: str) -> str:
    found = told.get(member)
    return found if isinstance(found, str) and found else _ROLES[0]
