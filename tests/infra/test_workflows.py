"""Workflows and hooks: they sign in without secrets, and what they name is there."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.bicep.checking import INFRA, plan, sources
from tests.infra.bicep.parameters import parameters_of
from tests.infra.entities import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
HOOKS = sorted((INFRA / "hooks").glob("*.sh"))

FAKE_AZ = """#!/usr/bin/env bash
# Stands in for the Azure CLI: notes its arguments, and what it can read of the parameters' file.
echo "$*" >> "$FAKE_AZ_LOG"
case "$1 $2" in
    "rest --method") printf '%s' "$FAKE_AZ_FOUND" ;;
    "deployment group") cat "${!#//@/}" > "$FAKE_AZ_PARAMETERS" ;;
esac
"""


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_few_rights_and_no_secrets(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    permissions = read(path)["permissions"]

    assert permissions.pop("contents") == "read"
    assert permissions in ({}, {"id-token": "write"})
    assert "secrets." not in text
    assert ("id-token" in text) == ("azure/login@" in text)
    for job in read(path)["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            # What a stranger may write (titles, branches) is never pasted into a script.
            assert "${{ github." not in step.get("run", "")


def used(text: str) -> list[str]:
    """What a workflow or an action uses of others, with the comment beside it."""
    return re.findall(r"^\s*(?:- )?uses: (.+)$", text, re.MULTILINE)


def is_pinned(action: str) -> bool:
    """Whether it is named by a commit, which nobody can move, with the version for people."""
    return bool(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action))


def test_actions_of_others_are_pinned_by_commit() -> None:
    files = [*WORKFLOWS, *(ROOT / ".github" / "actions").rglob("action.yml")]
    named = [action for path in files for action in used(path.read_text(encoding="utf-8"))]
    commits = {tuple(action.partition("@")[::2]) for action in named}

    assert len(named) >= 10
    assert [action for action in named if not is_pinned(action)] == []
    assert len(commits) == len({name for name, _ in commits})  # one version of each


def test_an_action_that_is_not_pinned_would_be_noticed() -> None:
    [tag, branch] = used("steps:\n  - uses: actions/checkout@v4\n  - name: x\n    uses: a/b@main\n")

    assert not is_pinned(tag)
    assert not is_pinned(branch)


def test_files_that_are_named_are_there() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (*WORKFLOWS, ROOT / "azure.yaml")]
    pattern = re.compile(r"(?<![\w./$])((?:infra|scripts|\.ci)/[\w./-]*\w)")
    named = {name for text in texts for name in pattern.findall(text)}

    assert len(named) >= 5
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_azd_deploys_the_app_that_bicep_makes() -> None:
    services = read(ROOT / "azure.yaml")["services"]
    [app] = plan("public").deployed("Microsoft.Web/sites")

    assert app.body["tags"]["azd-service-name"] in services
    assert services["mesh"]["host"] == "function"
    infra = read(ROOT / "azure.yaml")["infra"]
    assert (ROOT / infra["path"] / f"{infra['module']}.bicep").is_file()


def test_the_page_deploys_a_node_alone_with_what_it_needs() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    [call] = re.findall(
        r"az deployment group create (?:.|\\\n)*?node\.bicep.*?```", page, re.DOTALL
    )
    given = set(re.findall(r"\b(\w+)=", call))
    needed = parameters_of(sources().file(INFRA / "modules" / "node.bicep"))

    assert given == {name for name, has_to_be in needed.items() if has_to_be}
    assert set(re.findall(r"\$(MESH_\w+)", call)) <= set(plan("public").outputs)


def test_the_parameters_are_parameters() -> None:
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    declared = re.findall(r"^param (\w+)", (INFRA / "main.bicep").read_text("utf-8"), re.MULTILINE)

    assert set(given) <= set(declared)
    assert {"environmentName", "location", "owner"} <= set(given)


@pytest.mark.parametrize("path", HOOKS, ids=lambda path: path.stem)
def test_a_hook_is_a_script_and_uses_what_the_deployment_tells(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(MESH_\w+):\?", text))

    assert path.stat().st_mode & stat.S_IXUSR
    assert asked
    assert asked <= set(plan("public").outputs)
    subprocess.run(["bash", "-n", str(path)], check=True)
    for file in re.findall(r"examples/[\w./-]*\w", text):
        assert (ROOT / file).exists()


def run_hook(folder: Path, *, found: str) -> list[str]:
    """Run the signing-key hook with a stand-in for `az`; returns the calls."""
    fake = folder / "az"
    fake.write_text(FAKE_AZ)
    fake.chmod(0o755)
    log = folder / "log"
    outputs = plan("public").outputs
    environ = {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "FAKE_AZ_LOG": str(log),
        "FAKE_AZ_FOUND": found,
        "FAKE_AZ_PARAMETERS": str(folder / "parameters.json"),
        "MESH_VAULT_ID": str(outputs["MESH_VAULT_ID"]),
        "MESH_SIGNING_KEY_NAME": str(outputs["MESH_SIGNING_KEY_NAME"]),
    }
    subprocess.run(
        [str(INFRA / "hooks" / "signing-key.sh")], env=environ, check=True, capture_output=True
    )
    return log.read_text().splitlines()


def test_the_first_deployment_makes_a_signing_key(tmp_path: Path) -> None:
    asked, made = run_hook(tmp_path, found="")
    parameters = json.loads((tmp_path / "parameters.json").read_text())
    key = parameters["value"]["value"]

    assert f"{plan('public').outputs['MESH_VAULT_ID']}/secrets?api-version=" in asked
    assert "--resource-group rg-dev-hub" in made
    assert "secretName=webhook-signing-key" in made
    assert len(base64.b64decode(key, validate=True)) == 32
    assert key not in made


def test_no_later_deployment_replaces_the_signing_key(tmp_path: Path) -> None:
    assert len(run_hook(tmp_path, found="webhook-signing-key")) == 1
