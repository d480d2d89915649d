"""Apps that Azure would not serve: each is refused with the function's name and what to do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.functions_host.hosting import ROOT, write_app

ENVIRON = {
    **os.environ,
    "SB": "Endpoint=sb://x;SharedAccessKeyName=a;SharedAccessKey=b",
    "STORE": "UseDevelopmentStorage=true",
}


def start(app: Path, *options: str | Path, **environ: str) -> tuple[int, str]:
    """Start a host that must not start; its code and what it said."""
    command = [sys.executable, "-m", "local.functions_host", "--app", app, "--port=0", *options]
    done = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**ENVIRON, **environ},
        timeout=60,
        check=False,
    )
    assert "ready" not in done.stdout
    return done.returncode, done.stderr


WRONG_APPS = [
    ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
    ("x = (", "'(' was never closed (function_app.py, line"),
    ("raise RuntimeError('at import')", "cannot be imported: RuntimeError: at import"),
    ("", "declares no function; decorate one"),
    ("other = func.FunctionApp()", "has 2 top-level function apps"),
    ("del app", "has no top-level function app"),
    (
        "@app.route(route='x')\ndef one(req): ...\n@app.route(route='y')\ndef one(req): ...",
        "one does not have a unique function name",
    ),
    ("@app.function_name('f')\ndef f(): ...", "Function f does not have a trigger"),
    (
        "@app.queue_trigger(arg_name='m', queue_name='q', connection='GONE')\ndef f(m): ...",
        "Function 'f': the connection 'GONE' is not configured. Set the app setting GONE",
    ),
    (
        "@app.timer_trigger(arg_name='t', schedule='%WHEN%')\ndef f(t): ...",
        "Function 'f', binding 't' (schedule): '%WHEN%' does not resolve",
    ),
    (
        "@app.timer_trigger(arg_name='t', schedule='daily')\ndef f(t): ...",
        "Function 'f': the schedule 'daily' cannot be read",
    ),
    (
        (
            "@app.event_hub_message_trigger(arg_name='e', event_hub_name='h', connection='SB')\n"
            "def f(e): ..."
        ),
        "Function 'f': this host has no trigger 'eventHubTrigger'",
    ),
    (
        (
            "@app.route(route='x')\n"
            "@app.cosmos_db_output(arg_name='o', database_name='d', container_name='c', "
            "connection='SB')\ndef f(req, o: func.Out[str]): ..."
        ),
        "Function 'f': this host has no output binding 'cosmosDB' (parameter 'o')",
    ),
    (
        "@app.route(route='x/{y')\ndef f(req): ...",
        "Function 'f', route 'api/x/{y': '{y' has a brace without its partner",
    ),
    (
        "@app.route(route='x')\ndef f(req, other): ...",
        "Function 'f': the parameters ['other'] have no binding",
    ),
    (
        "@app.route(route='x', trigger_arg_name='request')\ndef f(): ...",
        "Function 'f': the bindings ['request'] have no parameter of that name",
    ),
    (
        "@app.route(route='x')\ndef f(req: int): ...",
        "Function 'f': the parameter 'req' is annotated <class 'int'>",
    ),
    (
        "@app.route(route='x')\ndef f(req: 'Nowhere'): ...",
        "Function 'f': its annotations cannot be evaluated: NameError",
    ),
    (
        "@app.route(route='x')\ndef f(req, context: int): ...",
        "Function 'f': its parameter 'context' must be annotated azure.functions.Context",
    ),
    (
        "@app.route(route='x')\ndef f(req) -> int: ...",
        "Function 'f': the parameter '$return' is annotated <class 'int'>",
    ),
    (
        (
            "@app.route(route='x')\n"
            "@app.service_bus_queue_output(arg_name='o', queue_name='q', connection='SB')\n"
            "def f(req, o: str): ..."
        ),
        "needs func.Out[…]",
    ),
    (
        (
            "@app.service_bus_queue_trigger(arg_name='m', queue_name='q', connection='SB')\n"
            "def f(m: func.Out[str]): ..."
        ),
        "needs the type of its trigger or input",
    ),
    (
        (
            "@app.service_bus_queue_trigger(arg_name='m', queue_name='q', connection='SB', "
            "cardinality='many')\ndef f(m: list[func.ServiceBusMessage]): ..."
        ),
        "Function 'f': the parameter 'm' is annotated list[",
    ),
    (
        (
            "@app.timer_trigger(arg_name='t', schedule='0 * * * * *')\n"
            "@app.retry(strategy='sometimes', max_retry_count='1')\ndef f(t): ..."
        ),
        "Function 'f', retry policy: unknown strategy 'sometimes'",
    ),
    (
        "@app.blob_trigger(arg_name='b', path='{all}/x', connection='STORE')\ndef f(b): ...",
        "Function 'f': the path '{all}/x' must begin with the name of a container",
    ),
]


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """Code and words of the host for each wrong app: one process, which forks for each of them."""
    folders = []
    for source, _ in WRONG_APPS:
        folders.append(write_app(tmp_path_factory.mktemp("wrong"), source))
    program = (
        "import os, sys\n"
        "from local.functions_host import __main__ as command, host\n"
        "for app in sys.argv[1:]:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os.dup2(os.open(app + '/said', os.O_CREAT | os.O_WRONLY), 2)\n"
        "        command.main(['--app', app, '--port=0'])\n"
        "    _, status = os.waitpid(child, 0)\n"
        "    print(os.waitstatus_to_exitcode(status))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, folders)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=ENVIRON,
        timeout=120,
        check=True,
    )
    codes = map(int, done.stdout.split())
    return [(code, (f / "said").read_text()) for code, f in zip(codes, folders, strict=True)]


@pytest.mark.parametrize("number", range(len(WRONG_APPS)))
def test_a_wrong_app_is_refused(refusals: list[tuple[int, str]], number: int) -> None:
    code, said = refusals[number]
    assert WRONG_APPS[number][1] in said
    assert code == 2
    (error,) = [line for line in said.splitlines() if not line.startswith("{")]
    assert error.startswith("error: ")


def test_an_app_must_be_there(tmp_path: Path) -> None:
    assert start(tmp_path / "nowhere")[0] == 2
    assert "no such folder. Give the app's folder with --app" in start(tmp_path / "nowhere")[1]
    assert "host.json: not found" in start(tmp_path)[1]
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    assert "has no function_app.py" in start(tmp_path)[1]
    code, said = start(tmp_path, PYTHON_SCRIPT_FILE_NAME="../x.py")
    assert (code, "is no name of a .py file" in said) == (2, True)


def test_settings_must_be_readable(tmp_path: Path) -> None:
    app = write_app(tmp_path, "")
    settings = tmp_path / "other.json"
    settings.write_text(json.dumps({"IsEncrypted": True}))
    code, said = start(app, "--settings", settings)
    assert (code, "func settings decrypt" in said) == (2, True)
    (app / "local.settings.json").write_text("{")
    assert "local.settings.json: cannot be read as JSON" in start(app)[1]


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    app = write_app(tmp_path, "@app.route(route='x')\ndef f(req): ...")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = start(app, f"--port={port}")
    assert code == 2
    assert f"Port {port} for the functions host is in use" in said
    assert "--port" in said
