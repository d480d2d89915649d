"""Fuzz readers, guided by the coverage of the mesh's own code: `scripts/fuzz [TARGET…]`.

Each target has a process of its own. What it found worth keeping stays in `.local/fuzz-corpus`, for
the next time; so does an input that crashed it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

from tests.fuzz.guided import KEPT
from tests.fuzz.targets import targets

_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s+(\d+)|^#(\d+)\t", re.MULTILINE)


def main() -> int:
    """Run the targets one after the other; 1 when one crashed."""
    names = list(targets())
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(names))
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    options = parser.parse_args()
    unknown = sorted(set(options.targets) - set(names))
    if unknown:
        parser.error(f"no target is called {unknown[0]!r}; there are {', '.join(names)}")
    total, crashed = 0, []
    for name in options.targets or names:
        count, crash = _run(name, options.seconds)
        total += count
        print(f"{name:10} {count:>10,} executions{crash}", flush=True)
        crashed += [name] * bool(crash)
    print(f"{total:,} executions; crashed: {', '.join(crashed) or 'none'}")
    return 1 if crashed else 0


def _run(name: str, seconds: int) -> tuple[int, str]:
    """How often a target was run, and where to see what made it crash."""
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    counts = [int(one or other) for one, other in _EXECUTIONS.findall(done.stderr)]
    log = KEPT / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    return max(counts, default=0), f", a crash: see {log}" if done.returncode else ""


if __name__ == "__main__":
    sys.exit(main())
