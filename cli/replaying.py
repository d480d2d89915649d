"""`mesh suspend`, `resume`, `replay` and `ack`: hold a webhook, tell it again, say what is done."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.failures import wrong_call
from cli.options import AsJson, Product, State, mesh_at
from cli.output import say, write_json
from cli.subscribing import Identity


class Held(StrEnum):
    """Of what a suspended subscription missed."""

    REPLAY = "replay"
    LAST = "last"
    SKIP = "skip"


def suspend(
    product: Product,
    identity: Identity,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Tell a webhook nothing until it is resumed; what it misses is held."""
    with mesh_at(state) as mesh:
        found = mesh.suspend(product, identity, reason=reason)
    if as_json:
        write_json(found)
    else:
        say(f"Subscription {identity} to {product} is suspended: {found['reason']}")
        say(f"Tell it again with: mesh resume {product} {identity} --held replay")


def resume(
    product: Product,
    identity: Identity,
    held: Annotated[
        Held,
        typer.Option(
            "--held",
            help="Of what it missed: all, the last of each subject and type, or nothing.",
        ),
    ] = Held.REPLAY,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Tell a suspended webhook again, and of what it missed."""
    with mesh_at(state) as mesh:
        done = mesh.resume(product, identity, held=held.value)
    if as_json:
        write_json(done)
    else:
        say(f"Subscription {identity} to {product} is told again.")
        say(f"{done['notifications']} notifications of what it may have missed are on their way.")


def replay(
    product: Product,
    identity: Identity,
    sequence: Annotated[
        int | None, typer.Option("--from", metavar="SEQUENCE", help="From this event on.")
    ] = None,
    time: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="From this time on (RFC 3339).")
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="ID", help="This event alone.")
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", metavar="N", help="As many of the newest events.")
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Tell one webhook again of past events; nobody else is told."""
    given: dict[str, str | int | None] = {
        "sequence": sequence,
        "time": time,
        "event": event,
        "last": last,
    }
    start = {name: value for name, value in given.items() if value is not None}
    if len(start) != 1:
        message = (
            "Say from where, in one way: --from SEQUENCE, --since TIME, --event ID or --last N."
        )
        raise wrong_call(message)
    with mesh_at(state) as mesh:
        done = mesh.replay(product, identity, start=start)
    if as_json:
        write_json(done)
        return
    say(f"{done['notifications']} notifications are on their way to subscription {identity}.")
    if done["next_sequence"] is not None:
        say(f"There is more: mesh replay {product} {identity} --from {done['next_sequence']}")


def ack(
    product: Product,
    identity: Identity,
    sequence: Annotated[int, typer.Argument(metavar="SEQUENCE", help="Of the event.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Say that a subscriber has dealt with an event; `mesh where` shows it."""
    with mesh_at(state) as mesh:
        done = mesh.acknowledge(product, identity, sequence=sequence)
    if as_json:
        write_json(done)
    else:
        say(f"On record: subscription {identity} acknowledged event {sequence} of {product}.")
