"""`docs/problems.md` lists every kind of problem there is, with its status, and no other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.errors import NotFound

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "problems.md").read_text(encoding="utf-8")
OF_THE_API, OF_THE_COMMAND = DOCUMENT.split("## Of the API")[1].split("## Of the command")


USUAL = {"Rejected": "400", "NotFound": "404", "TooMany": "429"}
"""The status of each kind of refusal, where the code that raises it says no other."""


def rows(part: str) -> list[list[str]]:
    lines = [line for line in part.splitlines() if line.startswith("| `")]
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines]


def calls(*folders: str) -> Iterator[ast.Call]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def raised_by_the_api() -> dict[str, set[str]]:
    """The statuses of each slug, as the code that raises it says."""
    found: dict[str, set[str]] = defaultdict(set)
    found[NotFound("x").problem].add(str(NotFound("x").status))
    for call in calls("mesh", "handlers"):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        given = {word.arg: word.value for word in call.keywords}
        if name == "_problem" and isinstance(call.args[0], ast.Constant):
            found[call.args[0].value].add(str(ast.literal_eval(call.args[2])))
        if name in USUAL:
            status = given.get("status")
            said = USUAL[name] if status is None else str(ast.literal_eval(status))
            if "problem" in given:
                found[ast.literal_eval(given["problem"])].add(said)
    return found


def test_each_problem_of_the_api_is_listed_with_its_status():
    listed = {cells[0]: set(cells[1].split(", ")) for cells in rows(OF_THE_API)}

    assert listed == raised_by_the_api()


def test_each_problem_of_the_command_is_listed():
    raised = {
        word.value.value
        for call in calls("cli")
        for word in call.keywords
        if word.arg == "problem" and isinstance(word.value, ast.Constant)
    }
    source = (ROOT / "cli" / "failures.py").read_text(encoding="utf-8")
    raised |= set(re.findall(r'problem: str = "([a-z-]+)"', source))
    source = (ROOT / "cli" / "client.py").read_text(encoding="utf-8")
    raised |= set(re.findall(r'problem: str = "([a-z-]+)"', source))
    # What the mesh refuses in the command itself keeps the slug that the API would give it.
    assert {cells[0] for cells in rows(OF_THE_COMMAND)} == raised - {
        "unknown-dead-letter",
        "unknown-drop",
    }


@pytest.mark.parametrize("part", [OF_THE_API, OF_THE_COMMAND])
def test_each_problem_says_what_to_do(part):
    for cells in rows(part):
        assert all(cell.endswith(".") for cell in cells[-2:]), cells
