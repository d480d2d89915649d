"""A timer's round over all products, in which each has its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager


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
