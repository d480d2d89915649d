"""Fields that everything logged within a hop carries."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_bound: ContextVar[Mapping[str, str]] = ContextVar("mesh_log_fields", default={})  # noqa: B039 - it is never changed, only replaced


@contextmanager
def bound(fields: Mapping[str, str]) -> Iterator[None]:
    """Let what is logged inside carry these fields too."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def carry_fields() -> None:
    """Let every log record of the process carry the fields bound where it is made.

    They are attributes of the record, so any handler finds them: the host's, OpenTelemetry's.
    """
    before = logging.getLogRecordFactory()
    if getattr(before, "carries_mesh_fields", False):
        return

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        vars(record).update(_bound.get())
        return record

    factory.carries_mesh_fields = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(factory)
