"""Tokens for the API: from Microsoft Entra by `azure-identity`, or from the local issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.connection import Connection
from cli.failures import ExitCode, Failed

if TYPE_CHECKING:
    import httpx

DEVELOPER = "developer"
"""Who calls a local Azure when no domain is named: its registrations let it act for any."""


def token(connection: Connection, http: httpx.Client) -> str:
    """An access token; empty when nothing says where one is to come from.

    Raises:
        Failed: whoever was asked for one gave none.
    """
    if connection.token:
        return connection.token
    if connection.token_url:
        return _of_local_issuer(connection, http)
    if connection.scope:
        return _of_entra(connection.scope)
    return ""


def _of_local_issuer(connection: Connection, http: httpx.Client) -> str:
    import httpx

    form = {
        "grant_type": "client_credentials",
        "client_id": connection.acting or DEVELOPER,
        "client_secret": connection.secret,
        "scope": connection.scope,
    }
    try:
        answer = http.post(connection.token_url, data=form)
        told = answer.json()
    except (httpx.HTTPError, ValueError) as wrong:
        message = (
            f"The token issuer at {connection.token_url} ({connection.origin}) does not answer: "
            f"{wrong}. Start the local Azure again with `mesh up`."
        )
        raise Failed(message, problem="unreachable", code=ExitCode.UNAVAILABLE) from None
    if answer.status_code != 200:
        message = (
            f"The token issuer gives no token to {form['client_id']!r}: "
            f"{told.get('error_description', told)}"
        )
        raise Failed(message, problem="no-token", code=ExitCode.REFUSED)
    found: str = told["access_token"]
    return found


def _of_entra(scope: str) -> str:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import DefaultAzureCredential

    try:
        with DefaultAzureCredential() as credential:
            return credential.get_token(scope).token
    except ClientAuthenticationError as wrong:
        message = (
            f"Microsoft Entra gives no token for {scope}. Sign in with `az login`, or set "
            f"MESH_TOKEN. It said: {wrong.message.splitlines()[0]}"
        )
        raise Failed(message, problem="no-token", code=ExitCode.REFUSED) from None
