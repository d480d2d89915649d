"""`python -m local`: the whole local Azure, with an app on it, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import fields
from pathlib import Path

from local.process import LocalError, announce_ready, die_with_parent, run_part
from local.stack.config import StackConfig
from local.stack.stack import READY_FILE, Ports, Stack


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run the stack."""
    options = _parser().parse_args(arguments)
    chosen = {field.name: getattr(options, f"{field.name}_port") for field in fields(Ports)}
    if options.stop_with_parent:
        die_with_parent()
    ports = Ports(**dict.fromkeys(chosen, 0) if options.free_ports else chosen)
    run_part(lambda stop: _serve(options.config, options.state.absolute(), ports, stop))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="An Azure for one machine: Azurite, Service Bus, Event Grid, blob events and a "
        "functions host with your app. Everything listens on loopback only.",
    )
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        metavar="FILE",
        help="JSON: app, serviceBus, eventGrid, storage (paths), settings",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(".local/state"),
        metavar="DIR",
        help="where everything is kept over a restart (default: %(default)s)",
    )
    parser.add_argument(
        "--stop-with-parent",
        action="store_true",
        help="stop when the program that started it ends, however it ends (Linux)",
    )
    parser.add_argument("--free-ports", action="store_true", help="take free ports everywhere")
    for field in fields(Ports):
        name = field.name.replace("_", "-")
        parser.add_argument(
            f"--{name}-port",
            type=int,
            default=field.default,
            metavar="PORT",
            help=f"port of {name.replace('-', ' ')}, 0 for a free one (default: %(default)s)",
        )
    return parser


async def _serve(config: Path, state: Path, ports: Ports, stop: asyncio.Event) -> None:
    try:
        async with Stack(StackConfig.read(config), state=state, ports=ports) as stack:
            announce_ready("local", ready_file=str(state / READY_FILE), **stack.reached)
            await _until(stop, stack)
    except* LocalError as refused:
        raise refused.exceptions[0] from None


async def _until(stop: asyncio.Event, stack: Stack) -> None:
    stopped = asyncio.create_task(stop.wait())
    died = asyncio.create_task(stack.first_death())
    await asyncio.wait({stopped, died}, return_when=asyncio.FIRST_COMPLETED)
    if not stopped.done():
        stopped.cancel()
        raise LocalError(died.result())
    died.cancel()
    await asyncio.gather(died, return_exceptions=True)


if __name__ == "__main__":
    main()
