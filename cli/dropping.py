"""`mesh drop`: a file into the landing zone, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.answers.drops import Drop, Receipt
from cli.answers.products import Product
from cli.client import MeshClient
from cli.connection import Connection
from cli.failures import ExitCode, wrong_call
from cli.landing_zone import Uploaded, upload
from cli.options import AsJson, State, Timeout, connection, mesh_at
from cli.output import console, say, size, write_json
from cli.verdicts import show_verdict
from cli.waiting import wait_for

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file.", exists=True, dir_okay=False)
]
To = Annotated[
    str, typer.Option("--to", metavar="DOMAIN/PRODUCT", help="The product it belongs to.")
]
ObjectName = Annotated[
    str | None,
    typer.Option("--object", metavar="NAME", help="Which of the product's objects it holds."),
]
Major = Annotated[
    int | None,
    typer.Option(
        "--major", metavar="N", min=0, help="Major version of the contract. [default: newest]"
    ),
]
Period = Annotated[
    str | None,
    typer.Option("--period", metavar="P", help="What it is about, such as 2026-01-31."),
]
Mends = Annotated[
    str | None,
    typer.Option("--mends", metavar="DROP", help="The drop whose rejected rows it corrects."),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the verdict.")]


def drop(
    file: File,
    to: To,
    object_name: ObjectName = None,
    major: Major = None,
    period: Period = None,
    mends: Mends = None,
    wait: Wait = False,
    timeout: Timeout = 300,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Drop a file into the landing zone.

    A corrected reject file is dropped with --mends: object, version and period are those of the
    drop that it mends. With --wait, prints the verdict and the first violations, and exits with 1
    when the file is rejected.
    """
    known = connection(state)
    with mesh_at(state) as mesh:
        if mends is not None:
            if {object_name, major, period} != {None}:
                message = "With --mends, object, major version and period are those of that drop."
                raise wrong_call(f"{message} Leave --object, --major and --period out.")
            blob = f"{mesh.journey(to, mends)['place']}/mends={mends}/{file.name}"
        else:
            blob = landing_path(
                mesh.product(to), file.name, object_name=object_name, major=major, period=period
            )
        uploaded = _uploaded(known, file, blob, quiet=as_json)
        told = {
            "drop": uploaded.drop,
            "product": to,
            "file": file.name,
            "location": f"landing/{blob}",
            "url": uploaded.url,
            "etag": uploaded.etag,
            "size": uploaded.size,
        }
        if not wait:
            _dropped(told, file, uploaded, as_json=as_json)
            return
        verdict = _verdict(mesh, to, file.name, uploaded, timeout_s=timeout)
        receipt = mesh.receipt(to, verdict["drop"])
    _judged(verdict, receipt, as_json=as_json)


def landing_path(
    product: Product,
    file: str,
    *,
    object_name: str | None = None,
    major: int | None = None,
    period: str | None = None,
) -> str:
    """Where in the landing zone a file of a product belongs.

    The object may be left out when the product has just one, and the major version always: it is
    the newest that has the object.

    Raises:
        Failed: the product has no such object, or several to choose from; or a name cannot be part
            of a path.
    """
    from mesh.model.dropped_file import Misplaced, place_of

    offered = sorted(_objects(product))
    fitting = [
        (number, name)
        for number, name in offered
        if object_name in {None, name} and major in {None, number}
    ]
    names = {name for _, name in fitting}
    if len(names) != 1:
        raise _no_choice(product, offered, ambiguous=len(names) > 1)
    number, name = fitting[-1]
    folders = [product["product"], f"v{number}", name]
    if period is not None:
        if not period or "/" in period:
            message = f"{period!r} cannot be a period: it becomes the name of a folder."
            raise wrong_call(message, problem="wrong-place")
        folders.append(f"rundate={period}")
    blob = "/".join([*folders, file])
    place = place_of(blob)
    if isinstance(place, Misplaced):
        raise wrong_call(f"{place.reason} {place.remedy}", problem="wrong-place")
    return blob


def _objects(product: Product) -> Iterator[tuple[int, str]]:
    """Major version and name of each object."""
    for port in product["output_ports"]:
        for name in port["objects"]:
            yield int(port["version"].partition(".")[0]), name


def _no_choice(product: Product, offered: list[tuple[int, str]], *, ambiguous: bool) -> Exception:
    objects = ", ".join(f"{name} (major {number})" for number, name in offered)
    if not offered:
        message = f"{product['product']} has no output port that files could be dropped for."
    elif ambiguous:
        message = f"{product['product']} has several objects; choose with --object: {objects}."
    else:
        message = f"{product['product']} has no such object or major version. It has {objects}."
    return wrong_call(message, problem="unknown-object")


def _uploaded(known: Connection, file: Path, blob: str, *, quiet: bool) -> Uploaded:
    with _progress(file, quiet=quiet) as progress:
        return upload(known, file, blob, progress=progress)


@contextmanager
def _progress(file: Path, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, for what takes long enough to look at it."""
    out = console(errors=True)
    if quiet or not out.is_terminal:
        yield lambda _sent, _of: None
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    name = TextColumn("{task.description}", markup=False)
    with Progress(name, *columns, console=out, transient=True) as bar:
        task = bar.add_task(file.name, total=file.stat().st_size)
        yield lambda sent, of: bar.update(task, completed=sent, total=of)


def _verdict(
    mesh: MeshClient, product: str, file: str, uploaded: Uploaded, *, timeout_s: float
) -> Drop:
    """The decision about the version that was uploaded.

    It is looked for by id and by ETag: storage may write the URL, which the id is made of, in
    another way than its SDK does.
    """

    def ask() -> Drop | None:
        found = mesh.drops(product=product, file=file, limit=100)
        return next(
            (at for at in found if at["drop"] == uploaded.drop or at["etag"] == uploaded.etag),
            None,
        )

    return wait_for(
        ask,
        timeout_s=timeout_s,
        what=f"verdict on {file}",
        instead=f"The file is in the landing zone; `mesh where {file}` will show what became of "
        f"it. If it stays so, look for dead letters of the queue landed-files.",
    )


def _dropped(told: dict[str, object], file: Path, uploaded: Uploaded, *, as_json: bool) -> None:
    if as_json:
        write_json(told)
        return
    say(
        f"Dropped {file.name} ({size(uploaded.size)}) at {told['location']}",
        f"as {uploaded.drop}",
        f"Follow it with: mesh where {uploaded.drop} --product {told['product']}",
    )


def _judged(verdict: Drop, receipt: Receipt, *, as_json: bool) -> None:
    if as_json:
        write_json({**verdict, "receipt_content": receipt})
    else:
        show_verdict(verdict, receipt)
    if verdict["verdict"] == "rejected":
        raise typer.Exit(ExitCode.REFUSED)
