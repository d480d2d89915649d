"""Files that are out of the ordinary: half bad, with very many keys, or very large."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench_parts import orders

from mesh.model.contract import DataContract
from mesh.validation import FileFormat, Limits, NullSink, Plan, compile_object, validate

_CSV = FileFormat(kind="csv")
_HALF = 50_000
_CHUNK = 1 << 20
_TENTHS = 10


def show(folder: Path, *, bad: bool, keys: int, gigabytes: float) -> None:
    """Print what was asked for."""
    if bad:
        _half_bad(folder)
    if keys:
        _many_keys(keys)
    if gigabytes:
        _large(folder, gigabytes)


def _half_bad(folder: Path) -> None:
    """Every second row is bad, in one of ten ways."""
    paths = orders.write(folder / "half", _HALF, bad_share=0.5)
    plan = _plan(orders.contract_document())
    for kind in ("csv", "jsonl"):
        known = {int(row) for row in json.loads(paths["bad"].read_text(encoding="utf-8"))}
        for fast in (True, False):
            wall, cpu = time.perf_counter(), time.process_time()
            with paths[kind].open("rb") as file:
                report = validate(
                    plan,
                    iter(lambda: file.read(_CHUNK), b""),
                    file_format=FileFormat(kind=kind),
                    sink=NullSink(),
                    limits=Limits(sample=10 * _HALF, fast=fast),
                )
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            right = {item.row for item in report.sample} == known
            way = "mesh" if fast else "the reference alone"
            print(
                f"half bad, {kind}, {way}: {_HALF:,} rows in {wall:.2f} s ({cpu:.2f} s CPU), "
                f"{_HALF / cpu:,.0f} rows per CPU second, {'all named' if right else 'WRONG'}"
            )


def _many_keys(count: int) -> None:
    """A narrow file, each of whose rows has a key of its own: time and memory per million."""
    properties = [
        {"name": "id", "logicalType": "string", "primaryKey": True, "required": True},
        {"name": "n", "logicalType": "integer"},
    ]
    document = orders.contract_document()
    document["schema"] = [{"name": "rows", "logicalType": "object", "properties": properties}]
    last = [time.perf_counter(), time.process_time()]

    def chunks() -> Iterator[bytes]:
        yield b"id,n\n"
        for start in range(0, count, 50_000):
            if start % 1_000_000 == 0 and start:
                now = [time.perf_counter(), time.process_time()]
                wall, cpu = now[0] - last[0], now[1] - last[1]
                print(
                    f"{start:,} keys: the last million in {wall:.2f} s ({cpu:.2f} s CPU), "
                    f"{_peak()} MB",
                    flush=True,
                )
                last[:] = now
            yield b"".join(b"key-%010d,%d\n" % (n, n) for n in range(start, start + 50_000))

    report = validate(_plan(document), chunks(), file_format=_CSV, sink=NullSink())
    print(f"{report.rows:,} rows, {report.verdict}; peak {_peak()} MB")


def _large(folder: Path, gigabytes: float) -> None:
    """The orders again and again, each time with other keys: rate at each tenth, and peak."""
    path = orders.write(folder, 20_000)["csv"]
    header, *lines = path.read_bytes().split(b"\n")[:-1]
    size = int(gigabytes * 1e9)
    rest = b"\n".join(line[4:] for line in lines if len(line.split(b",", 1)[0]) == 36)
    pieces = rest.split(b"\n")
    told = [time.perf_counter(), time.process_time(), 0.0]

    def chunks() -> Iterator[bytes]:
        yield header + b"\n"
        sent, tenth = 0, 1
        for again in range(1 << 16):
            prefix = b"\n%04x" % again
            data = (prefix + prefix.join(pieces) + b"\n")[1:]
            for start in range(0, len(data), _CHUNK):
                yield data[start : start + _CHUNK]
            sent += len(data)
            if sent >= size * tenth / _TENTHS:
                now = [time.perf_counter(), time.process_time(), float(sent)]
                rate = (now[2] - told[2]) / 1e6
                print(
                    f"{sent / 1e9:.2f} GB: {rate / (now[0] - told[0]):.0f} MB/s, "
                    f"{rate / (now[1] - told[1]):.0f} MB per CPU second, {_peak()} MB",
                    flush=True,
                )
                told[:] = now
                tenth = int(sent * _TENTHS / size) + 1
            if sent >= size:
                return

    report = validate(
        _plan(orders.contract_document()), chunks(), file_format=_CSV, sink=NullSink()
    )
    print(f"{report.rows:,} rows, {report.rejected:,} bad; peak {_peak()} MB")


def _plan(document: dict[str, Any]) -> Plan:
    return compile_object(DataContract.from_document(document), document["schema"][0]["name"])


def _peak() -> int:
    """Most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
