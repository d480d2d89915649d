"""The tracer and the meter: those of whoever configured OpenTelemetry, found when first needed.

In Azure the Functions worker configures it before it loads the app; locally `configure` does.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.metrics import Meter, MeterProvider, get_meter_provider
from opentelemetry.trace import Span, Tracer, TracerProvider, get_tracer_provider

from mesh.telemetry.names import BOUNDARIES, SCOPE, Metric


@dataclass(frozen=True, kw_only=True, slots=True)
class Ids:
    """The ids that the next span is to have; None leaves one to chance."""

    trace: int | None = None
    span: int | None = None


@dataclass(frozen=True, kw_only=True)
class Providers:
    """Where spans and measurements go.

    Attributes:
        derives_ids: whether a span can be given its ids. Without an SDK it cannot.
    """

    tracer: Tracer
    meter: Meter
    derives_ids: bool
    instruments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, tracers: TracerProvider, meters: MeterProvider) -> Providers:
        derives_ids = _derive_ids(tracers)
        return cls(
            tracer=tracers.get_tracer(SCOPE), meter=meters.get_meter(SCOPE), derives_ids=derives_ids
        )

    def instrument(self, metric: Metric) -> Any:
        """The instrument of a metric, made when first used."""
        made = self.instruments.get(metric.name)
        if made is None:
            make = getattr(self.meter, f"create_{metric.kind}")
            more = {"explicit_bucket_boundaries_advisory": BOUNDARIES}
            made = make(
                metric.name,
                unit=metric.unit,
                description=metric.description,
                **(more if metric.kind == "histogram" else {}),
            )
            self.instruments[metric.name] = made
        return made


_wanted: ContextVar[Ids | None] = ContextVar("mesh_wanted_ids", default=None)
_lock = threading.Lock()
_current: Providers | None = None


def providers() -> Providers:
    """Those of this process."""
    global _current  # noqa: PLW0603 - one per process, as OpenTelemetry's own are
    if _current is None:
        with _lock:
            if _current is None:
                _current = Providers.of(get_tracer_provider(), get_meter_provider())
    return _current


@contextmanager
def replace_providers(tracers: TracerProvider, meters: MeterProvider) -> Iterator[None]:
    """Send everything elsewhere for a while; for tests of what is sent."""
    global _current  # noqa: PLW0603 - see above
    before, _current = _current, Providers.of(tracers, meters)
    try:
        yield
    finally:
        _current = before


def start_span(ids: Ids, name: str, **options: Any) -> Span:
    """Start a span under the ids that are asked for."""
    token = _wanted.set(ids)
    try:
        return providers().tracer.start_span(name, **options)
    finally:
        _wanted.reset(token)


def _derive_ids(tracers: TracerProvider) -> bool:
    """Let the SDK's provider ask us first; whether there is such a provider."""
    if "opentelemetry.sdk.trace" not in sys.modules:
        return False
    from mesh.telemetry.ids import derive_ids

    return derive_ids(tracers, _wanted.get)
