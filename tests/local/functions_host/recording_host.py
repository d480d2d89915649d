"""The functions host, writing down what it hands to functions and what they give back.

Run as `python recording_host.py FILE …arguments of the host`; FILE gets one JSON line for each
invocation: the data and metadata as the host would send them to the worker, and the outcome.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from azure.functions.meta import Datum

from local.functions_host import __main__ as command
from local.functions_host import invocation
from local.functions_host.indexing import IndexedFunction
from local.functions_host.signatures import Parameter
from tests.local.functions_host.datums import to_json

FILE = Path(sys.argv[1])
now: ContextVar[dict[str, Any] | None] = ContextVar("now", default=None)


def write_down(entry: dict[str, Any]) -> None:
    with FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


class RecordingInvoker(invocation.Invoker):
    """Writes each invocation down."""

    def __init__(self, *, bindings: invocation.Bindings, **options: Any) -> None:
        super().__init__(bindings=RecordingBindings(bindings), **options)

    async def invoke(self, function: IndexedFunction, call: invocation.Call) -> Datum | None:
        entry: dict[str, Any] = {
            "function": function.name,
            "inputs": {function.trigger.name: to_json(call.data)},
            "metadata": {name: to_json(datum) for name, datum in call.metadata.items()},
            "trace_parent": call.trace.parent,
            "outputs": {},
            "returned": None,
            "error": None,
        }
        token = now.set(entry)
        try:
            answer = await super().invoke(function, call)
        except invocation.InvocationFailedError as failed:
            entry["error"] = repr(failed.__cause__)
            raise
        else:
            if answer is not None:
                entry["returned"] = to_json(answer)
            return answer
        finally:
            now.reset(token)
            write_down(entry)


class RecordingBindings:
    """Writes down what is read and written beside the trigger."""

    def __init__(self, real: invocation.Bindings) -> None:
        self._real = real

    async def read(self, parameter: Parameter, properties: Mapping[str, Any]) -> Datum | None:
        datum = await self._real.read(parameter, properties)
        entry = now.get()
        assert entry is not None
        entry["inputs"][parameter.binding.name] = to_json(datum)
        return datum

    async def write(
        self, parameter: Parameter, datum: Datum, properties: Mapping[str, Any]
    ) -> None:
        entry = now.get()
        assert entry is not None
        if parameter.binding.name == "$return":
            entry["returned"] = to_json(datum)
        else:
            entry["outputs"][parameter.binding.name] = to_json(datum)
        await self._real.write(parameter, datum, properties)


def main() -> None:
    from local.functions_host import host

    host.Invoker = RecordingInvoker  # type: ignore[misc]
    command.main(sys.argv[2:])


if __name__ == "__main__":
    main()
