"""The first small file after a cold start, from the start of the interpreter to the verdict.

Each figure is the median of processes of their own: import of the app, verdict on a thousand orders
with one bad row, and the whole job with typed Parquet, which loads what publishes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from scripts.bench_parts import orders

_ROWS = 1000
_ROUNDS = 5
_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = """
import io, json, sys, time
began = float(sys.argv[1])
import function_app
imported = time.time(), time.process_time()
from mesh.model.contract import DataContract
from mesh.validation import (
    FileFormat, NullSink, PublishingSink, compile_object, validate,
)
plan = compile_object(DataContract.from_document(json.loads(sys.argv[3])), "orders")
kind = FileFormat.from_name(sys.argv[2])
with open(sys.argv[2], "rb") as file:
    data = file.read()
sink = NullSink() if sys.argv[4] == "verdict" else PublishingSink(NullSink(), plan, kind)
report = validate(plan, [data], file_format=kind, sink=sink)
assert (report.rows, report.rejected) == (1000, 1), report
if sys.argv[4] != "verdict":
    sink.publish(io.BytesIO())
    sink.close()
done = time.time(), time.process_time()
print(json.dumps([imported[0] - began, imported[1], done[0] - began, done[1]]))
"""


def measure() -> dict[str, float]:
    """Seconds of the clock and of processors, the start of the interpreter included."""
    found: dict[str, float] = {}
    document = orders.contract_document()
    split = {"mode": "split", "maxRejectedShare": 0.01}
    document["customProperties"] = [{"property": "fileAcceptance", "value": split}]
    with tempfile.TemporaryDirectory() as folder:
        paths: dict[str, Path] = orders.write(Path(folder), _ROWS)
        paths["parquet"] = orders.write_parquet(Path(folder), _ROWS)
        for task in ("verdict", "verdict and Parquet"):
            for kind in ("csv", "jsonl", "parquet"):
                times = [_run(paths[kind], document, task) for _ in range(_ROUNDS)]
                app, app_cpu, whole, cpu = map(median, zip(*times, strict=True))
                found["function_app imported, s"] = app
                found["function_app imported, CPU s"] = app_cpu
                found[f"{kind}, {task}, s"] = whole
                found[f"{kind}, {task}, CPU s"] = cpu
    return found


def _run(path: Path, document: dict[str, Any], task: str) -> list[float]:
    """Seconds of the clock and of processors until the app is imported, and until all is done."""
    command = [sys.executable, "-c", _PROGRAM, str(time.time()), str(path)]
    done = subprocess.run(
        [*command, json.dumps(document), task],
        capture_output=True,
        text=True,
        check=True,
        cwd=_ROOT,
    )
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found
