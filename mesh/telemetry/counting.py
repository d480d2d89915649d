"""Metrics: counted where it happens, once, whatever traces are sampled."""

from __future__ import annotations

from mesh.model.names import ProductId
from mesh.telemetry.names import DOMAIN, PRODUCT, Metric
from mesh.telemetry.providers import providers


def add(metric: Metric, amount: int, product: ProductId, **dimensions: str) -> None:
    """Count; the names of `dimensions` lack the prefix `mesh.`."""
    if amount:
        providers().instrument(metric).add(amount, _of(product, dimensions))


def record(metric: Metric, value: float, product: ProductId, **dimensions: str) -> None:
    """Put a value into a histogram."""
    providers().instrument(metric).record(value, _of(product, dimensions))


def gauge(metric: Metric, value: float, product: ProductId | None, **dimensions: str) -> None:
    """Say what a value is now."""
    providers().instrument(metric).set(value, _of(product, dimensions))


def _of(product: ProductId | None, dimensions: dict[str, str]) -> dict[str, str]:
    said = {f"mesh.{name}": value for name, value in dimensions.items()}
    if product is not None:
        said |= {DOMAIN: product.domain, PRODUCT: product.product}
    return said
