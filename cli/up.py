"""`mesh up`: the whole local Azure, with the mesh on it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.failures import wrong_call
from cli.output import console, plain

CONFIG = Path("infra/local.json")


def up(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="What the local Azure holds. [default: infra/local.json, here or above]",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="DIR",
            help="Where everything is kept over a restart. [default: .local/state beside infra]",
        ),
    ] = None,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Take free ports, not the usual ones.")
    ] = False,
) -> None:
    """Start the local Azure with the mesh on it; Ctrl-C stops it.

    Writes a line beginning with `ready` when it can be used. Everything listens on loopback only.
    """
    found = (config or find_config(Path.cwd())).absolute()
    kept = (state or found.parents[1] / ".local" / "state").absolute()
    text = f"Starting the local Azure; its state is in {kept}. Ctrl-C stops it."
    console(errors=True).print(plain(text), soft_wrap=True)
    command = [sys.executable, "-m", "local", f"--config={found}", f"--state={kept}"]
    if free_ports:
        command.append("--free-ports")
    sys.stdout.flush()
    # In place of this process: signals reach it, and its exit code is ours.
    os.execv(command[0], command)  # noqa: S606 - no shell, and our own interpreter


def find_config(start: Path) -> Path:
    """The project's file, in `start` or a folder above it, or beside the installed command.

    Raises:
        Failed: there is none.
    """
    installed = Path(__file__).resolve().parents[1]
    for folder in (start, *start.parents, installed):
        if (folder / CONFIG).is_file():
            return folder / CONFIG
    message = (
        f"There is no {CONFIG} here or above. Go to the folder of the project, or name the file "
        f"with --config."
    )
    raise wrong_call(message, problem="no-config")
