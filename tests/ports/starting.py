"""Start a part of the local Azure as its own process, as a user would."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def part(module: str, *options: str | Path) -> Iterator[dict[str, Any]]:
    """Run `python -m MODULE OPTIONS` until the block ends; yields what its ready line says."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *map(str, options)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield _ready(process, module)
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def _ready(process: subprocess.Popen[str], module: str) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready "):
            told: dict[str, Any] = json.loads(line.removeprefix("ready "))
            return told
    message = f"{module} ended with {process.wait()} before it was ready"
    raise AssertionError(message)


def token_of(settings: Mapping[str, str], client: str = "developer") -> str:
    """A token of the local issuer, for an application of its registrations."""
    import httpx

    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": settings["MESH_CLIENT_SECRET"],
        "scope": settings["MESH_SCOPE"],
    }
    answer = httpx.post(settings["MESH_TOKEN_URL"], data=form, timeout=30)
    found: str = answer.raise_for_status().json()["access_token"]
    return found
