"""`docs/cli.md` tells of every command and option, and its commands run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from string import Template

import pytest
import typer

from cli.connection import PATIENCE_S
from cli.failures import ExitCode
from cli.main import CLOSED_PIPE, INTERRUPTED, app
from mesh.model.names import ProductId
from tests.unit.test_dead_letters import letter

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COUNTRIES = ProductId(domain="geography", product="countries")
GROUP = typer.main.get_command(app)
LEAVES = {
    f"{name} {inner}".strip(): leaf
    for name, command in GROUP.commands.items()
    for inner, leaf in getattr(command, "commands", {"": command}).items()
}


def test_every_command_is_told_of():
    told = set(re.findall(r"`mesh ([a-z][a-z-]*(?: [a-z]+)?)`", DOCUMENT))

    assert told == set(LEAVES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_that_a_page_names_are_there(page):
    """In running text, and in blocks; a group of commands may stand for all of them."""
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^)mesh ([a-z][a-z-]*)(?: ([a-z]+)\b)?", text, re.MULTILINE)

    for name, inner in named:
        assert name in GROUP.commands, f"mesh {name}"
        if inner and hasattr(GROUP.commands[name], "commands"):
            assert inner in GROUP.commands[name].commands, f"mesh {name} {inner}"


def test_every_option_is_told_of():
    told = set(re.findall(r"--[a-z][a-z0-9-]*", DOCUMENT))
    real = {
        name
        for command in (GROUP, *LEAVES.values())
        for parameter in command.params
        for name in parameter.opts
        if name.startswith("--")
    }
    # The demo's own options are told of where the demo is.
    own = {name for parameter in GROUP.commands["demo"].params for name in parameter.opts} - {
        "--state",
        "--json",
    }
    assert real - own <= told
    assert told <= real | {"--help"}


def test_exit_codes_are_those_of_the_command():
    told = [int(code) for code in re.findall(r"^\| (\d+) \| ", DOCUMENT, re.MULTILINE)]

    assert told == [*ExitCode, INTERRUPTED, CLOSED_PIPE]
    assert f"0 to 3600 | {PATIENCE_S:.0f} |" in DOCUMENT


def test_its_commands_run(run, world, declared, contract_of, good, tmp_path, monkeypatch):
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
        for line in block.splitlines()
    ]
    folder = declared()
    shutil.copy(folder / "contract0.odcs.json", tmp_path / "countries.odcs.json")
    (tmp_path / "countries.odcs.json").rename(folder / "countries.odcs.json")
    (folder / "contract0.odcs.json").unlink()
    assert good.parent == tmp_path
    (folder / "good").mkdir()
    shutil.copy(good, folder / "good")
    monkeypatch.chdir(tmp_path)
    known = {"LETTER": "7", "POISON": "8", "REPOSITORY": str(ROOT)}
    world.dead_letters.letters += [
        letter("landed-files", 7),
        letter("onboarding", 8, b"?"),
    ]
    for line in lines:
        _prepare(line, known, run, declared, contract_of)
        words = shlex.split(Template(line).substitute(known))
        assert words[0] == "mesh"

        done = run(*words[1:])

        assert done.exit_code == 0, f"{line}\n{done.output}"


def _prepare(line, known, run, declared, contract_of):
    """Find or make what a variable of the line stands for."""
    if "$DROP" in line:
        told = json.loads(run("where", "countries.csv", "--json").stdout)
        known["DROP"] = told["drop"]
    if "$SUBSCRIPTION" in line:
        told = json.loads(run("subscriptions", "geography/countries", "--json").stdout)
        known["SUBSCRIPTION"] = next(
            wants["id"] for wants in told["subscriptions"] if wants["channel"] == "push"
        )
    if "$UPDATED" in line:
        events = json.loads(run("events", "geography/countries", "--json").stdout)["events"]
        known["UPDATED"] = next(
            str(int(event["sequence"])) for event in events if "updated" in event["type"]
        )
    if "$PULL" in line:
        told = json.loads(run("subscriptions", "geography/countries", "--json").stdout)
        known["PULL"] = next(
            wants["id"]
            for wants in told["subscriptions"]
            if wants["channel"] == "pull" and not wants["filters"]
        )
    for name, version in (("WAITING", "2.0.0"), ("OTHER", "3.0.0")):
        if f"${name}" in line and name not in known:
            for old in declared(COUNTRIES).glob("*.json"):
                old.unlink()
            contract = contract_of(version=version, classification="restricted")
            ports = (("countries", "1.0.0"), ("countries", version))
            files = declared(COUNTRIES, contract_of(), contract, ports=ports)
            known[name] = json.loads(run("onboard", files, "--json").stdout)["id"]
