"""The engine on columns, and the whole job, beside a bare read and a read with a Parquet write.

Run it alone with `python scripts/bench_parts/engine_columns.py [--rows N] [--rounds N]`. The
contestants take turns, each time in a process of its own, so that its peak memory is its own; what
they import is not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_parts import orders

ROWS = 1_000_000
FOLDER = Path(tempfile.gettempdir()) / "mvmesh-bench"
_READERS = ("polars", "duckdb", "pyarrow")
_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One contestant on one kind of file; medians of the rounds.

    Attributes:
        cpu: Seconds of processor time of all threads and processes.
        peak: Most memory of the process, in MB.
        named: Rows that it refused; None where it only reads.
    """

    name: str
    kind: str
    seconds: float
    cpu: float
    peak: float
    named: frozenset[int] | None


def measure(rows: int = ROWS) -> dict[str, float]:
    """Seconds of the clock and of processors, and peak memory, of each contestant."""
    found: dict[str, float] = {}
    for item in contest(rows, rounds=1):
        label = f"{item.kind} {item.name}"
        found[f"{label}, s"] = item.seconds
        found[f"{label}, CPU s"] = item.cpu
        found[f"{label}, peak MB"] = item.peak
    return found


def contest(rows: int, *, rounds: int) -> list[Measured]:
    """Let all contestants work on the same orders, in turn."""
    paths = orders.write(FOLDER, rows)
    paths["parquet"] = orders.write_parquet(FOLDER, rows)
    there = [name for name in _READERS if importlib.util.find_spec(name)]
    names = [f"{name} reads" for name in there]
    names += ["mesh judges"]
    names += [f"{name} reads and writes" for name in there]
    names += ["mesh judges and publishes"]
    kinds = ("parquet", "csv", "jsonl")
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for _ in range(rounds):
        for kind in kinds:
            for name in names:
                runs.setdefault((kind, name), []).append(_run(name, paths[kind]))
    return [_summary(name, kind, results) for (kind, name), results in runs.items()]


def _run(name: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", name, "--file", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _summary(name: str, kind: str, results: list[dict[str, Any]]) -> Measured:
    def median(what: str) -> float:
        return float(statistics.median(result[what] for result in results))

    named = results[-1]["named"]
    return Measured(
        name=name,
        kind=kind,
        seconds=median("seconds"),
        cpu=median("cpu"),
        peak=median("peak"),
        named=None if named is None else frozenset(named),
    )


def _one(name: str, path: Path) -> None:
    """Be one contestant, and tell what it took."""
    work = _contestant(name, path)
    start, used = time.perf_counter(), _processor()
    named = work()
    result = {
        "seconds": time.perf_counter() - start,
        "cpu": _processor() - used,
        "peak": _peak(),
        "named": named,
    }
    print(json.dumps(result))


def _peak() -> float:
    """Most memory of this process in MB; what `getrusage` tells is also that of its parent."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    return int(told["VmHWM"].split()[0]) / 1024


def _processor() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _contestant(name: str, path: Path) -> Callable[[], list[int] | None]:
    engine, _, task = name.partition(" ")
    if engine == "mesh":
        return _mesh(path, publishes=task.endswith("publishes"))
    reader = {"polars": _polars, "duckdb": _duckdb, "pyarrow": _pyarrow}[engine]
    return reader(path, writes=task.endswith("writes"))


def _out(path: Path) -> Path:
    return path.with_suffix(f"{path.suffix}.out")


def _polars(path: Path, *, writes: bool) -> Callable[[], None]:
    pl = import_module("polars")
    read = {
        ".parquet": pl.read_parquet,
        ".csv": lambda file: pl.read_csv(file, infer_schema=False),
        ".jsonl": pl.read_ndjson,
    }[path.suffix]
    out = _out(path)

    def work() -> None:
        frame = read(path)
        if writes:
            frame.write_parquet(out, compression="zstd", compression_level=1)
            out.unlink()

    return work


def _duckdb(path: Path, *, writes: bool) -> Callable[[], None]:
    duckdb = import_module("duckdb")
    source = {
        ".parquet": f"read_parquet('{path}')",
        ".csv": f"read_csv('{path}', all_varchar = true)",
        ".jsonl": f"read_json('{path}', format = 'newline_delimited')",
    }[path.suffix]
    names = duckdb.sql(f"select * from {source} limit 0").columns  # noqa: S608 - our own names
    looked_at = ", ".join(f"max({name})::varchar" for name in names)
    out = _out(path)

    def work() -> None:
        if not writes:
            duckdb.sql(f"select {looked_at} from {source}").fetchall()  # noqa: S608 - as above
            return
        duckdb.sql(f"copy (from {source}) to '{out}' (format parquet, compression zstd)")
        out.unlink()

    return work


def _pyarrow(path: Path, *, writes: bool) -> Callable[[], None]:
    pa = import_module("pyarrow")
    csv, lines, parquet = map(import_module, ("pyarrow.csv", "pyarrow.json", "pyarrow.parquet"))
    texts = csv.ConvertOptions(column_types=dict.fromkeys(orders.COLUMNS, pa.string()))
    read = {
        ".parquet": parquet.read_table,
        ".csv": lambda file: csv.read_csv(file, convert_options=texts),
        ".jsonl": lines.read_json,
    }[path.suffix]
    out = _out(path)

    def work() -> None:
        table = read(path)
        if writes:
            parquet.write_table(table, out, compression="zstd")
            out.unlink()

    return work


def _mesh(path: Path, *, publishes: bool) -> Callable[[], list[int]]:
    """The verdict alone, or with all that a drop leaves behind, in files."""
    from mesh import validation as engine
    from mesh.model.contract import DataContract
    from mesh.model.manifest import manifest
    from mesh.model.receipt import Judged

    for heavy in ("jsonschema", "polars", "pyarrow.compute", "pyarrow.csv", "pyarrow.parquet"):
        import_module(heavy)
    split = {"property": "fileAcceptance", "value": {"mode": "split", "maxRejectedShare": 0.01}}
    document = {**orders.contract_document(), "customProperties": [split]}
    plan = engine.compile_object(DataContract.from_document(document), "orders")
    file_format = engine.FileFormat.from_name(path.name)
    assert isinstance(file_format, engine.FileFormat)
    judged = Judged(
        file=path.name, contract_id="orders", contract_version="1.0.0", object_name="orders"
    )

    def work() -> list[int]:
        limits = engine.Limits(sample=2 * ROWS)
        if not publishes:
            report = engine.validate(
                plan, _pieces(path), file_format=file_format, sink=engine.NullSink(), limits=limits
            )
            return sorted({item.row for item in report.sample})
        with contextlib.ExitStack() as opened:
            files = [opened.enter_context(tempfile.TemporaryFile(dir=FOLDER)) for _ in range(4)]
            accepted, rejects, violations, parquet = files
            streams = engine.StreamSink(
                accepted=None if file_format.kind == "parquet" else accepted,
                rejects=engine.RejectFile(plan, file_format, native=rejects, lines=rejects),
                violations=violations,
            )
            sink = engine.PublishingSink(streams, plan, file_format)
            report = engine.validate(
                plan, _pieces(path), file_format=file_format, sink=sink, limits=limits
            )
            manifest(sink.publish(parquet), judged)
            sink.close()
        return sorted({item.row for item in report.sample})

    return work


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        _one(options.one, options.file)
        return
    bad = set(json.loads(orders.write(FOLDER, options.rows)["bad"].read_text(encoding="utf-8")))
    found = contest(options.rows, rounds=options.rounds)
    print("| file | | s | CPU s | times the fastest: s | CPU | peak MB | missed / false |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for item in found:
        _show(item, found, {int(row) for row in bad})


def _show(item: Measured, found: list[Measured], bad: set[int]) -> None:
    """One line; mesh is compared with those that do the same part of the work."""
    writes = item.name.endswith(("writes", "publishes"))
    same = [
        each
        for each in found
        if each.kind == item.kind and each.named is None and each.name.endswith("writes") == writes
    ]
    seconds = item.seconds / min(each.seconds for each in same)
    cpu = item.cpu / min(each.cpu for each in same)
    wrong = "" if item.named is None else f"{len(bad - item.named)} / {len(item.named - bad)}"
    print(
        f"| {item.kind} | {item.name} | {item.seconds:.2f} | {item.cpu:.2f} | {seconds:.1f} "
        f"| {cpu:.1f} | {item.peak:,.0f} | {wrong} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
