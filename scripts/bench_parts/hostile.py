"""Files that are meant to do harm, at their real size: what processor time and memory each takes.

Each is judged in a process of its own, whose peak of memory is counted; it is made on the fly, by
another process. All is done that landing does with a file: its
good rows as Parquet, its reject file, and the list of violations are written to the temporary disk.
`scripts/bench hostile`, or of one file: `python -m scripts.bench_parts.hostile NAME`.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from tempfile import TemporaryFile

_MEGABYTE = 1 << 20
_GIGABYTE = 1 << 30
_ROWS = 1_000_000
_LISTED = 1_000_000
_CONTRACT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
    "additionalProperties": False,
}


def _filled(start: bytes, more: bytes, size: int = _GIGABYTE) -> Iterator[bytes]:
    yield start
    piece = more * (_MEGABYTE // len(more))
    for _ in range(size // len(piece)):
        yield piece


def _gzip_bomb() -> Iterator[bytes]:
    engine = zlib.compressobj(9, zlib.DEFLATED, 31)
    for piece in _filled(b"a,b\n", b"1,xxxxxxxxxxxxx\n", 10 * _GIGABYTE):
        yield engine.compress(piece)
    yield engine.flush()


def _zstd_bomb() -> Iterator[bytes]:
    import zstandard

    engine = zstandard.ZstdCompressor().compressobj()
    for piece in _filled(b"a,b\n", b"1,xxxxxxxxxxxxx\n", 10 * _GIGABYTE):
        yield engine.compress(piece)
    yield engine.flush()


def _avro_bomb() -> Iterator[bytes]:
    import fastavro

    fields = [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]
    out = io.BytesIO()
    records = ({"a": 1, "b": "x" * _MEGABYTE} for _ in range(256))
    schema = {"type": "record", "name": "r", "fields": fields}
    fastavro.writer(out, schema, records, codec="deflate", sync_interval=_GIGABYTE)
    yield out.getvalue()


def _bad_rows(template: str) -> Iterator[bytes]:
    step = 10_000
    for start in range(0, _ROWS, step):
        yield "".join(template.format(n) for n in range(start, start + step)).encode()


def _columns(count: int) -> Iterator[bytes]:
    for start in range(0, count, 100_000):
        yield ",".join(f"c{n}" for n in range(start, start + 100_000)).encode() + b","
    yield b"a,b\n"


def _fields(count: int) -> Iterator[bytes]:
    for start in range(0, count, 100_000):
        yield "".join(f', "c{n}": 1' for n in range(start, start + 100_000)).encode()


def _array() -> Iterator[bytes]:
    yield b'[{"a": 0}'
    yield from _bad_rows(',{{"a": "x{0}"}}')
    yield b"]"


def _parquet_columns() -> Iterator[bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(pa.table({f"c{n}": [1] for n in range(100_000)}), out)
    yield out.getvalue()


def _parquet_rows() -> Iterator[bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    out = io.BytesIO()
    texts = pa.array([f"x{n}" for n in range(_ROWS)])
    parquet.write_table(pa.table({"a": texts, "c": texts}), out)
    yield out.getvalue()


def _parquet_dictionary() -> Iterator[bytes]:
    """A text of a megabyte that stands there once, and is pointed at a hundred thousand times."""
    import pyarrow as pa
    from pyarrow import parquet

    out = io.BytesIO()
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["x" * _MEGABYTE])
    table = pa.table({"a": [1] * 100_000, "b": texts})
    options = {"store_schema": False, "dictionary_pagesize_limit": 1 << 30}
    parquet.write_table(table, out, compression="none", **options)
    yield out.getvalue()


def _avro_rows() -> Iterator[bytes]:
    import fastavro

    fields = [{"name": "a", "type": "double"}, {"name": "b", "type": "string"}]
    out = io.BytesIO()
    schema = {"type": "record", "name": "r", "fields": fields}
    records = ({"a": n + 0.5, "b": "y"} for n in range(_ROWS))
    fastavro.writer(out, schema, records, codec="deflate")
    yield out.getvalue()


def _workbook_bomb() -> Iterator[bytes]:
    """A workbook whose sheet unpacks to ten gigabytes."""
    import zipfile

    import openpyxl

    out, book = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(book)
    with zipfile.ZipFile(book) as plain, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in plain.namelist():
            if "sheet1" not in name:
                made.writestr(name, plain.read(name))
        with made.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for piece in _filled(b"<worksheet><sheetData>", b"<row></row>", 10 * _GIGABYTE):
                sheet.write(piece)
    yield out.getvalue()


_FILES = {
    "1 GB line.jsonl": lambda: _filled(b'{"b": "', b"x"),
    "1 GB cell.csv": lambda: _filled(b'a,b\n1,"', b"x"),
    "1 GB element.json": lambda: _filled(b'[{"b": "', b"x"),
    "10 GB bomb.csv.gz": _gzip_bomb,
    "10 GB bomb.csv.zst": _zstd_bomb,
    "256 MB block.avro": _avro_bomb,
    "10 GB sheet.xlsx": _workbook_bomb,
    "a text of 1 MB 100 thousand times.parquet": _parquet_dictionary,
    "10 million columns.csv": lambda: _columns(10_000_000),
    "100 thousand columns.parquet": _parquet_columns,
    "a million bad rows.csv": lambda: (piece for part in (
        [b"a,b\n"], _bad_rows("x{0},y\n")) for piece in part),
    "a million bad rows.jsonl": lambda: _bad_rows('{{"a": "x{0}"}}\n'),
    "a million bad rows.json": _array,
    "two million violations, each another.jsonl": lambda: _bad_rows(
        '{{"a": "x{0}", "c{0}": {0}}}\n'),
    "ten million fields in a record.jsonl": lambda: (piece for part in (
        [b'{"a": 1'], _fields(10_000_000), [b"}\n"]) for piece in part),
    "a value nested a million times.jsonl": lambda: iter(
        [b'{"a": ' + b"[" * _ROWS + b"]" * _ROWS + b"}\n"]),
    "a million bad rows.avro": _avro_rows,
    "a million rows of other columns.parquet": _parquet_rows,
}  # fmt: skip


def measure() -> dict[str, float]:
    """Seconds of processor time and peak MB of each; what is said of it goes to standard error."""
    numbers: dict[str, float] = {}
    for name in _FILES:
        command = [sys.executable, "-m", "scripts.bench_parts.hostile", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        print(f"  {name}: {told['said']}", file=sys.stderr)
        numbers[f"{name}, s"], numbers[f"{name}, MB"] = told["seconds"], told["peak"]
    return numbers


def _judge(name: str, chunks: Iterable[bytes]) -> dict[str, object]:
    from mesh.model.contract import DataContract
    from mesh.validation import (
        FileFormat,
        PublishingSink,
        RejectFile,
        StreamSink,
        compile_object,
        validate,
    )

    plan = compile_object(DataContract.from_json_schema(_CONTRACT, name="r"), "r")
    file_format = FileFormat.from_name(name)
    assert isinstance(file_format, FileFormat)
    started = time.process_time()
    with ExitStack() as files:
        native, lines, listed = (files.enter_context(TemporaryFile()) for _ in range(3))
        rejects = RejectFile(plan, file_format, native=native, lines=lines)
        streams = StreamSink(rejects=rejects, violations=listed, most=_LISTED)
        sink = files.enter_context(closing(PublishingSink(streams, plan, file_format)))
        report = validate(plan, chunks, file_format=file_format, sink=sink)
        rejects.finish()
    problems = [f"{one.rule}: {one.message[:120]}" for one in report.problems]
    counted = f"{report.rejected:,} of {report.rows:,} rows are bad; {report.violations:,} "
    counted += f"violations, {streams.listed:,} listed"
    said = "; ".join(problems) or counted
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"said": said, "seconds": time.process_time() - started, "peak": peak}


def _made(name: str) -> Iterator[bytes]:
    """A file from a process that makes it."""
    command = [sys.executable, "-m", "scripts.bench_parts.hostile", name, "--make"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as making:
        assert making.stdout
        yield from iter(lambda: making.stdout.read1(_MEGABYTE), b"")  # type: ignore[union-attr]


def _make(name: str) -> None:
    with suppress(BrokenPipeError):
        for piece in _FILES[name]():
            sys.stdout.buffer.write(piece)


if __name__ == "__main__":
    if sys.argv[2:] == ["--make"]:
        _make(sys.argv[1])
    else:
        print(json.dumps(_judge(sys.argv[1], _made(sys.argv[1]))))
