"""`mesh where` and `mesh receipt`: what became of a dropped file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers.drops import AnnouncedEvent, Drop, FileSet, Journey, ToldSubscriber
from cli.answers.subscriptions import Attempt
from cli.client import MeshClient
from cli.failures import ExitCode, Failed, wrong_call
from cli.notices import ending
from cli.options import AsJson, Format, Product, State, connection, mesh_at
from cli.output import duration, moment, plain, plural, say, show, since, size, table, write_json
from cli.telemetry import TracedHop, hops_of
from cli.verdicts import VERDICT_STYLES, show_receipt, write_page

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

UNPLACED = "unplaced/files"
"""Whose record holds the verdict on files that no product could be found for."""

_DROP = re.compile(r"[0-9a-f]{20}-[0-9a-f]{12}")


def where(
    what: Annotated[
        str, typer.Argument(metavar="FILE|DROP", help="Name of a dropped file, or id of a drop.")
    ],
    product: Annotated[
        str | None,
        typer.Option("--product", metavar="DOMAIN/PRODUCT", help="Look only at this product."),
    ] = None,
    telemetry: Annotated[
        bool,
        typer.Option("--telemetry", help="Ask telemetry instead of the mesh's own record."),
    ] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Show the whole timeline of a dropped file: to each subscriber's attempts.

    Of a file that was dropped more than once, the newest version is shown. With --telemetry, the
    hops of its trace are shown, with those that failed; by the id of the drop, the app itself is
    not asked.
    """
    if telemetry:
        _show_hops(what, product, state, as_json=as_json)
        return
    with mesh_at(state) as mesh:
        found = _found(mesh, what, product)
        journey = mesh.journey(found[0]["product"], found[0]["drop"])
        pieces = [] if as_json else _pieces(mesh, journey)
    if as_json:
        write_json(journey)
        return
    show(timeline(journey, pieces))
    for older in found[1:]:
        say(f"Earlier: {older['drop']}  {older['verdict']}  {older['decided_at']}", style="dim")


def receipt(
    product: Product,
    drop: Annotated[str, typer.Argument(metavar="DROP", help="Id of the drop.")],
    state: State = None,
    form: Format = None,
    as_json: AsJson = False,
) -> None:
    """Show the receipt of a dropped file: the verdict, and the rows that broke a rule."""
    if form and as_json:
        raise wrong_call("Ask for --json or --format, not both.")
    with mesh_at(state) as mesh:
        found = mesh.receipt(product, drop)
    if as_json:
        write_json(found)
    elif form:
        write_page(found, form)
    else:
        show_receipt(found)


def timeline(journey: Journey, pieces: Sequence[Journey] = ()) -> Tree:
    """The journey as a tree; times are relative to the landing.

    Args:
        pieces: the file and its corrections, in their order, when there are any.
    """
    from rich.tree import Tree

    landed = moment(journey["landed_at"])
    head = plain(f"{journey['file']}  ", "bold")
    head += plain(journey["verdict"], VERDICT_STYLES[journey["verdict"]])
    head += plain(f"  {journey['drop']}")
    tree = Tree(head)
    tree.add(_line(landed, None, f"landed     {_landing(journey)}, {size(journey['size'])}"))
    tree.add(_line(moment(journey["received_at"]), landed, "received"))
    decided = tree.add(
        _line(moment(journey["decided_at"]), landed, f"decided    {journey['summary']}")
    )
    by = f"by contract {journey['contract']}: " if journey["contract"] else ""
    decided.add(plain(by + _rows(journey)))
    if journey["deprecation"]:
        decided.add(plain(f"its version of the output port{ending(journey['deprecation'])}"))
    decided.add(plain(f"receipt {journey['receipt']}"))
    if journey["duplicates"]:
        decided.add(plain(f"told of {journey['duplicates']} more times"))
    for of_set in journey["sets"]:
        _add_set(tree, of_set)
    if pieces:
        _add_pieces(tree, journey, pieces)
    for event in journey["events"]:
        _add_event(tree, event, landed)
    if not journey["events"]:
        tree.add(plain("no event told of it"))
    return tree


def _show_hops(what: str, product: str | None, state: Path | None, *, as_json: bool) -> None:
    drop = what
    if not _DROP.fullmatch(what):
        with mesh_at(state) as mesh:
            drop = _found(mesh, what, product)[0]["drop"]
    hops = hops_of(connection(state), drop)
    if not hops:
        message = (
            f"No telemetry of {drop} is there. It takes some minutes to arrive, is kept for a "
            f"month, and may be sampled; without --telemetry, the mesh's own record answers."
        )
        raise Failed(message, problem="unknown-drop", code=ExitCode.REFUSED)
    if as_json:
        write_json({"drop": drop, "hops": hops})
        return
    say(f"{drop}  trace {hops[0]['trace']}", style="bold")
    columns = ("at", "hop", "took", "outcome", "subscriber", "attempt", "event")
    start = moment(hops[0]["at"])
    show(table(columns, (_hop_row(hop, start) for hop in hops)))


def _hop_row(hop: TracedHop, start: datetime) -> tuple[object, ...]:
    return (
        since(start, moment(hop["at"])),
        hop["step"],
        duration(hop["duration_ms"] / 1000),
        hop["error"] or hop["verdict"] or hop["outcome"],
        hop["subscriber"],
        hop["attempt"],
        hop["event"],
    )


def _found(mesh: MeshClient, what: str, product: str | None) -> list[Drop]:
    """The drops that are meant, newest first."""
    if _DROP.fullmatch(what):
        return [_by_id(mesh, what, product)]
    file = PurePath(what).name
    found = mesh.drops(product=product, file=file, limit=100)
    if found:
        return found
    at = f" for {product}" if product else ""
    message = (
        f"No decision is on record about a file {file!r}{at}. A file takes a moment to be judged; "
        f"drop it with `mesh drop {what} --to DOMAIN/PRODUCT`. You see those of the domains that "
        "`mesh whoami` names."
    )
    raise Failed(message, problem="unknown-drop", code=ExitCode.REFUSED)


def _by_id(mesh: MeshClient, drop: str, product: str | None) -> Drop:
    if product is not None:
        return mesh.journey(product, drop)
    for address in (*(entry["product"] for entry in mesh.products()), UNPLACED):
        try:
            return mesh.journey(address, drop)
        except Failed as missing:
            if missing.problem != "unknown-drop":
                raise
    message = (
        f"No product has a decision on {drop} on record. A file takes a moment to be judged; "
        f"`mesh where` also takes the name of the file."
    )
    raise Failed(message, problem="unknown-drop", code=ExitCode.REFUSED)


def _pieces(mesh: MeshClient, journey: Journey) -> list[Journey]:
    """The file and its corrections that this drop is one of; nothing when it stands alone."""
    pieces = [journey]
    while before := pieces[0]["mends"]:
        pieces.insert(0, mesh.journey(journey["product"], before))
    while after := pieces[-1]["mended_by"]:
        pieces.append(mesh.journey(journey["product"], after))
    return pieces if len(pieces) > 1 else []


def _add_pieces(tree: Tree, journey: Journey, pieces: Sequence[Journey]) -> None:
    branch = tree.add(plain("pieces of one file"))
    for piece in pieces:
        text = f"{piece['drop']}  {piece['verdict']}: {_rows(piece)}"
        text += f", with {plural(piece['kept'], 'good row')} of those before" * bool(piece["mends"])
        branch.add(plain(text, "bold" if piece["drop"] == journey["drop"] else ""))


def _add_set(tree: Tree, found: FileSet) -> None:
    word = "complete" if found["complete"] else "open"
    count = plural(len(found["members"]), "file")
    branch = tree.add(plain(f"set {found['folder']}  {word}: {count} accepted"))
    if found["missing"]:
        due = f", due {found['due_at']}" if found["due_at"] else ""
        branch.add(plain(f"waits for {', '.join(found['missing'])}{due}", "yellow"))
    for one in found["rejected"]:
        branch.add(plain(f"{one['file']} was rejected, as {one['drop']}", "red"))


def _line(at: datetime, start: datetime | None, text: str, style: str = "") -> Text:
    stamp = at.strftime("%H:%M:%S.%f")[:-3] if start is None else since(start, at)
    return plain(f"{stamp:>12}  ", "cyan") + plain(text, style)


def _landing(journey: Journey) -> str:
    return f"landing/{journey['place']}" if journey["place"] else journey["url"]


def _rows(journey: Journey) -> str:
    return (
        f"{plural(journey['rows'], 'row')}, {journey['accepted']:,} accepted, "
        f"{journey['rejected']:,} rejected"
    )


def _add_event(tree: Tree, event: AnnouncedEvent, landed: datetime) -> None:
    at = moment(event["time"])
    branch = tree.add(_line(at, landed, f"{event['type']}  sequence {event['sequence']}"))
    for told in event["subscribers"]:
        _add_subscriber(branch, told, landed)
    if not event["subscribers"]:
        branch.add(plain("nobody has subscribed to it"))


def _add_subscriber(branch: Tree, told: ToldSubscriber, landed: datetime) -> None:
    whom = f"{told['subscriber']} by {told['channel']}"
    line = branch.add(plain(f"{whom}: {told['target']}" if told["target"] else whom))
    for attempt in told["attempts"]:
        _add_attempt(line, attempt, landed)
    if told["failing"] or told["state"] != "active":
        used = f"{told['failing']} % of its failure budget used"
        said = used if told["state"] == "active" else told["state"]
        line.add(plain(f"{said}: {told['reason']}", "red"))
    if told["state"] in {"barred", "ended"}:
        return
    if told["channel"] == "pull":
        line.add(plain("the broker has put it on their topic subscription"))
    elif not told["attempts"]:
        line.add(plain("not told yet"))


def _add_attempt(line: Tree, attempt: Attempt, landed: datetime) -> None:
    if attempt["outcome"] == "acknowledged":
        told = f"acknowledged: {attempt['reason']}"
        line.add(_line(moment(attempt["at"]), landed, told, "green"))
        return
    styles = {"delivered": "green", "retry": "yellow"}
    style = styles.get(attempt["outcome"], "red")
    again = f" of replay {attempt['round']}" if attempt["round"] else ""
    text = f"attempt {attempt['number']}{again}: {attempt['outcome']}, {attempt['reason']}"
    text += f" ({duration(attempt['duration_s'])})"
    if attempt["next_at"]:
        text += f"; next {since(moment(attempt['at']), moment(attempt['next_at']))} later"
    line.add(_line(moment(attempt["at"]), landed, text, style))
