"""`mesh dlq`: messages that were given up."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.answers.subscriptions import DeadLetter, SettledLetter
from cli.failures import ExitCode, Failed
from cli.options import AsJson, State, mesh_at
from cli.output import say, show, table, write_json

app = typer.Typer(
    name="dlq",
    help="Messages that were given up: see why, let them be worked on again, or discard them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="The queue, or TOPIC/SUBSCRIPTION, as listed.")
]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Of the message, as listed.")]


@app.command("list")
def list_(
    source: Annotated[
        str | None, typer.Option("--source", metavar="SOURCE", help="Of this source alone.")
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """List messages that were given up, oldest first."""
    with mesh_at(state) as mesh:
        found = mesh.dead_letters(source=source)
    if as_json:
        write_json({"dead_letters": found})
    elif not found:
        say("No messages were given up.")
    else:
        columns = ("source", "number", "since", "tried", "reason", "message")
        show(table(columns, (_row(letter) for letter in found)))


@app.command("show")
def show_(source: Source, number: Number, state: State = None, as_json: AsJson = False) -> None:
    """Show one message that was given up, and why."""
    with mesh_at(state) as mesh:
        found = [one for one in mesh.dead_letters(source=source) if one["number"] == number]
    if not found:
        message = f"There is no message {number} among the oldest dead letters of {source}."
        raise Failed(message, problem="unknown-dead-letter", code=ExitCode.REFUSED)
    if as_json:
        write_json(found[0])
        return
    letter = found[0]
    say(f"Message {number} of {source} ({letter['message_id']}), tried {letter['deliveries']} x")
    say(f"Given up for {letter['reason']}: {letter['description']}", letter["body"])


@app.command("resubmit")
def resubmit(source: Source, number: Number, state: State = None, as_json: AsJson = False) -> None:
    """Let a message be worked on again, as it is."""
    with mesh_at(state) as mesh:
        done = mesh.resubmit(source, number)
    if as_json:
        write_json(done)
    else:
        say(f"Message {number} of {source} {_since(done)}is worked on again.")


@app.command("discard")
def discard(
    source: Source,
    number: Number,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Put a message away for good; the app's log keeps what it was, and why."""
    with mesh_at(state) as mesh:
        done = mesh.discard(source, number, reason=reason)
    if as_json:
        write_json(done)
    else:
        say(f"Message {number} of {source} {_since(done)}is discarded.")


def _since(done: SettledLetter) -> str:
    if not done["repeated"]:
        return ""
    return f"was {done['settlement']} at {done['settled_at']} already, and "


def _row(letter: DeadLetter) -> tuple[object, ...]:
    return (
        letter["source"],
        letter["number"],
        letter["enqueued_at"],
        letter["deliveries"],
        letter["reason"],
        letter["message_id"],
    )
