"""The command as a whole: help, version, errors as JSON, and what it costs to start."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import mesh
from cli import up
from cli.failures import Failed
from cli.main import CLOSED_PIPE, app
from cli.output import duration, plural, show, size, table
from cli.sections import SECTIONS

GROUP = typer.main.get_command(app)
ROOT = Path(__file__).parents[3]
ID = "0" * 20 + "-" + "0" * 12


def test_help_lists_the_commands():
    done = CliRunner().invoke(app, ["--help"])

    assert done.exit_code == 0
    for name in GROUP.commands:
        assert f"\n  {name} " in done.stdout
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(GROUP.commands)
    assert done.stdout.count("...") == 1  # of the usage
    assert "\n    mesh where my.csv " in done.stdout


@pytest.mark.parametrize(
    ("words", "found"), [("mesh rep", {"replay"}), ("mesh check --cont", {"--contract"})]
)
def test_the_shell_completes(words, found):
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}

    done = CliRunner().invoke(
        app, prog_name="mesh", env={**asked, "_MESH_COMPLETE": "complete_bash"}
    )

    assert {*done.stdout.split()} == found


def test_the_version():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"{mesh.__version__}\n"


LEAVES = sorted(
    f"{name} {inner}".strip()
    for name, command in GROUP.commands.items()
    for inner in getattr(command, "commands", [""])
)


@pytest.mark.parametrize("name", LEAVES)
def test_each_command_has_help_and_speaks_json_but_those_that_run_on(name):
    done = CliRunner().invoke(app, [*name.split(), "--help"])

    assert done.exit_code == 0
    assert ("--json" in done.stdout) == (name not in {"up", "demo"})


def test_help_loads_none_of_what_commands_work_with():
    heavy = ("httpx", "azure", "jsonschema", "yaml", "aiohttp", "tenacity", "msgspec")
    program = (
        "import sys; from typer.testing import CliRunner; from cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "No such command 'nonsense'."),
        (["events"], "Missing argument 'DOMAIN/PRODUCT'."),
        (["drop", "x.csv", "--to", "a/b"], "'x.csv' does not exist"),
        (["products", "--no-such-option"], "No such option"),
        (["subscribe", "a/b", "--pull"], "Missing option '--as'"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_in_either_form(arguments, says):
    shown = CliRunner().invoke(app, arguments)
    told = CliRunner().invoke(app, [*arguments, "--json"])

    assert shown.exit_code == told.exit_code == 2
    assert says in shown.stderr
    assert says in json.loads(told.stderr)["detail"]
    assert shown.stdout == told.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("onboarding", "x"),
        ("approve", "x", "--by", "A", "--reason", "B"),
        ("refuse", "x", "--by", "A", "--reason", "B"),
        ("where", "none.csv"),
        ("where", ID),
        ("receipt", "a1/b1", "x"),
        ("subscribe", "a1/b1", "--as", "c1", "--pull"),
        ("subscriptions", "a1/b1"),
        ("unsubscribe", "a1/b1", "x"),
        ("rotate-secret", "a1/b1", "x"),
        ("product", "a1/b1"),
        ("events", "a1/b1"),
        ("events", "a1/b1", "--follow"),
    ],
)
def test_a_refusal_is_a_problem_on_standard_error(run, arguments):
    shown = run(*arguments)
    told = run(*arguments, "--json")

    assert shown.exit_code == told.exit_code == 1
    problem = json.loads(told.stderr)
    assert problem["type"].startswith("urn:mesh:problems:unknown-")
    assert shown.stderr == f"Error: {problem['detail']}\n"
    assert shown.stdout == told.stdout == ""


def test_up_starts_the_local_azure_in_place_of_itself(tmp_path):
    config = tmp_path / "infra" / "local.json"
    config.parent.mkdir()
    config.write_text("{}", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "up", "--config", config],
        capture_output=True,
        text=True,
        check=False,
    )

    state = tmp_path / ".local" / "state"
    assert done.returncode == 2
    said, error = done.stderr.splitlines()
    assert said == f"Starting the local Azure; its state is in {state}. Ctrl-C stops it."
    assert error.startswith(f"error: {config}: app is missing;")


def test_up_says_where_the_mesh_runs_already(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/api"
        ready = tmp_path / "azure.json"
        ready.write_text(json.dumps({"settings": {"MESH_URL": url}}), encoding="utf-8")

        with pytest.raises(Failed, match=f"The mesh runs already, at {url}, on ") as failed:
            up.check_is_free(tmp_path)
        assert failed.value.code == 2

    up.check_is_free(tmp_path)  # killed, and its ready file left
    ready.write_text("{", encoding="utf-8")
    up.check_is_free(tmp_path)


def test_up_finds_the_project_from_below(tmp_path):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    config = tmp_path / "infra" / "local.json"
    config.parent.mkdir()
    config.write_text("{}", encoding="utf-8")

    assert up.find_config(below) == config
    assert up.find_config(Path("/")) == Path(up.__file__).parents[1] / "infra" / "local.json"


def test_up_finds_no_project(monkeypatch, tmp_path):
    monkeypatch.setattr(up, "CONFIG", Path("infra/none.json"))

    with pytest.raises(Failed, match=r"There is no infra/none.json here or above."):
        up.find_config(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.000 s"),
        (0.1234, "0.123 s"),
        (1, "1.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86_399, "23 h 59 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_for_people(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("octets", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_234_567, "1.23 MB"), (5 * 10**12, "5 TB")],
)
def test_sizes_for_people(octets, shown):
    assert size(octets) == shown


def test_numbers_of_things():
    assert [plural(1, "row"), plural(0, "row"), plural(12345, "row")] == [
        "1 row",
        "0 rows",
        "12,345 rows",
    ]


LINT = ["contract", "lint", str(ROOT / "examples/geography/countries/countries.odcs.yaml")]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_full_disk_is_no_verdict(more, capsys):
    with (
        Path("/dev/full").open("w") as full,
        redirect_stdout(full),
        pytest.raises(SystemExit) as end,
    ):
        app([*LINT, *more])

    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "The output cannot be written: No space left on device. Make room, or" in said


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_reader_that_went_away_is_no_verdict(more, capsys):
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w") as pipe, redirect_stdout(pipe), pytest.raises(SystemExit) as end:
        app([*LINT, *more])

    assert end.value.code == CLOSED_PIPE
    assert capsys.readouterr().err == ""


def test_a_narrow_terminal_gets_lists(monkeypatch, capsys):
    rows = [("6", "wikipedia_link", "wikipedia_link is required and missing."), ("7", "", "Odd.")]
    made = table(("row", "field", "what is wrong"), rows, title="Violations")

    monkeypatch.setenv("COLUMNS", "30")
    show(made)
    narrow = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "80")
    show(made)
    wide = capsys.readouterr().out

    assert narrow.splitlines() == [
        "Violations",
        "",
        "row: 6",
        "field: wikipedia_link",
        "what is wrong: wikipedia_link ",
        "is required and missing.",
        "",
        "row: 7",
        "what is wrong: Odd.",
    ]
    assert " row   field            what is wrong" in wide
