"""`python -m local.telemetry`: receive OpenTelemetry and show it, until told to stop."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from aiohttp import web

from local.process import LOOPBACK, announce_ready, listening_socket, run_part
from local.telemetry.server import make_app
from local.telemetry.store import Store

FILE = "telemetry.sqlite"


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m local.telemetry",
        description="Receive OpenTelemetry (OTLP over HTTP) and look at it in a browser.",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=4318,
        help="where to listen, 0 for a free port (default: %(default)s, OTLP's own)",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="keep what was received here over a restart (default: in memory)",
    )
    parser.add_argument(
        "--queries",
        type=Path,
        metavar="DIR",
        help="folder of *.kql files and workbooks to offer on the page",
    )
    options = parser.parse_args(arguments)
    run_part(lambda stop: _serve(options, stop))


async def _serve(options: argparse.Namespace, stop: asyncio.Event) -> None:
    bound = listening_socket(options.port, purpose="telemetry", option="--port")
    if options.state is not None:
        options.state.mkdir(parents=True, exist_ok=True)
    store = Store(options.state / FILE if options.state else None)
    runner = web.AppRunner(make_app(store, queries=options.queries), access_log=None)
    await runner.setup()
    await web.SockSite(runner, bound).start()
    announce_ready("telemetry", url=f"http://{LOOPBACK}:{bound.getsockname()[1]}")
    try:
        await stop.wait()
    finally:
        await runner.cleanup()
        store.close()


if __name__ == "__main__":
    main()
