"""The issuer's endpoints: discovery, keys, token."""

from __future__ import annotations

import base64
import hmac
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from local.identity.registrations import TENANT, Registrations
from local.identity.tokens import LIFETIME_S, Signer


@dataclass(frozen=True, kw_only=True, slots=True)
class Issuer:
    """Answers as `https://login.microsoftonline.com/TENANT` does, as far as an API needs it.

    Attributes:
        url: of the issuer, without a slash at its end.
        secret: what every client has to know.
    """

    url: str
    registrations: Registrations
    signer: Signer
    secret: str

    @property
    def token_url(self) -> str:
        return f"{self.url}/{TENANT}/oauth2/v2.0/token"

    def application(self) -> web.Application:
        made = web.Application(client_max_size=64 * 1024)
        made.router.add_get(f"/{TENANT}/v2.0/.well-known/openid-configuration", self._discovery)
        made.router.add_get(f"/{TENANT}/discovery/v2.0/keys", self._keys)
        made.router.add_post(f"/{TENANT}/oauth2/v2.0/token", self._token)
        return made

    async def _discovery(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.signer.issuer,
                "token_endpoint": self.token_url,
                "jwks_uri": f"{self.url}/{TENANT}/discovery/v2.0/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "client_secret_basic",
                ],
                "grant_types_supported": ["client_credentials"],
                "response_types_supported": ["token"],
                "subject_types_supported": ["pairwise"],
            }
        )

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response(self.signer.keys())

    async def _token(self, request: web.Request) -> web.Response:
        """RFC 6749, section 4.4; errors as section 5.2 says."""
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            return _error("unsupported_grant_type", "The grant is client_credentials.")
        client, secret = _credentials(request, form)
        if not hmac.compare_digest(secret.encode(), self.secret.encode()):
            return _error("invalid_client", "The client secret is wrong.", status=401)
        application = self.registrations.find(client)
        if application is None:
            return _error("invalid_client", f"There is no application {client!r}.", status=401)
        if form.get("scope") != f"{self.registrations.audience}/.default":
            wanted = f"{self.registrations.audience}/.default"
            return _error("invalid_scope", f"The scope is {wanted}.")
        token = self.signer.token(
            application, audience=self.registrations.audience, now=time.time()
        )
        told = {"token_type": "Bearer", "expires_in": LIFETIME_S, "access_token": token}
        return web.json_response(told, headers={"Cache-Control": "no-store"})


def _credentials(request: web.Request, form: Any) -> tuple[str, str]:
    """Client id and secret: of the form, or of the header."""
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return "", ""
        return client, secret
    return str(form.get("client_id", "")), str(form.get("client_secret", ""))


def _error(code: str, description: str, *, status: int = 400) -> web.Response:
    return web.json_response(
        {"error": code, "error_description": description},
        status=status,
        headers={"Cache-Control": "no-store"},
    )
