"""The command line of the demo."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.client import open_client
from cli.connection import find_connection
from cli.demo import azure, reference
from cli.demo.consumer import receiving
from cli.failures import ExitCode
from cli.output import console, say
from cli.up import check_is_free


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Stop afterwards; exit 0 only if all went as expected.")
    ] = False,
) -> None:
    """Run the reference mesh on a local Azure, and follow each of its files to its subscriber.

    It keeps running, so that the other commands can be tried in another terminal, until Ctrl-C.
    With --once it uses free ports and a state of its own, and stops.
    """
    from cli.demo.run import Demo

    started = time.monotonic()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh-demo-")))
        state = scratch / "state" if once else Path(".local/state").absolute()
        check_is_free(state)
        with console(errors=True).status("Starting the local Azure"):
            stack.enter_context(azure.local_azure(state, free_ports=once))
        say(f"The local Azure runs (started in {time.monotonic() - started:.1f} s).\n")
        connection = find_connection(_without_mesh(os.environ), state, Path.cwd())
        run = Demo(
            mesh=stack.enter_context(open_client(connection)),
            connection=connection,
            consumer=stack.enter_context(receiving()),
            scratch=scratch,
        )
        run.onboard()
        stack.callback(run.unsubscribe)
        run.subscribe()
        run.drop(reference.good_files(), title="Good files")
        run.compose()
        run.drop(reference.bad_files(), title="Bad files: each teaches one kind of mistake")
        good = run.conclude()
        if once:
            if not good:
                kept = shutil.copytree(
                    state / "logs", tempfile.mkdtemp(prefix="mesh-demo-logs-"), dirs_exist_ok=True
                )
                say(f"The logs of the local Azure are in {kept}.")
            raise typer.Exit(ExitCode.DONE if good else ExitCode.REFUSED)
        _keep_running(connection.url)


def _keep_running(url: str) -> None:
    say(
        f"\nThe mesh keeps running at {url}. Try, in another terminal:",
        "  .venv/bin/mesh products",
        "  .venv/bin/mesh where runways.csv",
        "  .venv/bin/mesh drop examples/geography/countries/good/countries.csv "
        "--to geography/countries --wait",
        "http://127.0.0.1:4318 shows each file's trace in a browser. Ctrl-C stops it.",
    )
    with _until_interrupted():
        while True:
            time.sleep(3600)


@contextmanager
def _until_interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say("Stopping.")


def _without_mesh(environ: os._Environ[str]) -> dict[str, str]:
    """The environment without another mesh's address: the demo talks to its own."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(("MESH_", "STORAGE", "SERVICE_BUS"))
    }
