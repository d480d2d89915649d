"""The `context` argument: which invocation this is, its trace and its retry.

The classes have the attributes of the worker's own; like those they derive from nothing.
"""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass, field

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_THREAD_LOCAL = threading.local()


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """W3C trace context of one invocation: the span of the host, which encloses the function."""

    parent: str
    state: str = ""

    @classmethod
    def start(cls, traceparent: str | None = None, tracestate: str | None = None) -> Trace:
        """Open a span in the trace of `traceparent`; in a new one where that is absent or odd."""
        match = _TRACEPARENT.fullmatch(traceparent or "")
        if match and match[1] != "0" * 32 and match[2] != "0" * 16:
            span = f"00-{match[1]}-{secrets.token_hex(8)}-{match[3]}"
            return cls(parent=span, state=tracestate or "")
        return cls(parent=f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01")

    @property
    def trace_id(self) -> str:
        return self.parent[3:35]


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """Which run of an invocation this is: 0 is the first; and what the run before it raised."""

    count: int = 0
    maximum: int = 0
    message: str = ""
    stack_trace: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerTraceContext:
    """`context.trace_context`."""

    trace_parent: str
    trace_state: str
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def Traceparent(self) -> str:  # noqa: N802 (the older name of it)
        return self.trace_parent

    @property
    def Tracestate(self) -> str:  # noqa: N802 (the older name of it)
        return self.trace_state

    @property
    def Attributes(self) -> dict[str, str]:  # noqa: N802 (the older name of it)
        return self.attributes


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerException:
    """What the run before a retry raised."""

    message: str
    stack_trace: str
    source: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerRetryContext:
    """`context.retry_context`."""

    retry_count: int
    max_retry_count: int
    rpc_exception: WorkerException

    @property
    def exception(self) -> WorkerException:
        """The name that the library's interface gives to `rpc_exception`."""
        return self.rpc_exception


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerContext:
    """The `context` argument of a function."""

    function_name: str
    function_directory: str
    invocation_id: str
    trace_context: WorkerTraceContext
    retry_context: WorkerRetryContext

    @classmethod
    def of(
        cls, *, function: str, directory: str, invocation: str, trace: Trace, retry: Retry
    ) -> WorkerContext:
        return cls(
            function_name=function,
            function_directory=directory,
            invocation_id=invocation,
            trace_context=WorkerTraceContext(trace_parent=trace.parent, trace_state=trace.state),
            retry_context=WorkerRetryContext(
                retry_count=retry.count,
                max_retry_count=retry.maximum,
                rpc_exception=WorkerException(message=retry.message, stack_trace=retry.stack_trace),
            ),
        )

    @property
    def thread_local_storage(self) -> threading.local:
        """Lets a function's own threads say to which invocation their logs belong."""
        return _THREAD_LOCAL
