"""Who calls: the headers in which App Service authentication ("Easy Auth") tells of a principal.

https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
It removes such headers from what comes from outside. Where it is not on, they are not believed.
"""

import base64
import json
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import azure.functions as func

from mesh import audit, entitlement, schemas
from mesh.audit import Begun
from mesh.backbone import backbone
from mesh.entitlement import Call
from mesh.errors import MeshError, Rejected, TooMany, Unavailable
from mesh.model.entitlement import OPEN
from mesh.model.principal import Caller, Principal

_SCHEMA = "http://schemas.microsoft.com/identity/claims/"
_OBJECT_ID = ("oid", f"{_SCHEMA}objectidentifier")
_APP = ("azp", "appid")
_SCOPE = ("scp", f"{_SCHEMA}scope")
"""In the token of a person only: what the application that they use may do in their name."""

_ROLES = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
_GROUPS = ("groups", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups")


def caller(req: func.HttpRequest) -> Caller:
    """Who calls, and what they may do.

    Raises:
        Rejected: nobody says who they are, or nobody has checked it.
    """
    return entitlement.identify(backbone(), principal(req.headers))


_command: ContextVar[str] = ContextVar("command", default="")


def command() -> str:
    """Names what is being decided: the same when the same caller has to call again for it."""
    return _command.get()


class Visit:
    """One call from its beginning to its end, and what of it goes on record."""

    def __init__(self, req: func.HttpRequest, operation: str) -> None:
        self._req = req
        self._operation = operation
        self._caller: Caller | None = None
        self._begun: Begun | None = None

    def begin(self) -> None:
        """Let the call through that its rule allows.

        Raises:
            Rejected: the rule does not, the caller says not who they are, or calls too often.
            NotFound: what the call is about does not exist.
            Unavailable: what is about to be decided could not be put down.
        """
        _command.set("")
        if self._operation in OPEN:
            return
        found = caller(self._req)
        wait = backbone().buckets.take(found.principal.id, time.monotonic())
        if wait:
            message = f"{found.principal.name} calls too often. Try again in {wait} s."
            raise TooMany(message, problem="too-many-calls", after=wait)
        self._caller = found
        entitlement.check(backbone(), found, self._call)
        key = self._req.headers.get("idempotency-key", "")
        reason = _reason(self._req)
        self._begun = audit.begin(backbone(), found.principal, self._call, reason, key=key)
        if self._begun is not None:
            _command.set(self._begun.command)

    def done(self) -> None:
        """Note what was decided.

        Raises:
            Unavailable: it could not be noted. The same call again ends in the same, and notes it.
        """
        if self._begun is not None:
            audit.done(backbone(), self._begun)

    def ended(self, failure: MeshError) -> MeshError:
        """Note who was refused; returns what to answer."""
        if self._caller is not None and isinstance(failure, Rejected):
            try:
                audit.refused(backbone(), self._caller, self._call, failure, self._begun)
            except Unavailable as unnoted:
                return unnoted
        return failure

    @property
    def _call(self) -> Call:
        parts, body = dict(self._req.route_params), self._req.get_body()
        return Call(operation=self._operation, parts=parts, body=body)


def _reason(req: func.HttpRequest) -> str:
    """Why something is done, where the body says it; of a body that is none, nothing."""
    try:
        asked = schemas.read(req.get_body() or b"{}")
    except Rejected:
        return ""
    found = asked.get("reason", asked.get("purpose", "")) if isinstance(asked, dict) else ""
    return found if isinstance(found, str) else ""


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
    is_itself = not _first(claims, _SCOPE)
    return Principal(
        id=identity,
        name=headers.get("x-ms-client-principal-name") or app or identity,
        app=app if is_itself else "",
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
