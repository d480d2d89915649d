"""`python -m local.azurite`: install Azurite, or run it until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path

from local.azurite.install import DEFAULT_FOLDER, install, pinned_version
from local.azurite.server import Azurite
from local.process import LocalError, announce_ready, run_part


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    options = _parser().parse_args(arguments)
    if options.install:
        _install(options.modules)
    else:
        run_part(lambda stop: _serve(options, stop))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.azurite",
        description="Blob, queue and table storage on loopback: Azurite, run by the Node of PyPI.",
    )
    parser.add_argument("--install", action="store_true", help="install Azurite with npm, and end")
    parser.add_argument(
        "--modules",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="DIR",
        help="where Azurite is installed (default: %(default)s)",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(".local/state/azurite"),
        metavar="DIR",
        help="where blobs, queues and tables are kept (default: %(default)s)",
    )
    for service, port in (("blob", 10000), ("queue", 10001), ("table", 10002)):
        parser.add_argument(
            f"--{service}-port",
            type=int,
            default=port,
            metavar="PORT",
            help=f"port of the {service} service, 0 for a free one (default: %(default)s)",
        )
    return parser


def _install(folder: Path) -> None:
    try:
        done = install(folder)
    except LocalError as refused:
        print(f"error: {refused}", file=sys.stderr, flush=True)
        raise SystemExit(2) from None
    state = "installed" if done else "already installed"
    print(f"Azurite {pinned_version()} {state} in {folder}", flush=True)


async def _serve(options: argparse.Namespace, stop: asyncio.Event) -> None:
    azurite = Azurite(
        state=options.state.absolute(),
        blob_port=options.blob_port,
        queue_port=options.queue_port,
        table_port=options.table_port,
        modules=options.modules.absolute(),
    )
    async with azurite as endpoints:
        announce_ready(
            "azurite",
            blob=endpoints.blob,
            queue=endpoints.queue,
            table=endpoints.table,
            journal=str(endpoints.journal),
            connection_string=endpoints.connection_string,
        )
        await _until_stopped_or_dead(azurite, stop)


async def _until_stopped_or_dead(azurite: Azurite, stop: asyncio.Event) -> None:
    stopped, dead = asyncio.create_task(stop.wait()), asyncio.create_task(azurite.wait())
    await asyncio.wait({stopped, dead}, return_when=asyncio.FIRST_COMPLETED)
    if not stopped.done():
        stopped.cancel()
        await dead
    dead.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await dead


if __name__ == "__main__":
    main()
