"""The GitHub Action and the pre-commit hooks: well-formed, and their commands work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ACTION: dict[str, Any] = yaml.safe_load(
    (ROOT / ".github/actions/mesh-check/action.yml").read_text(encoding="utf-8")
)
HOOKS: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
)
DOCUMENT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
COUNTRIES = ROOT / "examples" / "geography" / "countries"
SCRIPTS = {step["name"]: step for step in ACTION["runs"]["steps"] if "run" in step}


def run_step(name: str, tmp_path: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step as the runner would: its variables from the inputs, the summary in a file."""
    variables = {
        variable: inputs.get(re.sub(r".*inputs\.(\w+).*", r"\1", expression), "")
        for variable, expression in SCRIPTS[name]["env"].items()
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    summary = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "PATH": path}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", SCRIPTS[name]["run"]],
        check=False, cwd=ROOT, env={**os.environ, **variables, **summary},
        capture_output=True, text=True,
    )  # fmt: skip


def test_the_action_is_a_composite_one():
    assert ACTION["runs"]["using"] == "composite"
    for entry in ACTION["inputs"].values():
        assert entry.keys() == {"description", "required", "default"}
    for step in SCRIPTS.values():
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]  # an input in a script would be run as one


def test_every_input_is_used_and_told_of():
    text = (ROOT / ".github/actions/mesh-check/action.yml").read_text(encoding="utf-8")

    assert set(re.findall(r"inputs\.(\w+)", text)) == set(ACTION["inputs"])
    assert set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE)) == set(ACTION["inputs"])


def test_the_action_lints_and_tries(tmp_path):
    contracts = "examples/geography/countries/countries.odcs.yaml\n\n"

    linted = run_step("Lint contracts", tmp_path, lint=contracts)
    tried = run_step("Try samples", tmp_path, folder="examples/aerodromes/frequencies")

    assert linted.returncode == 0, linted.stderr
    assert "1 file, no findings" in linted.stdout
    assert tried.returncode == 0, tried.stderr


@pytest.mark.parametrize(("files", "code"), [("good/*.csv", 0), ("bad/l*.csv\ngood/*.csv", 1)])
def test_the_action_judges_and_writes_the_summary(tmp_path, files, code):
    patterns = "\n".join(f"examples/geography/countries/{name}" for name in files.split("\n"))

    done = run_step(
        "Judge files", tmp_path, files=patterns, object="countries",
        contract="examples/geography/countries/countries.odcs.yaml",
    )  # fmt: skip

    assert done.returncode == code, done.stderr
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "# countries.csv: accepted" in summary
    assert ("# lower-case-code.csv: rejected" in summary) == bool(code)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_is_well_formed(hook):
    """The keys that pre-commit asks for, and patterns that Python understands."""
    assert {"id", "name", "entry", "language"} <= hook.keys()
    assert hook["language"] == "system"  # a wheel holds no schemas
    assert re.compile(hook["files"])
    assert f"`{hook['id']}`" in DOCUMENT
    assert f"- id: {hook['id']}\n" in DOCUMENT


def test_the_hooks_run_on_what_they_match():
    lint, check = HOOKS
    files = [path for path in COUNTRIES.rglob("*") if path.is_file()]
    contracts = [path for path in files if re.search(lint["files"], str(path))]
    data = [path for path in files if re.search(check["files"], str(path)) and "good" in str(path)]
    assert [path.name for path in contracts] == ["countries.odcs.yaml"]
    assert {path.suffix for path in data} == {".csv", ".jsonl"}

    for hook, arguments in ((lint, contracts), (check, ["--contract", *contracts, *data])):
        words = [str(Path(sys.executable).parent / "mesh"), *hook["entry"].split()[1:]]
        done = subprocess.run(
            [*words, *map(str, arguments)], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
