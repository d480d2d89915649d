"""`python -m local.event_grid`: Event Grid, with the blob events of its system topics."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
from pathlib import Path

from local.event_grid.access import DEVELOPMENT_KEY
from local.event_grid.grid import EventGrid
from local.event_grid.system_topics import blob_events_of
from local.event_grid.topology import load_topology
from local.process import LocalError, announce_ready, run_part


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run until told to stop."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for noisy in ("azure", "azure.servicebus"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    run_part(lambda stop: _serve(options, stop))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.event_grid",
        description=(
            "Event Grid on loopback: custom topics for EventGridPublisherClient, blob events of a "
            "storage account, and deliveries to Service Bus, webhooks and storage queues. "
            "A management API is at /management/topics."
        ),
        epilog=(
            "A custom topic is at URL/TOPIC/api/events, with URL from the ready line. Connection "
            "strings may also stand in the environment, which ps does not show."
        ),
    )
    parser.add_argument(
        "--topology",
        type=Path,
        required=True,
        metavar="FILE",
        help="JSON with topics, systemTopics and their eventSubscriptions, as in ARM",
    )
    parser.add_argument("--port", type=int, default=10010, help="0 for a free one (%(default)s)")
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="what must not be forgotten (default: in memory)"
    )
    _add_neighbours(parser)
    parser.add_argument(
        "--key",
        default=DEVELOPMENT_KEY,
        help="access key of every custom topic, in base64 (default: a well-known one)",
    )
    return parser


def _add_neighbours(parser: argparse.ArgumentParser) -> None:
    """The other parts of the local Azure that this one works with."""
    parser.add_argument(
        "--service-bus",
        metavar="CONNECTION_STRING",
        default=os.environ.get("LOCAL_SERVICE_BUS"),
        help="the namespace that events are delivered to (default: $LOCAL_SERVICE_BUS)",
    )
    parser.add_argument(
        "--storage",
        metavar="CONNECTION_STRING",
        default=os.environ.get("LOCAL_STORAGE"),
        help="the account of system topics, queues and dead letters (default: $LOCAL_STORAGE)",
    )
    parser.add_argument(
        "--journal",
        type=Path,
        metavar="DIR",
        help="the journal that `python -m local.azurite` names when it is ready; without it the "
        "account is listed every second instead",
    )
    parser.add_argument(
        "--telemetry",
        metavar="URL",
        default=os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"),
        help="OTLP receiver that is told of failed deliveries, as a diagnostic setting tells Azure "
        "Monitor (default: $OTEL_EXPORTER_OTLP_ENDPOINT)",
    )


async def _serve(options: argparse.Namespace, stop: asyncio.Event) -> None:
    topology = load_topology(options.topology)
    systems = [topic for topic in topology.topics if topic.is_system]
    if systems and not options.storage:
        message = (
            f"The system topic '{systems[0].name}' needs a storage account: give its connection "
            "string with --storage."
        )
        raise LocalError(message)
    async with contextlib.AsyncExitStack() as stack:
        grid = await stack.enter_async_context(
            EventGrid(
                topology=topology,
                port=options.port,
                state=options.state,
                service_bus=options.service_bus,
                storage=options.storage,
                telemetry=options.telemetry,
                key=options.key,
            )
        )
        for topic in systems:
            await stack.enter_async_context(
                blob_events_of(
                    grid,
                    topic,
                    storage=options.storage,
                    journal=options.journal,
                    state=options.state,
                )
            )
        announce_ready("event_grid", url=grid.url, key=grid.key)
        await stop.wait()


if __name__ == "__main__":
    main()
