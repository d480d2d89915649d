"""What App Service authentication ("Easy Auth") does before a request reaches an app.

It checks the bearer token of Microsoft Entra, tells the app of the principal in headers, and never
lets such headers in from outside. https://learn.microsoft.com/azure/app-service/overview-authentication-authorization
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from multidict import CIMultiDict

from local.process import LocalError

if TYPE_CHECKING:
    import jwt

OURS = ("x-ms-client-principal", "x-ms-token-")
"""How the headers begin that nobody but the platform may set."""

PROVIDER = "aad"
_ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
_NAME = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
_RENAMED = {
    "oid": "http://schemas.microsoft.com/identity/claims/objectidentifier",
    "tid": "http://schemas.microsoft.com/identity/claims/tenantid",
    "sub": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
}
"""Some of the claims that the default mapping renames."""

_HOST_PATHS = ("/admin/", "/runtime/")
"""The host's own: keys guard them."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Authentication:
    """Whose tokens are taken, and what takes none; members as in `authsettingsV2`."""

    issuer: str
    audiences: tuple[str, ...]
    require: bool
    excluded_paths: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> Authentication:
        """Read a file in the form of `authsettingsV2`.

        Raises:
            LocalError: it cannot be read, or lacks issuer or audience.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            entra = data["identityProviders"]["azureActiveDirectory"]
            rules = data["globalValidation"]
            return cls(
                issuer=str(entra["registration"]["openIdIssuer"]),
                audiences=tuple(entra["validation"]["allowedAudiences"]),
                require=bool(rules["requireAuthentication"]),
                excluded_paths=frozenset(rules.get("excludedPaths", ())),
            )
        except (OSError, ValueError, KeyError, TypeError) as wrong:
            message = f"{path} cannot be read as authsettingsV2: {type(wrong).__name__}: {wrong}."
            raise LocalError(message) from None


class EasyAuth:
    """Checks tokens; the issuer's keys are fetched when first needed, and kept."""

    def __init__(self, authentication: Authentication) -> None:
        self._wanted = authentication
        self._keys: dict[str, jwt.PyJWK] = {}

    def middleware(self) -> Any:
        """For an application of aiohttp."""

        @web.middleware
        async def check(request: web.Request, handler: _Handler) -> web.StreamResponse:
            if request.path.startswith(_HOST_PATHS):
                return await handler(request)
            headers = without_ours(request.headers)
            kind, _, token = request.headers.get("Authorization", "").partition(" ")
            claims = await self._claims(token) if kind.lower() == "bearer" else None
            if claims is not None:
                headers.update(principal_headers(claims))
            elif self._wanted.require and request.path not in self._wanted.excluded_paths:
                challenge = f'Bearer realm="{request.host}"'
                return web.Response(status=401, headers={"WWW-Authenticate": challenge})
            return await handler(request.clone(headers=headers))

        return check

    async def _claims(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a token; None when it is not one to be believed."""
        import jwt

        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid", ""))
            if key is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=list(self._wanted.audiences),
                issuer=self._wanted.issuer,
                options={"require": ["exp", "iat", "aud", "iss", "oid"]},
            )
        except jwt.PyJWTError:
            return None
        return claims

    async def _key(self, key_id: str) -> jwt.PyJWK | None:
        if key_id not in self._keys:
            self._keys = await self._fetched_keys()
        return self._keys.get(key_id)

    async def _fetched_keys(self) -> dict[str, jwt.PyJWK]:
        import aiohttp
        import jwt

        discovery = f"{self._wanted.issuer}/.well-known/openid-configuration"
        timeout = aiohttp.ClientTimeout(total=10)
        try:
            async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
                async with session.get(discovery) as answer:
                    keys_url = (await answer.json())["jwks_uri"]
                async with session.get(keys_url) as answer:
                    found = jwt.PyJWKSet.from_dict(await answer.json())
        except (aiohttp.ClientError, TimeoutError, KeyError, jwt.PyJWTError):
            return self._keys  # unknown keys stay unknown: nobody gets in by it
        return {key.key_id or "": key for key in found.keys}


def without_ours(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """The headers of a request, but for those that only the platform may set."""
    kept = CIMultiDict(headers)
    for name in [name for name in kept if name.lower().startswith(OURS)]:
        kept.popall(name, None)
    return kept


def principal_headers(claims: Mapping[str, Any]) -> dict[str, str]:
    """What the app is told of a principal."""
    listed = [
        {"typ": _RENAMED.get(kind, kind), "val": str(value)}
        for kind, values in claims.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    told = {"auth_typ": PROVIDER, "name_typ": _NAME, "role_typ": _ROLE, "claims": listed}
    names = ("preferred_username", "name", "app_displayname", "oid")
    name = next(str(claims[kind]) for kind in names if claims.get(kind))
    return {
        "X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(told).encode()).decode(),
        "X-MS-CLIENT-PRINCIPAL-ID": str(claims["oid"]),
        "X-MS-CLIENT-PRINCIPAL-NAME": name,
        "X-MS-CLIENT-PRINCIPAL-IDP": PROVIDER,
    }
