"""Measure parts of the mesh: `python -m scripts.bench_parts [PART…] [--json]`."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
from pathlib import Path

PARTS = tuple(
    sorted(
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if not path.stem.startswith("_") and "def measure(" in path.read_text(encoding="utf-8")
    )
)


def main() -> None:
    """Run the chosen parts, one after the other."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args()
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        parser.error(f"no part is called {unknown[0]!r}; there are {', '.join(PARTS)}")
    results = {}
    for name in options.parts or PARTS:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        results[name] = importlib.import_module(f"scripts.bench_parts.{name}").measure()
        if not options.json:
            _show(name, results[name])
    if options.json:
        print(json.dumps({"machine": platform.platform(), "results": results}))


def _show(name: str, numbers: dict[str, float]) -> None:
    print(f"\n{name}")
    width = max(map(len, numbers))
    for what, number in numbers.items():
        print(
            f"  {what:{width}}  {number:>12,.3f}"
            if number < 100
            else f"  {what:{width}}  {number:>12,.0f}"
        )


if __name__ == "__main__":
    main()
