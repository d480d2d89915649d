"""One large CSV lands: memory and rate of the worker that judges it, gigabyte by gigabyte.

Run it alone with `python scripts/bench_parts/large.py [--gigabytes N] [--bad]`. The file is made
while it is read, by a blob service in a process of its own (`made_blobs`), each row with a key of
its own; with `--bad` each row is bad. The worker is a process with the whole app loaded, and the
SDK of Azure between it and the blobs; its record and queues are in memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_parts import orders
from bench_parts.made_blobs import BLOB, ETAG, GIGABYTE

if TYPE_CHECKING:
    from mesh.backbone import Backbone

_PAUSE_S = 0.2
_SLICES = 10
_CONTRACT_ID = "urn:mesh:sales:orders:orders"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def measure(gigabytes: float = 0.5, *, bad: bool = False) -> dict[str, float]:
    """Peak of memory, its growth with each gigabyte, and the rate of each tenth of the file."""
    with _process("made_blobs.py", str(gigabytes), *["--bad"] * bad) as blobs:
        assert blobs.stdout
        port = int(blobs.stdout.readline())
        with _process("large.py", "--land", str(port)) as worker, httpx.Client() as http:
            assert worker.stdout
            worker.stdout.readline()  # it is ready
            return _watched(worker, http, f"http://127.0.0.1:{port}/told")


@contextmanager
def _process(name: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(__file__).with_name(name)), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _watched(worker: subprocess.Popen[str], http: httpx.Client, url: str) -> dict[str, float]:
    """Tell of each tenth of the file as it passes, and of all of it at the end."""
    size = http.get(url).json()["size"]
    numbers = {"size, GB": size / GIGABYTE, "peak before, MB": _memory(worker.pid)["VmHWM"]}
    started = last_at = time.perf_counter()
    last_read, last_cpu, most, growth = 0, _processor(worker.pid), 0.0, []
    while worker.poll() is None:
        time.sleep(_PAUSE_S)
        read, memory = http.get(url).json()["read"], _memory(worker.pid)
        most = max(most, memory.get("VmRSS", 0.0))
        numbers["peak, MB"] = memory.get("VmHWM", numbers.get("peak, MB", 0.0))
        if read < last_read + size / _SLICES and not (read == size > last_read):
            continue
        now, cpu, name = time.perf_counter(), _processor(worker.pid), f"{read / GIGABYTE:.2f} GB"
        megabytes = (read - last_read) / 1e6
        told = {
            f"at {name}, MB/s": megabytes / (now - last_at),
            f"at {name}, MB per processor second": megabytes / max(cpu - last_cpu, 0.01),
            f"at {name}, most resident, MB": most,
        }
        print("  " + ", ".join(f"{key} {number:.1f}" for key, number in told.items()), flush=True)
        numbers |= told
        growth.append((read / GIGABYTE, most))
        last_at, last_read, last_cpu, most = now, read, cpu, 0.0
    if len(growth) > 3:
        (first, low), (end, high) = growth[1], growth[-1]
        numbers["growth after the second tenth, MB per GB"] = (high - low) / (end - first)
    numbers["in all, s"] = time.perf_counter() - started
    assert worker.stdout
    print(f"  {worker.stdout.read().strip()}", flush=True)
    return numbers


def _memory(pid: int) -> dict[str, float]:
    """Of a process, in MB: `VmRSS` now, `VmHWM` at most."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    pairs = (line.split() for line in lines if line.startswith(("VmRSS", "VmHWM")))
    return {name.rstrip(":"): int(kilobytes) / 1000 * 1.024 for name, kilobytes, _ in pairs}


def _processor(pid: int) -> float:
    """Seconds that a process has burnt."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def land(port: int) -> None:
    """Be the worker."""
    import datetime as dt
    from dataclasses import replace

    import function_app  # noqa: F401 - what the host has loaded
    from mesh import landing
    from mesh.azure.clients import Clients
    from mesh.azure.storage import BlobStorage
    from mesh.backbone import in_memory
    from mesh.model.dropped_file import DroppedFile
    from mesh.settings import Settings

    url = f"http://127.0.0.1:{port}/devstoreaccount1"
    connection = f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={_KEY};"
    settings = Settings(
        storage=f"{connection}BlobEndpoint={url};TableEndpoint={url};QueueEndpoint={url};",
        event_grid_topic=url,
        webhook_signing_key="",
        webhook_origin="",
    )
    world = replace(in_memory(), storage=BlobStorage(Clients(settings)))
    _onboard(world)
    print("ready", flush=True)
    dropped = DroppedFile(
        url=f"{url}/landing/{BLOB}",
        etag=ETAG.strip('"'),
        size=0,
        sequencer="",
        landed_at=dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
    )
    entry = landing.receive(world, dropped)
    print(f"{entry.rows:,} rows: {entry.verdict}. {entry.summary[:300]}", flush=True)


def _onboard(world: Backbone) -> None:
    from mesh import onboarding

    product = {
        "apiVersion": "v1.0.0",
        "kind": "DataProduct",
        "id": "urn:mesh:sales:orders",
        "name": "Orders",
        "version": "1.0.0",
        "status": "active",
        "domain": "sales",
        "description": {"purpose": "To be measured."},
        "outputPorts": [{"name": "orders", "version": "1.0.0", "contractId": _CONTRACT_ID}],
        "support": [{"channel": "orders", "url": "mailto:orders@example.com"}],
        "team": {"name": "Sales", "members": [{"username": "o@example.com", "role": "owner"}]},
    }
    contract = {**orders.contract_document(), "id": _CONTRACT_ID}
    files = {"product.odps.json": json.dumps(product), "orders.odcs.json": json.dumps(contract)}
    saga = onboarding.request(world, files, requested_by="bench")
    while saga.status == "running":
        saga = onboarding.advance(world, saga.id)
    if saga.status != "registered":
        raise RuntimeError(saga.findings)


def main() -> None:
    """Measure, and print; or be the worker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=0.5)
    parser.add_argument("--bad", action="store_true", help="each row is bad")
    parser.add_argument("--land", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.land:
        land(options.land)
        return
    numbers = measure(options.gigabytes, bad=options.bad)
    print("\n".join(f"{name:45} {number:>10,.1f}" for name, number in numbers.items()))


if __name__ == "__main__":
    main()
