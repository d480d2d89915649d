"""Where Microsoft's worker library (`azure-functions-runtime`) is, and how it gets there.

The library declares Python 3.13. Where there is one, a virtual environment of its own gets it,
with the app's requirements. Beside that it runs in this interpreter, whatever its version: there
it is unpacked into a folder, without its declared dependencies. Run as a module it installs both.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".local" / "worker-library"
LIBRARY = "azure-functions-runtime==1.3.0"
MODERN = (3, 13)


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """A Python that has the library: how to call it, with which search path."""

    label: str
    python: Path
    extra_path: Path | None

    def environ(self, **settings: str) -> dict[str, str]:
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV_"))}
        if self.extra_path is not None:
            environ["PYTHONPATH"] = str(self.extra_path)
        return {**environ, **settings}


def interpreters() -> list[Interpreter]:
    """Install the library where it can run, if it is not there yet, and say where.

    Raises:
        subprocess.CalledProcessError: pip failed; its output says why.
    """
    found = [_here()]
    modern = next(_modern_pythons(), None)
    if modern is not None and sys.version_info < MODERN:
        found.append(_own_environment(modern))
    return found


def _here() -> Interpreter:
    target = FOLDER / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not _is_done(target, LIBRARY):
        shutil.rmtree(target, ignore_errors=True)
        options = ["--ignore-requires-python", "--no-deps", "--target", str(target)]
        _pip(Path(sys.executable), *options, LIBRARY)
        _mark_done(target, LIBRARY)
    return Interpreter(label="this", python=Path(sys.executable), extra_path=target)


def _own_environment(python: Path) -> Interpreter:
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    folder = FOLDER / "venv-3.13"
    own = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not _is_done(folder, requirements + LIBRARY):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", folder], check=True, capture_output=True)
        _pip(own, "-r", str(ROOT / "requirements.txt"), LIBRARY)
        _mark_done(folder, requirements + LIBRARY)
    return Interpreter(label="3.13", python=own, extra_path=None)


def _modern_pythons() -> Iterator[Path]:
    """Find Pythons 3.13 that start: a name on the path may be a shim without a Python behind."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = shutil.which("python3.13")
    candidates = [Path(named)] if named else []
    candidates += sorted(versions.glob("3.13*/bin/python3.13"))
    for candidate in candidates:
        tried = subprocess.run([candidate, "--version"], capture_output=True, check=False)
        if tried.returncode == 0:
            yield candidate


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)


def _is_done(folder: Path, wanted: str) -> bool:
    mark = folder / "installed"
    return mark.exists() and mark.read_text() == _digest(wanted)


def _mark_done(folder: Path, wanted: str) -> None:
    (folder / "installed").write_text(_digest(wanted))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    for interpreter in interpreters():
        print(f"{LIBRARY} for {interpreter.python}")
