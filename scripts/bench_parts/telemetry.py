"""What telemetry costs: a hop's span, duration and log fields, off and exported; and imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

HOPS = 2_000
RUNS = 5
ROOT = Path(__file__).parents[2]

HOP = f"""
import time
from datetime import UTC, datetime
from mesh import telemetry
from mesh.model.dropped_file import DroppedFile
telemetry.configure()
file = DroppedFile(
    url="http://127.0.0.1/devstoreaccount1/landing/geo/places/v1/places/a.csv",
    etag="1", size=1, sequencer="", landed_at=datetime.now(UTC),
)
def hops(times):
    started = time.process_time()
    for _ in range(times):
        with telemetry.land(file):
            pass
    return (time.process_time() - started) / times
hops(100)
print(hops({HOPS}) * 1e6)
"""

API = """
import time
import function_app
import sys
ours = [name for name in sys.modules if name.startswith(("opentelemetry", "mesh.telemetry"))]
for name in ours:
    del sys.modules[name]
started = time.process_time()
import mesh.telemetry
print((time.process_time() - started) * 1e3)
"""


def measure() -> dict[str, float]:
    """CPU of one hop in microseconds, and of importing `mesh.telemetry` in milliseconds."""
    numbers = {"a hop, nothing configured, µs": _printed(HOP)}
    with _receiver() as url:
        numbers["a hop, exported, µs"] = _printed(HOP, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    return numbers | {"its part of import function_app, ms": _printed(API)}


def _printed(code: str, **environ: str) -> float:
    """The median of the numbers that the code prints, each in a process of its own."""
    return median(
        float(
            subprocess.run(
                [sys.executable, "-c", code],
                cwd=ROOT,
                env={**os.environ, **environ},
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for _ in range(RUNS)
    )


@contextmanager
def _receiver() -> Iterator[str]:
    command = [sys.executable, "-m", "local.telemetry", "--port=0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # it was started with a pipe
            yield json.loads(process.stdout.readline().removeprefix("ready "))["url"]
        finally:
            process.terminate()
