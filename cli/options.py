"""Options that several commands have, and how they reach the mesh."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.client import MeshClient, open_client
from cli.connection import Connection, find_connection

AsJson = Annotated[
    bool,
    typer.Option("--json", help="Write JSON to standard output, problems to standard error."),
]


class Form(StrEnum):
    """How a receipt is written for people who do not sit at a terminal."""

    MARKDOWN = "md"
    HTML = "html"
    CSV = "csv"


acting_for: ContextVar[str] = ContextVar("acting_for", default="")
"""The domain of `mesh --as DOMAIN …`; empty for none."""

Format = Annotated[
    Form | None,
    typer.Option(
        "--format",
        help="Write the receipt as a page (Markdown, HTML), or its violations as a table (CSV).",
    ),
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        help="Folder of the local Azure's state, where its ready file tells how to reach it. "
        "Looked for in this folder and those above it: .local/state.",
        show_default=False,
    ),
]
Product = Annotated[str, typer.Argument(metavar="DOMAIN/PRODUCT", help="Address of the product.")]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=0, help="How long to wait at most.")
]


def connection(state: Path | None, *, acting: str = "") -> Connection:
    """How to reach the mesh from here, for a domain if one is to be acted for."""
    found = find_connection(os.environ, state, Path.cwd())
    return replace(found, acting=acting or acting_for.get())


@contextmanager
def mesh_at(state: Path | None, *, acting: str = "") -> Iterator[MeshClient]:
    """The mesh that the environment, or the local Azure, tells of."""
    with open_client(connection(state, acting=acting)) as client:
        yield client
