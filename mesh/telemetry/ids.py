"""Ids that follow from what a span is about; part of the SDK, so loaded only where that is.

A drop's trace id is derived from the drop, and the span id in an event's `traceparent` from the
event: both are known before the span is, wherever the work is done, and are the same when it is
done again. The SDK's way to choose ids is its id generator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider as AnyTracerProvider

    from mesh.telemetry.providers import Ids


class DerivedIds(IdGenerator):
    """Gives the ids that are asked for, and the ones of another generator otherwise."""

    def __init__(self, wanted: Callable[[], Ids | None], otherwise: IdGenerator) -> None:
        self._wanted = wanted
        self._otherwise = otherwise

    def generate_trace_id(self) -> int:
        wanted = self._wanted()
        return (wanted and wanted.trace) or self._otherwise.generate_trace_id()

    def generate_span_id(self) -> int:
        wanted = self._wanted()
        return (wanted and wanted.span) or self._otherwise.generate_span_id()

    def is_trace_id_random(self) -> bool:
        """Whether the new trace id is (W3C Trace Context, level 2); a digest is not."""
        wanted = self._wanted()
        if wanted and wanted.trace:
            return False
        return self._otherwise.is_trace_id_random()


def derive_ids(tracers: AnyTracerProvider, wanted: Callable[[], Ids | None]) -> bool:
    """Put `DerivedIds` before the provider's own generator; whether it is a provider of the SDK.

    To be called before the first tracer is asked for: a tracer keeps the generator it was made
    with.
    """
    if not isinstance(tracers, TracerProvider):
        return False
    if not isinstance(tracers.id_generator, DerivedIds):
        asked_first: IdGenerator = DerivedIds(wanted, tracers.id_generator)
        tracers.id_generator = asked_first  # type: ignore[assignment] # any generator will do
    return True
