"""`python -m local.service_bus`: the broker as a process."""

from __future__ import annotations

import argparse
import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import Any

from local.process import announce_ready, die_with_parent, run_part
from local.service_bus.emulator import ServiceBusEmulator

_DESCRIPTION = """\
A Service Bus on this machine: queues, topics and subscriptions over AMQP 1.0 for the
azure-servicebus SDK, and its administration client over HTTPS.

When it is ready it prints one line, `ready {...}`, with: port and connection_string for clients;
admin_url, admin_connection_string and certificate for the administration client, which takes the
certificate as connection_verify=. It stops in order on SIGTERM or Ctrl-C.
"""
_EPILOG = """\
It listens on loopback only, and accepts every key and token.
Entities have the form that Microsoft's Service Bus emulator reads (UserConfig.Namespaces).
With --state, messages survive any end of the process; without it, nothing does.
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the broker until it is told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m local.service_bus",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--entities", type=Path, metavar="FILE", help="entities to begin with")
    parser.add_argument(
        "--port", type=int, default=5672, help="port for AMQP; 0 takes a free one (default 5672)"
    )
    parser.add_argument(
        "--admin-port",
        type=int,
        default=5300,
        help="port for the administration endpoint; 0 takes a free one (default 5300)",
    )
    parser.add_argument("--state", type=Path, metavar="DIR", help="folder that keeps everything")
    options = parser.parse_args(arguments)
    die_with_parent()
    run_part(partial(_serve, options))


async def _serve(options: argparse.Namespace, stop: asyncio.Event) -> None:
    bus = ServiceBusEmulator(
        entities=options.entities,
        port=options.port,
        admin_port=options.admin_port,
        state=options.state,
    )
    async with bus:
        for leftover in bus.leftovers:
            print(f"note: {leftover}", file=sys.stderr, flush=True)
        announce_ready(
            "service_bus",
            port=bus.port,
            connection_string=bus.connection_string,
            admin_url=bus.admin_url,
            admin_connection_string=bus.admin_connection_string,
            certificate=str(bus.certificate),
        )
        stopping = asyncio.create_task(stop.wait())
        ends: set[asyncio.Future[Any]] = {stopping, bus.failure}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if bus.failure.done():
            raise bus.failure.result()


if __name__ == "__main__":
    main()
