"""A receiver, as a process and in parts, and things to send to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from local.telemetry.otlp import Log, Point, Span
from local.telemetry.store import Store
from tests.ports.starting import part

SECOND = 1_000_000_000
START = 1_795_000_000 * SECOND
"""Nanoseconds since 1970; a day in November 2026."""


def new_span(**fields: Any) -> Span:
    values: dict[str, Any] = {
        "trace": "0af7651916cd43dd8448eb211c80319c",
        "span": "b7ad6b7169203331",
        "parent": "",
        "name": "work",
        "service": "test",
        "kind": 5,
        "start": START,
        "end": START + SECOND,
        "failed": False,
        "status_message": "",
        "attributes": {},
        "links": [],
        "events": [],
    }
    return Span(**values | fields)


def new_point(**fields: Any) -> Point:
    values: dict[str, Any] = {
        "name": "work.done",
        "kind": "counter",
        "unit": "1",
        "service": "test",
        "attributes": {},
        "start": START,
        "time": START,
        "cumulative": False,
        "value": 1.0,
        "count": 1,
        "low": None,
        "high": None,
    }
    return Point(**values | fields)


def new_log(**fields: Any) -> Log:
    values: dict[str, Any] = {
        "time": START,
        "trace": "",
        "span": "",
        "severity": 9,
        "logger": "test",
        "service": "test",
        "body": "it happened",
        "attributes": {},
    }
    return Log(**values | fields)


@pytest.fixture
def store() -> Iterator[Store]:
    """A store in memory."""
    made = Store()
    yield made
    made.close()


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A running receiver, reached as a page or an exporter reaches it."""
    state = tmp_path_factory.mktemp("telemetry")
    with (
        part("local.telemetry", "--port=0", "--state", state, "--queries=infra") as ready,
        httpx.Client(base_url=ready["url"]) as client,
    ):
        yield client


@pytest.fixture
def empty(receiver: httpx.Client) -> httpx.Client:
    """The same, with nothing in it."""
    assert receiver.delete("/api/telemetry").status_code == 204
    return receiver


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Ask until there is an answer."""
    from time import monotonic, sleep

    def asked(ask: Callable[[], Any]) -> Any:
        deadline = monotonic() + 20
        while not (answer := ask()):
            assert monotonic() < deadline, "nothing came"
            sleep(0.02)
        return answer

    return asked
