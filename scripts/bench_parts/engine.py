"""How fast files are judged, beside the bare parse of other engines and the reference.

Run it alone with `python scripts/bench_parts/engine.py [ROWS]`; other engines take part when they
are installed (`pip install polars duckdb`).
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_parts.orders import contract_document, write

from mesh.model.contract import DataContract
from mesh.validation import FileFormat, FileProblem, Limits, NullSink, compile_object, validate

ROWS = 1_000_000
_SLOW = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One contestant on one format.

    Attributes:
        seconds: Of the clock, for the rows it was given.
        cpu: Seconds of processor time, over all threads.
        exact: Whether it named exactly the bad rows; None for a mere parse.
    """

    name: str
    file_format: str
    rows: int
    seconds: float
    cpu: float
    exact: bool | None

    @property
    def rate(self) -> int:
        """Rows per second of the clock."""
        return round(self.rows / self.seconds)


def measure(rows: int = ROWS, folder: Path | None = None) -> list[Measured]:
    """Judge and parse the same orders, one contestant after the other."""
    paths = write(folder or Path(tempfile.gettempdir()) / "mvmesh-bench", rows)
    bad = {int(row) for row in json.loads(paths["bad"].read_text(encoding="utf-8"))}
    results = []
    for kind in ("csv", "jsonl"):
        path = paths[kind]
        for name, parse in _parsers(kind).items():
            results.append(_timed(name, kind, rows, lambda parse=parse, path=path: parse(path)))
        results.append(_timed("mesh", kind, rows, lambda path=path: _judged(path, rows, bad)))
        few = min(rows, _SLOW)
        slow = Limits(fast=False, sample=rows)
        results.append(
            _timed(
                "jsonschema, exact",
                kind,
                few,
                lambda path=path, few=few, slow=slow: _judged(path, few, bad, slow),
            )
        )
    return results


def _judged(path: Path, rows: int, bad: set[int], limits: Limits | None = None) -> bool:
    plan = compile_object(DataContract.from_document(contract_document()), "orders")
    file_format = FileFormat.from_name(path.name)
    assert not isinstance(file_format, FileProblem)
    report = validate(
        plan,
        _chunks(path, rows, file_format.kind == "csv"),
        file_format=file_format,
        sink=NullSink(),
        limits=limits or Limits(sample=rows),
    )
    wanted = {row for row in bad if row <= rows}
    return report.rows == rows and {item.row for item in report.sample} == wanted


def _chunks(path: Path, rows: int, header: bool) -> Iterator[bytes]:
    if rows <= _SLOW:
        with path.open("rb") as file:
            yield b"".join(itertools.islice(file, rows + header))
        return
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def _parsers(kind: str) -> dict[str, Callable[[Path], None]]:
    parsers: dict[str, Callable[[Path], None]] = {}
    if importlib.util.find_spec("polars"):
        parsers["polars, bare parse"] = _polars_csv if kind == "csv" else _polars_json
    if importlib.util.find_spec("duckdb"):
        parsers["duckdb, bare parse"] = _duckdb_csv if kind == "csv" else _duckdb_json
    return parsers


def _polars_csv(path: Path) -> None:
    import polars as pl

    pl.read_csv(path, infer_schema=False)


def _polars_json(path: Path) -> None:
    import polars as pl

    pl.read_ndjson(path)


def _duckdb_csv(path: Path) -> None:
    _duckdb(f"read_csv('{path}', all_varchar = true)")


def _duckdb_json(path: Path) -> None:
    _duckdb(f"read_json('{path}', format = 'newline_delimited')")


def _duckdb(source: str) -> None:
    import duckdb

    names = [item["name"] for item in contract_document()["schema"][0]["properties"]]
    looked_at = ", ".join(f"max({name})" for name in names)
    duckdb.sql(f"select {looked_at} from {source}").fetchall()  # noqa: S608 - our own names


def _timed(name: str, kind: str, rows: int, run: Callable[[], bool | None]) -> Measured:
    wall, cpu = time.perf_counter(), time.process_time()
    exact = run()
    return Measured(
        name=name,
        file_format=kind,
        rows=rows,
        seconds=time.perf_counter() - wall,
        cpu=time.process_time() - cpu,
        exact=exact,
    )


def main() -> None:
    """Print the table."""
    results = measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
    print("| | format | rows | seconds | CPU | rows/s | exact |")
    print("| --- | --- | ---: | ---: | ---: | ---: | --- |")
    for item in results:
        exact = {None: "", True: "yes", False: "NO"}[item.exact]
        print(
            f"| {item.name} | {item.file_format} | {item.rows:,} | {item.seconds:.2f} | "
            f"{item.cpu:.2f} | {item.rate:,} | {exact} |"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"\nPeak memory of the whole run: {peak} MB")


if __name__ == "__main__":
    main()
