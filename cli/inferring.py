"""`mesh contract infer`: a draft of a contract for files that are there already."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli.contract_files import chunks_of, refused
from cli.options import AsJson
from cli.output import write_json


def infer(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Files with the same kind of record, of any format that can be judged.",
            exists=True,
            dir_okay=False,
        ),
    ],
    object_name: Annotated[
        str | None,
        typer.Option("--object", metavar="NAME", help="What to call them; else by the first file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draft a contract that accepts these files, with the evidence for every guess.

    The draft is YAML with comments; with --json, the contract and the evidence by JSON Pointer.
    """
    from mesh.errors import Rejected
    from mesh.inference import Source, as_yaml
    from mesh.inference import infer as draft_of

    sources = [Source(name=file.name, open=partial(chunks_of, file)) for file in files]
    try:
        made = draft_of(sources, object_name=object_name or _name(files[0]))
    except Rejected as wrong:
        raise refused(wrong) from None
    if as_json:
        write_json({"contract": made.document, "evidence": made.evidence, "rows": made.rows})
    else:
        typer.echo(as_yaml(made), nl=False)


def _name(file: Path) -> str:
    """A name as declarations want it, from that of a file."""
    return re.sub(r"[^a-z0-9]+", "-", file.name.partition(".")[0].lower()).strip("-") or "records"
