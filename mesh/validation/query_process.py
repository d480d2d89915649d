"""Answers the SQL of a contract over one file of rows; runs as a process by itself.

The engine in it has no file system, no network, no extensions, no settings that a query could
change, one thread, and little memory; the process has no environment but for how it allocates, and
the system stops what the engine does not count. Nothing of a query but its answer comes out: a
number, a boolean, or what kind of thing went wrong.

It imports nothing but the standard library before it is told where libraries lie.
"""

from __future__ import annotations

import json
import math
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

_BESIDE = 256 << 20
"""Bytes of address space that the engine may take beyond what it counts."""

_SAID = 300


def answers(asked: dict[str, Any]) -> Any:
    """The answer to each query, one by one: `{"value": …}`, or `{"wrong": KIND, "said": …}`."""
    base = _engine(asked)
    _confine(asked["bytes"])
    for query in asked["queries"]:
        yield _answer(base, query, asked["seconds"])


def _engine(asked: dict[str, Any]) -> Any:
    import duckdb
    import pyarrow as pa
    from pyarrow import dataset

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    base = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
            "python_enable_replacements": "false",
            "temp_directory": "",
            "threads": "1",
            "memory_limit": f"{asked['bytes']}B",
        },
    )
    found = dataset.dataset(asked["rows"], format="parquet").schema
    schema = pa.schema(field.with_type(_plain(field.type)) for field in found)
    rows = dataset.dataset(asked["rows"], schema=schema, format="parquet")
    base.register(asked["view"], rows)
    base.execute("SET lock_configuration = true")
    return base


def _plain(kind: Any) -> Any:
    """What the engine knows without extensions: times in UTC, integers of 38 digits, or texts."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    return pa.string() if pa.types.is_decimal256(kind) else kind


def _confine(size: int) -> None:
    try:
        import resource
    except ImportError:  # not on every system
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    statm = Path("/proc/self/statm")
    if statm.exists():
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + size + _BESIDE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _answer(base: Any, query: str, seconds: float) -> dict[str, Any]:
    import duckdb

    late = threading.Event()

    def stop() -> None:
        late.set()
        base.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        statements = duckdb.extract_statements(query)
        if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
            return {"wrong": "statement"}
        rows = base.execute(statements[0]).fetchmany(2)
        if len(rows) != 1 or len(rows[0]) != 1:
            return {"wrong": "shape"}
        return _value(rows[0][0])
    except MemoryError:
        return {"wrong": "memory"}
    except duckdb.Error as error:
        if late.is_set():
            return {"wrong": "time"}
        kind = "memory" if isinstance(error, duckdb.OutOfMemoryException) else "query"
        return {"wrong": kind, "said": str(error)[:_SAID]}
    finally:
        timer.cancel()


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool | int):
        return {"value": value} if abs(value) < 1 << 127 else {"wrong": "value"}
    if isinstance(value, Decimal | float) and math.isfinite(value):
        return {"value": str(value), "number": True}
    return {"wrong": "null" if value is None else "value"}


if __name__ == "__main__":
    told = json.loads(sys.stdin.readline())
    sys.path[:] = told["path"]
    for found in answers(told):
        print(json.dumps(found), flush=True)
