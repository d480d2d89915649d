"""`mesh whoami` and `mesh token`: who one is to the mesh, and the proof of it."""

from __future__ import annotations

import typer

from cli.calling import http_client
from cli.failures import ExitCode, Failed
from cli.options import AsJson, State, connection, mesh_at
from cli.output import say, write_json
from cli.tokens import token as token_for


def whoami(state: State = None, as_json: AsJson = False) -> None:
    """Say who you are to the mesh, and for which domains you may act."""
    with mesh_at(state) as mesh:
        caller = mesh.whoami()
    if as_json:
        write_json(caller)
        return
    say(f"{caller['name']} (object id {caller['id']})")
    for role, domains in caller["roles"].items():
        named = "all domains" if "*" in domains else ", ".join(domains)
        say(f"  {role} of {named}")
    if caller["ops"]:
        say("  ops")


def token(state: State = None, as_json: AsJson = False) -> None:
    """Print an access token for the API, for curl and other programs."""
    found = connection(state)
    with http_client(found) as http:
        text = token_for(found, http)
    if not text:
        message = "Nothing says where a token is to come from. Set MESH_SCOPE (docs/cli.md)."
        raise Failed(message, problem="no-token", code=ExitCode.REFUSED)
    if as_json:
        write_json({"access_token": text})
    else:
        typer.echo(text)
