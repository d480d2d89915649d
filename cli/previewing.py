"""`mesh contract consumers`: can I publish?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.answers.products import ConsumerVerdict, Preview
from cli.contract_files import bytes_of
from cli.failures import ExitCode, wrong_call
from cli.options import AsJson, Product, State, mesh_at
from cli.output import plural, say, show, table, write_json


def consumers(
    product: Product,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The ODCS contract (YAML, JSON).", exists=True, dir_okay=False
        ),
    ],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Ask a mesh whom a contract would affect if it were published. Nothing is published.

    Exits with 1 when onboarding would refuse it for what it breaks.
    """
    with mesh_at(state) as mesh:
        found = mesh.preview_contract(product, file=file.name, text=_text(file))
    if as_json:
        write_json(found)
    else:
        _show(found)
    if found["verdict"] == "breaking":
        raise typer.Exit(ExitCode.REFUSED)


def _text(file: Path) -> str:
    try:
        return bytes_of(file).decode()
    except UnicodeDecodeError as wrong:
        message = f"{file} is not UTF-8: byte {wrong.start} cannot be read. Save it as UTF-8."
        raise wrong_call(message) from None


def _show(found: Preview) -> None:
    if found["changes"]:
        columns = ("object", "field", "rule", "what changed", "breaks", "verdict")
        rows = (
            (c["object"], c["field"], c["rule"], c["message"], _sides(c["breaks"]), c["verdict"])
            for c in found["changes"]
        )
        show(table(columns, rows))
    if found["consumers"]:
        show(table(("consumer", "relies on", "verdict", "because"), map(_row, found["consumers"])))
    affected = sum(told["verdict"] == "affected" for told in found["consumers"])
    said = (
        f"{plural(len(found['changes']), 'change')}; {affected} of "
        f"{plural(len(found['consumers']), 'consumer')} affected"
    )
    name = f"{found['port']} {found['version']}"
    if found["verdict"] == "breaking":
        say(f"{said}: publish it under a new major version ({found['mode']}).", style="bold red")
    elif found["verdict"] == "new-major":
        say(f"{said} once they move: {name} is published beside what there is.", style="bold green")
        say(f"Before that may end, they have {plural(found['notice_days'], 'day')} of notice.")
    else:
        say(f"{said}: {name} is compatible ({found['mode']}).", style="bold green")


def _row(told: ConsumerVerdict) -> tuple[object, ...]:
    return (
        told["consumer"],
        ", ".join(told["uses"]) or "everything",
        told["verdict"],
        " ".join(change["message"] for change in told["affected_by"]),
    )


def _sides(breaks: Sequence[str]) -> str:
    return " and ".join(breaks) or "nobody"
