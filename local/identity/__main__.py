"""`python -m local.identity`: issue tokens until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import socket
from pathlib import Path

from aiohttp import web

from local.identity.issuer import Issuer
from local.identity.registrations import TENANT, Registrations
from local.identity.tokens import load_secret, load_signer
from local.process import LOOPBACK, announce_ready, die_with_parent, listening_socket, run_part


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m local.identity",
        description="Issue access tokens as Microsoft Entra does, for this machine only.",
    )
    parser.add_argument(
        "--registrations",
        type=Path,
        required=True,
        metavar="FILE",
        help="JSON: the audience of tokens, and the roles of each application",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(".local/identity"),
        metavar="DIR",
        help="where key and secret are kept (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, default=10020, help="0 for a free one (%(default)s)")
    options = parser.parse_args(arguments)
    die_with_parent()

    async def _main(stop: asyncio.Event) -> None:
        registrations = Registrations.read(options.registrations)
        bound = listening_socket(options.port, purpose="the token issuer", option="--port")
        await serve(registrations, options.state, bound, stop)

    run_part(_main)


async def serve(
    registrations: Registrations, state: Path, bound: socket.socket, stop: asyncio.Event
) -> None:
    """Serve on a bound socket until `stop`."""
    url = f"http://{LOOPBACK}:{bound.getsockname()[1]}"
    signer = load_signer(state, issuer=f"{url}/{TENANT}/v2.0")
    issuer = Issuer(url=url, registrations=registrations, signer=signer, secret=load_secret(state))
    runner = web.AppRunner(issuer.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.SockSite(runner, bound).start()
    announce_ready(
        "identity",
        issuer=signer.issuer,
        token_url=issuer.token_url,
        audience=registrations.audience,
        secret=issuer.secret,
    )
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    main()
