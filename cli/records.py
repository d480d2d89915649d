"""`mesh audit` and `mesh access`: what was decided, and the data behind an event."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.answers.access import AuditEntry
from cli.options import AsJson, Product, State, mesh_at
from cli.output import say, show, table, write_json


def audit(
    log: Annotated[
        str, typer.Argument(metavar="DOMAIN", help="Whose log; mesh for what concerns no domain.")
    ],
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Newest entries.")] = 100,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """List what was decided or refused, by whom, when and why; newest first."""
    with mesh_at(state) as mesh:
        found = mesh.audit(log, limit=limit)
    if as_json:
        write_json(found)
        return
    columns = ("number", "when", "who", "what", "about", "outcome", "why")
    show(table(columns, (_row(entry) for entry in found["entries"])))
    if not found["whole"]:
        say("These entries do not follow each other: some were changed or are missing.")


def access(
    product: Product,
    sequence: Annotated[int, typer.Argument(metavar="SEQUENCE", help="Of the event, as listed.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Print signed URLs by which the data that an event announced can be read for minutes."""
    with mesh_at(state) as mesh:
        found = mesh.read_snapshot(product, sequence)
    if as_json:
        write_json(found)
        return
    for blob in found["blobs"]:
        say(blob["location"])
        typer.echo(blob["url"])
    say(f"They can be read until {found['until']}. Whoever has them can: keep them to yourself.")


def _row(entry: AuditEntry) -> tuple[object, ...]:
    about = " ".join(f"{name}={part}" for name, part in entry["about"].items())
    return (
        entry["number"],
        entry["at"],
        entry["name"],
        entry["operation"],
        about,
        entry["outcome"],
        entry["reason"],
    )
