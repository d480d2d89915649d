"""Where functions run."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import contextvars
import logging
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.functions_host.context import Trace
from local.functions_host.indexing import IndexedFunction
from local.functions_host.logs import running
from local.functions_host.telemetry import Attach

FRAMES = frozenset({__file__, concurrent.futures.thread.__file__})
"""Files whose frames stand in a trace before those of the function."""

_log = logging.getLogger("Host.Executor")


class FunctionTimeoutError(Exception):
    """A function ran longer than `functionTimeout` of `host.json`."""


class Worker:
    """Where functions run: `async` ones on an event loop of their own, others in a thread pool.

    The loop has its own thread, so that a function that blocks it stops neither lock renewal nor
    HTTP, as a worker process of its own would not.
    """

    def __init__(self, threads: int | None = None, attach: Attach | None = None) -> None:
        self._attach = attach
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="function")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="worker", daemon=True)
        self._thread.start()

    async def run(
        self,
        function: IndexedFunction,
        arguments: dict[str, Any],
        trace: Trace,
        limit: float | None,
    ) -> Any:
        """Call the function, in the trace if OpenTelemetry is on.

        Raises:
            FunctionTimeoutError: it took more than `limit` seconds. A coroutine is cancelled; a
                thread cannot be ended and runs on, where Azure would restart the worker.
            Exception: whatever the function raised.
        """
        if function.is_async:
            future = asyncio.wrap_future(self._submit(function, arguments, trace))
        else:
            context = contextvars.copy_context()
            if self._attach is not None:
                context.run(self._attach, trace)
            future = asyncio.get_running_loop().run_in_executor(
                self._pool, lambda: context.run(function.call, **arguments)
            )
        try:
            done, _ = await asyncio.wait({future}, timeout=limit)
        except asyncio.CancelledError:
            future.cancel()
            raise
        if not done:
            future.cancel()
            raise FunctionTimeoutError(
                f"Function '{function.name}' ran longer than {limit:g} s, the functionTimeout of "
                "host.json. Make it faster, split the work, or raise the bound."
            )
        return future.result()

    def _submit(
        self, function: IndexedFunction, arguments: dict[str, Any], trace: Trace
    ) -> concurrent.futures.Future[Any]:
        now = running.get()

        async def _call() -> Any:
            running.set(now)
            if self._attach is not None:
                self._attach(trace)
            return await function.call(**arguments)

        return asyncio.run_coroutine_threadsafe(_call(), self._loop)

    def stop(self) -> None:
        """Stop taking calls. Does not wait: the grace for running functions has passed."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=1)
        self._pool.shutdown(wait=False, cancel_futures=True)


def thread_count(environ: Mapping[str, str] = os.environ) -> int | None:
    """Size of the thread pool: `PYTHON_THREADPOOL_THREAD_COUNT`, else Python's own default."""
    text = environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
    if not text:
        return None
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    _log.warning(
        "PYTHON_THREADPOOL_THREAD_COUNT must be a whole number from 1, not %r; using the default",
        text,
    )
    return None
