"""A timer's round over all products, in which each has its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from mesh.backbone import Backbone
from mesh.model.names import ProductId


def over_products(
    backbone: Backbone, serve: Callable[[Backbone, ProductId], int], message: str
) -> int:
    """Give each product its turn; returns the sum of what the turns return.

    Raises:
        ExceptionGroup: as `full_round`.
    """
    total = 0
    with full_round(message) as turn:
        for summary in backbone.catalogue.products():
            with turn():
                total += serve(backbone, summary.id)
    return total


@contextmanager
def full_round(message: str) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Let nobody's trouble keep the others from their turn: it is raised at the end.

    What is given is for `with`, once for each turn.

    Args:
        message: that some could not be served, should it come to that.

    Raises:
        ExceptionGroup: what the turns raised.
    """
    failures: list[Exception] = []

    @contextmanager
    def turn() -> Iterator[None]:
        try:
            yield
        except Exception as failure:  # noqa: BLE001 - raised below, after the others' turns
            failures.append(failure)

    yield turn
    if failures:
        raise ExceptionGroup(message, failures)
