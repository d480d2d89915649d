"""One invocation: decode what arrived, call the function, encode what it gave."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

from azure.functions.meta import Datum

from local.functions_host.context import Retry, Trace, WorkerContext
from local.functions_host.indexing import IndexedFunction
from local.functions_host.logs import RESULTS, Running, running
from local.functions_host.signatures import Parameter
from local.functions_host.worker import FRAMES, Worker

_results = logging.getLogger(RESULTS)


class InvocationFailedError(Exception):
    """A function did not do its work: it raised, timed out, or its outputs could not be written.

    `__cause__` is what happened.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What a trigger hands over: its own datum and metadata, as the host would send to the worker.

    `properties` are the binding expressions (`{name}`) that other bindings of the function may
    use; `reason` says in the log why the function ran.
    """

    data: Datum | None
    metadata: Mapping[str, Datum]
    reason: str
    trace: Trace = field(default_factory=Trace.start)
    retry: Retry = field(default_factory=Retry)
    properties: Mapping[str, Any] = field(default_factory=dict)


class Out:
    """A `func.Out` parameter while the function runs."""

    def __init__(self) -> None:
        self.value: Any = None

    def set(self, val: Any) -> None:
        self.value = val

    def get(self) -> Any:
        return self.value


class Bindings(Protocol):
    """Where input bindings are read and output bindings are written."""

    async def read(self, parameter: Parameter, properties: Mapping[str, Any]) -> Datum | None: ...
    async def write(
        self, parameter: Parameter, datum: Datum, properties: Mapping[str, Any]
    ) -> None: ...


class Invoker:
    """Runs invocations and counts those in flight."""

    def __init__(self, *, worker: Worker, bindings: Bindings, timeout: float | None) -> None:
        self._worker = worker
        self._bindings = bindings
        self._timeout = timeout
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def in_flight(self) -> int:
        return self._in_flight

    async def wait_until_idle(self) -> None:
        await self._idle.wait()

    async def invoke(self, function: IndexedFunction, call: Call) -> Datum | None:
        """Run a function once and write its outputs.

        Returns:
            What an `http` binding is to answer, else None.

        Raises:
            InvocationFailedError: with the cause; it was logged.
        """
        invocation = str(uuid.uuid4())
        token = running.set(
            Running(function=function.name, invocation=invocation, trace_id=call.trace.trace_id)
        )
        self._in_flight += 1
        self._idle.clear()
        started = time.perf_counter()
        _results.info("Executing '%s' (%s)", function.name, call.reason)
        try:
            answer = await self._invoke(function, call, invocation)
        except Exception as error:
            self._report(function, call, started, error)
            raise InvocationFailedError(f"{type(error).__name__}: {error}") from error
        else:
            self._report(function, call, started, None)
            return answer
        finally:
            running.reset(token)
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def _invoke(self, function: IndexedFunction, call: Call, invocation: str) -> Datum | None:
        arguments = await self._arguments(function, call, invocation)
        outs = {name: Out() for name in function.outputs}
        result = await self._worker.run(function, arguments | outs, call.trace, self._timeout)
        if result is not None and function.returns is None:
            raise RuntimeError(
                f"function '{function.name}' has no binding for a return value and returned "
                f"{type(result).__name__}; add an output binding named $return, or return None"
            )
        given = [
            (parameter, outs[name].value)
            for name, parameter in function.outputs.items()
            if outs[name].value is not None
        ]
        if function.returns is not None:
            given.append((function.returns, result))
        encoded = [(parameter, _encode(parameter, value)) for parameter, value in given]
        return await self._write(encoded, call.properties)

    async def _write(
        self, encoded: list[tuple[Parameter, Datum | None]], properties: Mapping[str, Any]
    ) -> Datum | None:
        """Write every output, none before all could be encoded; hand back what HTTP answers."""
        answer: Datum | None = None
        for parameter, datum in encoded:
            if parameter.binding.type == "http":
                answer = datum
            elif datum is not None and datum.type is not None and parameter.binding.is_output:
                await self._bindings.write(parameter, datum, properties)
        return answer

    async def _arguments(
        self, function: IndexedFunction, call: Call, invocation: str
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for name, parameter in function.inputs.items():
            if name == function.trigger.name:
                data: Datum | None = call.data
            else:
                data = await self._bindings.read(parameter, call.properties)
            metadata = call.metadata if parameter.converter.has_trigger_support() else {}
            arguments[name] = parameter.converter.decode(data, trigger_metadata=metadata)
        if function.wants_context:
            arguments["context"] = WorkerContext.of(
                function=function.name,
                directory=str(function.directory),
                invocation=invocation,
                trace=call.trace,
                retry=call.retry,
            )
        return arguments

    def _report(
        self, function: IndexedFunction, call: Call, started: float, error: Exception | None
    ) -> None:
        duration = round((time.perf_counter() - started) * 1000, 3)
        outcome = "Failed" if error else "Succeeded"
        _results.log(
            logging.ERROR if error else logging.INFO,
            "Executed '%s' (%s, Duration=%.0fms)",
            function.name,
            outcome,
            duration,
            extra={"outcome": outcome, "duration_ms": duration, "retry": call.retry.count},
            exc_info=(type(error), error, _own_frames(error.__traceback__)) if error else None,
        )


def _own_frames(frames: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of host and executor, so that a trace begins in the function."""
    own, before = frames, FRAMES | {__file__}
    while own is not None and own.tb_frame.f_code.co_filename in before:
        own = own.tb_next
    return own or frames


def _encode(parameter: Parameter, value: Any) -> Datum | None:
    try:
        return parameter.converter.encode(value, expected_type=parameter.python_type)
    except NotImplementedError:
        raise TypeError(
            f"the binding '{parameter.binding.type}' cannot take a value of the type "
            f"{type(value).__name__} (parameter '{parameter.binding.name}')"
        ) from None


def failed_retry(retry: Retry, error: BaseException, maximum: int) -> Retry:
    """Describe the run that follows one that failed."""
    return Retry(
        count=retry.count + 1,
        maximum=maximum,
        message=f"{type(error).__name__}: {error}",
        stack_trace="".join(traceback.format_exception(error)),
    )
