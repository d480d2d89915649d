"""`python -m local.functions_host`: run a function app."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import socket
import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, NoReturn

from local.functions_host.easy_auth import Authentication
from local.functions_host.host import Host, Options
from local.functions_host.host_json import read_host_json
from local.functions_host.indexing import index_app
from local.functions_host.logs import configure_logging
from local.functions_host.settings import read_local_settings
from local.process import (
    LOOPBACK,
    LocalError,
    announce_ready,
    die_with_parent,
    listening_socket,
    run_part,
)

_EPILOG = """\
When it is ready it prints one line, `ready {...}`, with its url. It logs to standard error, one
JSON object a line. It listens on loopback only. An app that Azure would not serve ends it with
code 2 and one line that says why; with --reload it waits for the files to change.

The app's keys are in STATE/secrets; /admin/functions and /admin/host/status take the master key.
KEYS may hold host.master, host.function.NAME, host.systemKey.NAME, functions.FUNCTION.NAME.
"""


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m local.functions_host",
        description="Run a Python v2-model function app as Azure's Functions host does.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
        "--authentication",
        type=Path,
        metavar="FILE",
        help="check tokens as App Service authentication does; a file in the form of "
        "authsettingsV2. Without it, nobody is checked",
    )
    parser.add_argument(
        "--grace", type=float, default=10.0, help="seconds for running functions at a stop (10)"
    )
    parser.add_argument(
        "--reload", action="store_true", help="start anew when a .py or .json file of APP changes"
    )
    parser.add_argument("--listen-fd", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def apply_settings(app: Path, files: list[Path]) -> None:
    """Put the settings' values into the environment, as far as it does not have them."""
    own = app / "local.settings.json"
    values: dict[str, str] = {}
    for path in files or ([own] if own.exists() else []):
        values |= read_local_settings(path)
    for name, value in values.items():
        os.environ.setdefault(name, value)


def host_id_of(app: Path, environ: Mapping[str, str]) -> str:
    """Tell the host's id, under which receipts and queues stand: given, or of the app's folder."""
    digest = hashlib.sha256(str(app).encode()).hexdigest()
    return environ.get("AzureFunctionsWebHost__hostid") or f"local-{digest[:16]}"


async def serve(options: argparse.Namespace, bound: socket.socket, stop: asyncio.Event) -> None:
    """Index the app and run it until `stop`."""
    app = options.app.resolve()
    state = (options.state or app / ".local" / "functions_host").resolve()
    keys = options.keys.resolve() if options.keys else None
    wanted = Authentication.read(options.authentication) if options.authentication else None
    apply_settings(app, options.settings)
    host_json = read_host_json(app)
    configure_logging(host_json.log_levels)
    functions = index_app(app, os.environ)
    host_id = host_id_of(app, os.environ)
    host = Host(
        functions,
        host_json,
        Options(
            state=state, keys=keys, grace=options.grace, host_id=host_id, authentication=wanted
        ),
    )
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
    given = sys.argv[1:] if arguments is None else arguments
    options = parse_arguments(given)

    async def _main(stop: asyncio.Event) -> None:
        if not options.app.is_dir():
            raise LocalError(f"{options.app}: no such folder. Give the app's folder with --app.")
        bound = _socket(options)
        if not options.reload or options.listen_fd is not None:
            await serve(options, bound, stop)
            return
        from local.functions_host.reload import Supervisor

        supervisor = Supervisor(options.app.resolve(), absolute(options), bound, options.grace)
        await supervisor.run(stop)

    die_with_parent()
    _run_and_exit(_main)


def absolute(options: argparse.Namespace) -> list[str]:
    """Write the options for a child that runs in another folder."""
    arguments = ["--app", str(options.app.resolve()), "--grace", str(options.grace)]
    for path in options.settings:
        arguments += ["--settings", str(path.resolve())]
    for name in ("state", "keys", "authentication"):
        if (path := getattr(options, name)) is not None:
            arguments += [f"--{name}", str(path.resolve())]
    return arguments


def _run_and_exit(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> NoReturn:
    """End at once after `main`: a function that never returns must not keep its thread going."""
    code = 0
    try:
        run_part(main)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 (it is printed, and the process ends)
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _socket(options: argparse.Namespace) -> socket.socket:
    if options.listen_fd is not None:
        return socket.socket(fileno=options.listen_fd)
    return listening_socket(options.port, purpose="the functions host", option="--port")


if __name__ == "__main__":
    main()
