"""OpenTelemetry in functions, as the worker does it: their spans continue the host's trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from local.functions_host.context import Trace

_ON = ("true", "1")
_SETTINGS = ("PYTHON_ENABLE_OPENTELEMETRY", "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY")

Attach = Callable[[Trace], None]


def attachment(environ: Mapping[str, str]) -> Attach | None:
    """Make what attaches a trace to the current context; None where no setting asks for it.

    The app sets its exporters up itself: of the settings that ask, none sends anything to Azure
    from a machine without a connection string.
    """
    if not any(environ.get(name, "").lower() in _ON for name in _SETTINGS):
        return None
    try:
        from opentelemetry import context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError:
        return None
    propagator = TraceContextTextMapPropagator()

    def _attach(trace: Trace) -> None:
        carrier = {"traceparent": trace.parent, "tracestate": trace.state}
        context.attach(propagator.extract(carrier))

    return _attach
