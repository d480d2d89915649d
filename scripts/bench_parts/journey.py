"""From the drop to the webhook, on the whole local Azure."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
from azure.storage.blob import BlobServiceClient

from cli.client import open_client
from cli.connection import find_connection
from cli.demo.azure import local_azure
from cli.demo.consumer import Consumer, receiving
from cli.demo.reference import EXAMPLES
from cli.demo.run import Demo

PRODUCT = "aerodromes/frequencies"
ONE_BY_ONE = 200
TOGETHER = 600
UPLOADERS = 8
PATIENCE_S = 120.0


def measure() -> dict[str, float]:
    """Latency of small files one by one, throughput of many, start-up time and memory."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh-bench-")))
        state = scratch / "state"
        started = time.perf_counter()
        stack.enter_context(local_azure(state, free_ports=True))
        numbers = {"start of the stack, s": time.perf_counter() - started}
        connection = find_connection({}, state, Path.cwd())
        consumer = stack.enter_context(receiving())
        client = stack.enter_context(open_client(connection))
        run = Demo(mesh=client, connection=connection, consumer=consumer, scratch=scratch)
        run.onboard()
        run.subscribe()
        storage = stack.enter_context(BlobServiceClient.from_connection_string(connection.storage))
        data = (EXAMPLES / PRODUCT / "good" / "frequencies.csv").read_bytes()
        numbers |= _one_by_one(storage, consumer, data)
        numbers |= _together(storage, consumer, data)
        numbers |= _limit(storage, data)
        numbers |= _memory()
        run.unsubscribe()
    return numbers | _cold_import()


def _one_by_one(storage: BlobServiceClient, consumer: Consumer, data: bytes) -> dict[str, float]:
    seconds = []
    for number in range(ONE_BY_ONE + 10):
        file = f"one-{number}.csv"
        started = time.time()
        _upload(storage, file, data)
        told = consumer.wait_for(_about(file), timeout_s=PATIENCE_S)
        if told is None:
            message = f"nobody was told of {file}"
            raise RuntimeError(message)
        seconds.append(told.at - started)
    warm = seconds[10:]
    return {
        "drop to webhook p50, s": median(warm),
        "drop to webhook p99, s": quantiles(warm, n=100)[98],
    }


def _together(storage: BlobServiceClient, consumer: Consumer, data: bytes) -> dict[str, float]:
    before = len(consumer.told)
    burnt = _processor_time()
    started = time.time()
    with ThreadPoolExecutor(UPLOADERS) as pool:
        list(pool.map(lambda n: _upload(storage, f"many-{n}.csv", data), range(TOGETHER)))
    uploaded = time.time() - started
    deadline = time.monotonic() + PATIENCE_S
    while len(consumer.told) < before + TOGETHER and time.monotonic() < deadline:
        time.sleep(0.02)
    told = sorted(told.at for told in list(consumer.told.values())[before:])
    if len(told) < TOGETHER:
        message = f"only {len(told)} of {TOGETHER} files were told of within {PATIENCE_S} s"
        raise RuntimeError(message)
    spent = {
        f"processor time of {name} a file, ms": 1e3 * (seconds - burnt.get(name, 0.0)) / TOGETHER
        for name, seconds in _processor_time().items()
    }
    cores = psutil.cpu_count() or 1
    return {
        "files told of per second, sustained": TOGETHER / (told[-1] - started),
        "of which uploading took, s": uploaded,
        **spent,
        "limit: files per second of these processors": cores * 1e3 / sum(spent.values()),
    }


def _processor_time() -> dict[str, float]:
    """Seconds, user and system, of this process (uploads, receives) and all it has started."""
    found: dict[str, float] = {}
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        name = "the bench itself" if process.pid == os.getpid() else _name(process)
        times = process.cpu_times()
        found[name] = found.get(name, 0.0) + times.user + times.system
    return found


def _limit(storage: BlobServiceClient, data: bytes) -> dict[str, float]:
    """What this Azurite does at best: puts of the same file by as many threads, nothing else."""
    client = storage.get_container_client("receipts")
    started = time.perf_counter()
    with ThreadPoolExecutor(UPLOADERS) as pool:
        list(
            pool.map(
                lambda n: client.upload_blob(f"bench/{n}", data, overwrite=True), range(TOGETHER)
            )
        )
    return {"limit: Azurite puts per second": TOGETHER / (time.perf_counter() - started)}


def _memory() -> dict[str, float]:
    """Resident memory of each process that this one has started, MB."""
    found: dict[str, float] = {}
    for process in psutil.Process().children(recursive=True):
        name = _name(process)
        found[f"memory of {name}, MB"] = process.memory_info().rss / 1e6
    found["memory of all, MB"] = sum(found.values())
    return found


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    if "node" in Path(words[0]).name:
        return "azurite (node)"
    return words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name


def _cold_import() -> dict[str, float]:
    """The whole of `python -c 'import function_app'`, the interpreter's own start taken off."""

    def timed(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=EXAMPLES.parent)
        return time.perf_counter() - started

    empty = median(timed("pass") for _ in range(5))
    return {
        "cold import of function_app, s": median(timed("import function_app") for _ in range(5))
        - empty
    }


def _upload(storage: BlobServiceClient, file: str, data: bytes) -> None:
    client = storage.get_blob_client("landing", f"{PRODUCT}/v1/frequencies/{file}")
    client.upload_blob(data, overwrite=True)


def _about(file: str) -> Callable[[Any], bool]:
    return lambda event: event["data"].get("file") == file
