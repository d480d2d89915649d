"""One large CSV through the whole local Azure: memory and rate of the Functions host meanwhile.

Run it alone with `python scripts/bench_parts/large.py [--gigabytes N] [--bad]`. The file is made on
the fly and uploaded by a process of its own, each row with a key of its own; with `--bad` each row
is bad. What it needs on disk is about three times the file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_parts import orders

from cli.answers import Drop
from cli.client import MeshClient, open_client
from cli.connection import find_connection
from cli.demo.azure import local_azure
from cli.waiting import wait_for

PRODUCT = "sales/orders"
GIGABYTE = 10**9
_BLOB = "sales/orders/v1/orders/orders.csv"
_BLOCK = 8 << 20
_TEMPLATE = 20_000
_PAUSE_S = 0.25
_PATIENCE_S = 1500.0
_CONTRACT_ID = "urn:mesh:sales:orders:orders"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What stood there at one moment.

    Attributes:
        at: Seconds.
        written: Bytes that the storage has taken since the upload.
        resident: MB of the Functions host, now.
        peak: MB that it has had at most.
        cpu: Seconds that it has burnt.
    """

    at: float
    written: int
    resident: float
    peak: float
    cpu: float


def measure(gigabytes: float = 1.0, *, bad: bool = False) -> dict[str, float]:
    """Peak of memory, its growth with each gigabyte, and the rate of each tenth of the file."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh-bench-")))
        stack.enter_context(local_azure(scratch / "state", free_ports=True))
        connection = find_connection({}, scratch / "state", Path.cwd())
        mesh = stack.enter_context(open_client(connection))
        _onboard(mesh)
        before = _peak(_part("local.functions_host"))
        command = [sys.executable, __file__, "--upload", "--gigabytes", str(gigabytes)]
        started = time.perf_counter()
        environ = {**os.environ, "STORAGE": connection.storage or ""}
        subprocess.run(command + ["--bad"] * bad, env=environ, check=True)
        numbers = {
            "upload, s": time.perf_counter() - started,
            "peak of the Functions host before, MB": before,
        }
        samples, drop = _watched(mesh)
        print(f"  {drop['verdict']}: {drop['summary']}", file=sys.stderr)
        return numbers | _summary(samples, drop["size"], drop["rows"])


def pieces(gigabytes: float, *, bad: bool = False) -> Iterator[bytes]:
    """The file: the same orders again and again, each time with other keys."""
    good = [order for order, spoiled in orders.orders(_TEMPLATE) if not spoiled]
    if bad:
        good = [{**order, "quantity": 0} for order in good]
    lines = [orders.line(order)[4:] for order in good]
    yield (",".join(orders.COLUMNS) + "\n").encode()
    sent = 0
    for again in range(1 << 16):
        prefix = f"{again:04x}"
        data = "".join([prefix + line for line in lines]).encode()
        yield data
        sent += len(data)
        if sent >= gigabytes * GIGABYTE:
            return


def upload(gigabytes: float, *, bad: bool) -> None:
    """Stage the file in blocks, and commit them."""
    from azure.storage.blob import BlobBlock, BlobServiceClient

    with BlobServiceClient.from_connection_string(os.environ["STORAGE"]) as service:
        blob = service.get_blob_client("landing", _BLOB)
        blocks: list[BlobBlock] = []
        held = bytearray()
        for piece in pieces(gigabytes, bad=bad):
            held += piece
            if len(held) >= _BLOCK:
                blocks.append(BlobBlock(f"{len(blocks):08d}"))
                blob.stage_block(blocks[-1].id, bytes(held))
                held.clear()
        blocks.append(BlobBlock(f"{len(blocks):08d}"))
        blob.stage_block(blocks[-1].id, bytes(held))
        blob.commit_block_list(blocks)


def _onboard(mesh: MeshClient) -> None:
    import yaml

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
    contract["schema"][0]["dataGranularityDescription"] = "One row is one order."
    files = {"product.odps.yaml": yaml.safe_dump(product)}
    files["orders.odcs.yaml"] = yaml.safe_dump(contract)
    asked = mesh.request_onboarding(files, by="bench")

    def ended() -> str | None:
        saga = mesh.onboarding(asked["id"])
        return None if saga["status"] == "running" else saga["status"] + str(saga)

    told = wait_for(ended, timeout_s=60, what="end of the onboarding", instead="See the log.")
    if not told.startswith("registered"):
        raise RuntimeError(told)


def _watched(mesh: MeshClient) -> tuple[list[Sample], Drop]:
    """What stood there until the file was decided."""
    host, storage = _part("local.functions_host"), _part("azurite")
    begun = storage.io_counters().write_chars
    samples = [_sample(host, storage, begun)]
    deadline = time.monotonic() + _PATIENCE_S
    asked = 0.0
    while time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
        samples.append(_sample(host, storage, begun))
        if time.monotonic() - asked > 4:
            asked = time.monotonic()
            if found := mesh.drops(product=PRODUCT):
                return samples, found[0]
    message = f"no verdict within {_PATIENCE_S} s"
    raise RuntimeError(message)


def _sample(host: psutil.Process, storage: psutil.Process, begun: int) -> Sample:
    times = host.cpu_times()
    return Sample(
        at=time.perf_counter(),
        written=storage.io_counters().write_chars - begun,
        resident=host.memory_info().rss / 1e6,
        peak=_peak(host),
        cpu=times.user + times.system,
    )


def _summary(samples: list[Sample], size: int, rows: int) -> dict[str, float]:
    """Slices of the file by what storage has taken of its published copy; the rest comes after."""
    told: dict[str, float] = {"size, GB": size / GIGABYTE, "rows": rows}
    step = max(size / 10, 1)
    last, growth = samples[0], []
    for tenth in range(1, 11):
        until = next((one for one in samples if one.written >= tenth * step), None)
        if until is None or until is last:
            continue
        read, seconds = (until.written - last.written) / 1e6, until.at - last.at
        most = max(one.resident for one in samples if last.at < one.at <= until.at)
        name = f"at {until.written / GIGABYTE:.1f} GB"
        told[f"{name}, MB/s"] = read / seconds
        told[f"{name}, MB per processor second of the host"] = read / (until.cpu - last.cpu)
        told[f"{name}, most resident MB"] = most
        growth.append((until.written / GIGABYTE, most))
        last = until
    if len(growth) > 3:
        (first, low), (end, high) = growth[1], growth[-1]
        told["growth from the second tenth on, MB per GB"] = (high - low) / (end - first)
    told["landing in all, s"] = samples[-1].at - samples[0].at
    told["peak of the Functions host, MB"] = samples[-1].peak
    return told


def _peak(process: psutil.Process) -> float:
    """The most memory that a process has had, in MB."""
    for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1000 * 1.024
    return process.memory_info().rss / 1e6


def _part(name: str) -> psutil.Process:
    """The process of one part of the local Azure: of several, the innermost."""
    found = [
        process
        for process in psutil.Process().children(recursive=True)
        if any(name in word for word in process.cmdline())
    ]
    return found[-1]


def main() -> None:
    """Measure, and print; or be the one who uploads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--bad", action="store_true", help="each row is bad")
    parser.add_argument("--upload", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.upload:
        upload(options.gigabytes, bad=options.bad)
        return
    for name, number in measure(options.gigabytes, bad=options.bad).items():
        print(f"{name:60} {number:>12,.1f}")


if __name__ == "__main__":
    main()
