"""The README's first command, as a user runs it."""

from __future__ import annotations

import subprocess
import sys

from tests.ports.starting import ROOT


def test_the_demo_holds_every_expectation():
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--once"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "✗" not in done.stdout
    assert "expectations held" in done.stdout
