"""How fast files are judged, beside the bare parse of other engines and other validators.

Run it alone with `python scripts/bench_parts/engine.py [--peers] [--rows N] [--rounds N]`. With
`--peers` it first installs them in a folder of their own, where nothing of the project finds them.
What is out of the ordinary is measured instead with `--bad` (half of the rows), `--keys MILLIONS`
and `--memory GIGABYTES`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_parts import extremes, orders, wide
from bench_parts.peers import datacontract, install, install_cli, peers

from mesh.model.contract import DataContract
from mesh.validation import FileFormat, FileProblem, Limits, NullSink, compile_object, validate

ROWS = 1_000_000
FOLDER = Path(tempfile.gettempdir()) / "mvmesh-bench"
_SLOW = 20_000
CLI = "datacontract-cli (names no rows)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One contestant on one file.

    Attributes:
        seconds: Of the clock, median of the rounds, for the rows it was given.
        cpu: Seconds of processor time of all threads and processes, median.
        missed: How many bad rows it did not name; None for a mere parse.
        false: How many good rows it named.
    """

    name: str
    file: str
    rows: int
    seconds: float
    cpu: float
    missed: int | None
    false: int | None

    @property
    def rate(self) -> int:
        """Rows per second of the clock."""
        return round(self.rows / self.seconds)


Run = Callable[[], set[int] | None]


def measure(rows: int = ROWS) -> dict[str, float]:
    """Rows per second of each contestant on the orders."""
    found = [item for kind in ("csv", "jsonl") for item in _contest(orders, kind, rows, rounds=1)]
    return {f"{item.file} {item.name}, rows/s": float(item.rate) for item in found}


def _contest(
    maker: ModuleType, kind: str, rows: int, *, rounds: int, cli: Path | None = None
) -> list[Measured]:
    """Let all contestants judge or parse one file, in turn; `cli` is `datacontract`'s program."""
    paths = maker.write(FOLDER, rows)
    path = paths[kind]
    bad = {int(row) for row in json.loads(paths["bad"].read_text(encoding="utf-8"))}
    document = maker.contract_document()
    plan = compile_object(DataContract.from_document(document), document["schema"][0]["name"])
    few = min(rows, _SLOW)
    runs: dict[str, tuple[int, Run]] = {}
    for name, parse in _parsers(kind, plan.columns[0].name).items():
        runs[name] = rows, partial(parse, path)
    ways = {
        "mesh": Limits(sample=rows),
        "mesh, `re` in processes": Limits(sample=rows, lines=False),
        "mesh, `re` alone": Limits(sample=rows, helpers=0),
    }
    for name, limits in ways.items():
        runs[name] = rows, partial(_judged, plan, path, limits)
    for name, refused in peers(plan.record, kind).items():
        size = rows if "pandera" in name else few
        runs[name] = size, partial(refused, path, size)
    if cli:
        runs[CLI] = few, partial(datacontract, cli, document, path, few)
    times: dict[str, list[tuple[float, float, set[int] | None]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (_, run) in runs.items():
            times[name].append(_timed(run))
    label = f"{path.stem.split('-')[0]} {kind}"
    return [_summary(name, label, runs[name][0], times[name], bad) for name in runs]


def _summary(
    name: str,
    file: str,
    rows: int,
    times: list[tuple[float, float, set[int] | None]],
    bad: set[int],
) -> Measured:
    named = times[-1][2]
    wanted = {row for row in bad if row <= rows}
    return Measured(
        name=name,
        file=file,
        rows=rows,
        seconds=statistics.median(item[0] for item in times),
        cpu=statistics.median(item[1] for item in times),
        missed=None if named is None else len(wanted - named),
        false=None if named is None else len(named - wanted),
    )


def _judged(plan: Any, path: Path, limits: Limits) -> set[int]:
    file_format = FileFormat.from_name(path.name)
    assert not isinstance(file_format, FileProblem)
    report = validate(plan, _chunks(path), file_format=file_format, sink=NullSink(), limits=limits)
    return {item.row for item in report.sample}


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def _parsers(kind: str, column: str) -> dict[str, Callable[[Path], None]]:
    parsers: dict[str, Callable[[Path], None]] = {}
    if importlib.util.find_spec("polars"):
        parsers["polars, bare parse"] = _polars_csv if kind == "csv" else _polars_json
    if importlib.util.find_spec("duckdb"):
        source = (
            "read_csv('{}', all_varchar = true)"
            if kind == "csv"
            else "read_json('{}', format = 'newline_delimited', ignore_errors = true)"
        )
        parsers["duckdb, bare parse"] = lambda path: _duckdb(source.format(path), column)
    return parsers


def _polars_csv(path: Path) -> None:
    import_module("polars").read_csv(path, infer_schema=False)


def _polars_json(path: Path) -> None:
    import_module("polars").read_ndjson(path)


def _duckdb(source: str, column: str) -> None:
    duckdb = import_module("duckdb")
    names = duckdb.sql(f"select * from {source} limit 0").columns  # noqa: S608 - our own names
    assert column in names
    looked_at = ", ".join(f"max({name})" for name in names)
    duckdb.sql(f"select {looked_at} from {source}").fetchall()  # noqa: S608 - our own names


def _timed(run: Run) -> tuple[float, float, set[int] | None]:
    wall, cpu = time.perf_counter(), _processor()
    named = run()
    return time.perf_counter() - wall, _processor() - cpu, named


def _processor() -> float:
    """Processor time of this process and of those that have ended for it, in seconds."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", action="store_true", help="install other validators and parsers")
    parser.add_argument("--bad", action="store_true", help="a file, half of whose rows are bad")
    parser.add_argument("--keys", type=int, default=0, help="so many million keys")
    parser.add_argument("--memory", type=float, default=0, help="a CSV file of so many gigabytes")
    options = parser.parse_args()
    if options.bad or options.keys or options.memory:
        extremes.show(
            FOLDER, bad=options.bad, keys=options.keys * 1_000_000, gigabytes=options.memory
        )
        return
    cli = None
    if options.peers:
        install(FOLDER / "peers")
        cli = install_cli(FOLDER / "datacontract-cli")
    print("| file | | rows | seconds | CPU | rows/s | times the parse | missed / false |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for maker, rows in ((orders, options.rows), (wide, options.rows // 10)):
        for kind in ("csv", "jsonl"):
            _show(_contest(maker, kind, rows, rounds=options.rounds, cli=cli))
    if options.peers and cli is None:
        print(f"| all | {CLI} | could not be installed | | | | | |")


def _show(found: list[Measured]) -> None:
    parses = [item for item in found if item.missed is None]
    best = min((item.seconds / item.rows for item in parses), default=None)
    for item in found:
        ratio = f"{item.seconds / item.rows / best:.1f}" if best else ""
        wrong = "" if item.missed is None else f"{item.missed:,} / {item.false:,}"
        print(
            f"| {item.file} | {item.name} | {item.rows:,} | {item.seconds:.2f} | {item.cpu:.2f} | "
            f"{item.rate:,} | {ratio} | {wrong} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
