"""`mesh products`, `mesh product`, `mesh events`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from cli.answers.onboarding import TemplateUse
from cli.answers.products import CloudEvent
from cli.answers.products import Product as ProductPage
from cli.client import PAGE, MeshClient
from cli.notices import ending
from cli.options import AsJson, Product, State, mesh_at
from cli.output import plural, say, show, table, write_json

WAIT_S = 20
"""How long the mesh may let us wait for the next event; it answers as soon as there is one."""


def products(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORDS", help="Only those that mention all.")
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """List the data products, or those that mention some words."""
    wanted = " ".join(words or ())
    with mesh_at(state) as mesh:
        found = mesh.products(wanted)
    if as_json:
        write_json({"products": found})
    elif not found:
        say(f"No product mentions {wanted!r}." if wanted else "There is no product yet.")
    else:
        columns = ("product", "name", "version", "status", "objects", "purpose", "owner")
        rows = (
            (
                entry["product"],
                entry["name"],
                entry["version"],
                entry["status"],
                ", ".join(entry["objects"]),
                entry["purpose"],
                entry["owner"],
            )
            for entry in found
        )
        show(table(columns, rows))


def product(product: Product, state: State = None, as_json: AsJson = False) -> None:
    """Show all there is to know about a data product."""
    with mesh_at(state) as mesh:
        page = mesh.product(product)
    if as_json:
        write_json(page)
    else:
        _show_page(page)


def events(
    product: Product,
    after: Annotated[
        int, typer.Option("--after", metavar="SEQ", min=0, help="Only those after this sequence.")
    ] = 0,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Stop after so many.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with new ones as they come, until Ctrl-C.")
    ] = False,
    subscription: Annotated[
        str, typer.Option("--subscription", metavar="ID", help="Only those that it wants.")
    ] = "",
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """List a product's events in their order.

    With --json, one document {"events": […]}; with --follow, one event per line (JSON Lines).
    """
    with mesh_at(state) as mesh:
        found = _events(mesh, product, after, limit, follow=follow, subscription=subscription)
        if as_json and not follow:
            write_json({"events": list(found)})
            return
        told = 0
        for told, event in enumerate(found, start=1):  # noqa: B007 - the last number is asked below
            if as_json:
                write_json(event)
            else:
                say(_event_line(event))
    if not told and not as_json:
        say(f"{product} has no event after {after}." if after else f"{product} has no event yet.")


def _events(
    mesh: MeshClient,
    product: str,
    after: int,
    limit: int | None,
    *,
    follow: bool,
    subscription: str,
) -> Iterator[CloudEvent]:
    """The events page by page, and then, when following, as they come."""
    left, wait = limit, 0
    while left is None or left > 0:
        asked = PAGE if left is None else min(PAGE, left)
        page, upto = mesh.events(
            product, after=after, limit=asked, wait=wait, subscription=subscription
        )
        yield from page
        left = None if left is None else left - len(page)
        if upto == after and not follow:
            return
        wait = WAIT_S if follow and upto == after else 0
        after = upto


def _event_line(event: CloudEvent) -> str:
    about = event.get("subject", "")
    data = event["data"]
    more = data.get("summary") or event.get("dataref") or data.get("version") or ""
    return (
        f"{int(event['sequence']):>6}  {event['time']}  {event['type']}  {about}  {more}".rstrip()
    )


def _show_page(page: ProductPage) -> None:
    owner = page["owner"]
    say(f"{page['name']}  {page['product']}  {page['version']}  {page['status']}", style="bold")
    say(
        page["purpose"],
        f"Owner: {owner['name']}, {owner['contact']}",
        f"Tags: {', '.join(page['tags']) or 'none'}",
        *_template_lines(page["template"]),
    )
    ports = [
        (port["name"], port["version"] + ending(port["deprecation"]), place)
        for port in page["output_ports"]
        for place in port["landing"]
    ]
    show(table(("port", "version", "drop files at"), ports, title="Output ports"))
    if page["input_ports"]:
        inputs = [
            (port["name"], port["product"], port["contract_id"]) for port in page["input_ports"]
        ]
        show(table(("input", "product", "contract"), inputs, title="Input ports"))
    if page["snapshots"]:
        rows = (
            (
                f"v{found['major']}/{found['object']}",
                plural(found["rows"], "row"),
                found["period"],
                found["location"],
                found["sequence"],
                ", ".join(f"{one['product']} {one['sequence']}" for one in found["references"]),
            )
            for found in page["snapshots"]
        )
        columns = ("object", "rows", "period", "location", "sequence", "checked against")
        show(table(columns, rows, title="Last good versions"))


def _template_lines(use: TemplateUse | None) -> list[str]:
    if use is None:
        return []
    lines = [f"Template: {use['name']}@{use['version']}"]
    if use["waiver"] is not None:
        waived = use["waiver"]
        lines.append(
            f"Waived: {', '.join(waived['profiles'])}, for {waived['by']}: {waived['reason']} "
            f"Granted by {waived['granted_by']} until {waived['until']}."
        )
    return lines
