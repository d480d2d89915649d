"""`python -m local.functions_host`: run a function app."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from pathlib import Path

from local.functions_host.host import Host, Options
from local.functions_host.host_json import read_host_json
from local.functions_host.indexing import index_app
from local.functions_host.logs import configure_logging
from local.functions_host.settings import read_local_settings
from local.process import LOOPBACK, LocalError, announce_ready, listening_socket, run_part


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m local.functions_host",
        description="Run a Python v2-model function app as Azure's Functions host does.",
    )
    parser.add_argument("--app", type=Path, required=True, help="folder with function_app.py")
    parser.add_argument(
        "--port", type=int, default=7071, help="port for HTTP; 0 takes a free one (7071)"
    )
    parser.add_argument(
        "--settings",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="local.settings.json file; may be given again, later ones win "
        "(default: the app's own, if it exists). The environment wins over all files.",
    )
    parser.add_argument(
        "--state", type=Path, help="folder for keys and timers (default: APP/.local/functions_host)"
    )
    parser.add_argument(
        "--keys", type=Path, metavar="FILE", help="JSON object with keys to use, e.g. host.master"
    )
    parser.add_argument(
        "--grace", type=float, default=10.0, help="seconds for running functions at a stop (10)"
    )
    parser.add_argument(
        "--reload", action="store_true", help="start anew when a .py or .json file of APP changes"
    )
    return parser.parse_args(arguments)


def apply_settings(app: Path, files: list[Path]) -> None:
    """Put the settings' values into the environment, as far as it does not have them."""
    own = app / "local.settings.json"
    values: dict[str, str] = {}
    for path in files or ([own] if own.exists() else []):
        values |= read_local_settings(path)
    for name, value in values.items():
        os.environ.setdefault(name, value)


async def serve(options: argparse.Namespace, bound: socket.socket, stop: asyncio.Event) -> None:
    """Index the app and run it until `stop`."""
    app = options.app.resolve()
    state = (options.state or app / ".local" / "functions_host").resolve()
    keys = options.keys.resolve() if options.keys else None
    apply_settings(app, options.settings)
    host_json = read_host_json(app)
    configure_logging(host_json.log_levels)
    functions = index_app(app, os.environ)
    host = Host(functions, host_json, Options(state=state, keys=keys, grace=options.grace))
    port = bound.getsockname()[1]
    announce_ready(
        "functions_host",
        url=f"http://{LOOPBACK}:{port}",
        functions=len(functions),
        state=str(state),
    )
    await host.run(bound, stop)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)

    async def _main(stop: asyncio.Event) -> None:
        if not options.app.is_dir():
            raise LocalError(f"{options.app}: no such folder. Give the app's folder with --app.")
        bound = listening_socket(options.port, purpose="the functions host", option="--port")
        await serve(options, bound, stop)

    run_part(_main)


if __name__ == "__main__":
    main()
