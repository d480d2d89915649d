"""Runs in an interpreter with Microsoft's worker library: index an app, replay invocations.

`python worker_run.py APP` reads one JSON line for each invocation on standard input (as the
recording host writes them) and answers with one JSON document on standard output. The library's
functions stand where the gRPC worker calls them; attribute bags stand for its protobuf messages.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from datums import from_json, to_json


class Bag:
    """A protobuf message: whatever it is made of."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


class BindingInfo(Bag):
    undefined = 0
    out = 1
    inout = 2


class StatusResult(Bag):
    Failure = 0
    Success = 1


class Protos:
    """Every message the library asks for."""

    BindingInfo = BindingInfo
    StatusResult = StatusResult

    def __getattr__(self, name: str) -> type[Bag]:
        return Bag


def request(app: str) -> Any:
    init = SimpleNamespace(capabilities={}, function_app_directory=app)
    return SimpleNamespace(
        request=SimpleNamespace(worker_init_request=init),
        properties={"host": "127.0.0.1", "protos": Protos()},
    )


async def run(app: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    import azure_functions_runtime as library
    from azure_functions_runtime.bindings.datumdef import Datum
    from azure_functions_runtime.native_invocation import invocation_request_native

    started = await library.worker_init_request(request(app))
    if started.result.status == StatusResult.Failure:
        return {"failure": started.result.exception.message}
    metadata = await library.functions_metadata_request(request(app))
    library.start_threadpool_executor()
    functions = {f.name: f for f in metadata.function_metadata_results}
    results = []
    for call in calls:
        ok, returned, outputs, error, _ = await invocation_request_native(
            str(uuid.uuid4()),
            functions[call["function"]].function_id,
            [(name, from_json(datum, Datum)) for name, datum in call["inputs"].items()],
            {name: from_json(datum, Datum) for name, datum in call["metadata"].items()},
            trace_parent=call["trace_parent"],
        )
        results.append(
            {
                "returned": to_json(returned),
                "outputs": {name: to_json(datum) for name, datum in outputs},
                "error": None if ok else error,
            }
        )
    return {
        "python": sys.version.split()[0],
        "functions": {
            name: [json.loads(binding) for binding in function.raw_bindings]
            for name, function in functions.items()
        },
        "results": results,
    }


def main() -> None:
    app = sys.argv[1]
    sys.path.insert(0, app)
    os.chdir(app)
    calls = [json.loads(line) for line in sys.stdin]
    answer = asyncio.run(run(app, calls))
    json.dump(answer, sys.__stdout__)


if __name__ == "__main__":
    main()
