"""`mesh up`: the whole local Azure, with the mesh on it."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

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
    check_is_free(kept)
    text = f"Starting the local Azure; its state is in {kept}. Ctrl-C stops it."
    console(errors=True).print(plain(text), soft_wrap=True)
    command = [sys.executable, "-m", "local", f"--config={found}", f"--state={kept}"]
    if free_ports:
        command.append("--free-ports")
    sys.stdout.flush()
    # In place of this process: signals reach it, and its exit code is ours.
    os.execv(command[0], command)  # noqa: S606 - no shell, and our own interpreter


def check_is_free(state: Path) -> None:
    """See that no local Azure runs on this state: it says so itself, while it does.

    Raises:
        Failed: one does; the message says where it is.
    """
    try:
        told = json.loads((state / "azure.json").read_text(encoding="utf-8"))
        url = urlsplit(told["settings"]["MESH_URL"])
        socket.create_connection((url.hostname, url.port), timeout=1).close()
    except (OSError, ValueError, KeyError, TypeError):
        return  # none does; what a killed one left is no matter
    message = (
        f"The mesh runs already, at {url.geturl()}, on {state}: `mesh products` and all others "
        "reach it from here. Stop it where it runs (Ctrl-C), or take another --state and "
        "--free-ports."
    )
    raise wrong_call(message, problem="runs-already")


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
