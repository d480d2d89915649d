"""The local Azure of a demo, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.failures import ExitCode, Failed
from cli.up import find_config

STOPPED_WITHIN_S = 40


@contextmanager
def local_azure(state: Path, *, free_ports: bool) -> Iterator[None]:
    """Run the local Azure with the mesh on it until the block ends.

    Raises:
        Failed: it cannot start; the message is its own.
    """
    config = find_config(Path(__file__).parent)
    command = [sys.executable, "-m", "local", f"--config={config}", f"--state={state}"]
    command.append("--stop-with-parent")
    with subprocess.Popen(
        command + (["--free-ports"] if free_ports else []),
        cwd=config.parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None  # it was started with a pipe
        try:
            if not process.stdout.readline().startswith("ready "):
                assert process.stderr is not None  # as above
                message = process.stderr.read().strip().removeprefix("error: ")
                raise Failed(message, problem="no-local-azure", code=ExitCode.UNAVAILABLE)
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
