"""Every call of a port is an effect: a worker can be killed before it, and after it took effect.

The ports of a backbone are wrapped. A worker is a run of one function for one message; what may
happen to it at each effect is told by its `fate`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, TypeVar

from mesh.backbone import Backbone
from mesh.errors import Unavailable

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone; nothing of the mesh can catch this."""


Fate = Callable[[int, str], str]
"""Number and name of an effect → `live`, `kill`, `fail` (it did or did not happen, the worker is
told that it failed) or, for what has not happened yet, `twice` (its answer is lost, and the SDK
sends it again)."""


def unharmed(_number: int, _name: str) -> str:
    """The fate of a worker that nothing happens to."""
    return "live"


@dataclass(kw_only=True)
class Worker:
    """One run of a function.

    Attributes:
        passed: names of the effects so far, each with `before` and `after`.
    """

    fate: Fate = unharmed
    passed: list[str] = field(default_factory=list)
    is_dead: bool = False

    def perform(self, name: str, call: Callable[[], T]) -> T:
        """Do what has an effect, unless this is where the worker ends."""
        if self._meet(f"before {name}") == "twice":
            call()
        result = call()
        self._meet(f"after {name}")
        return result

    def pass_by(self, name: str) -> None:
        """A point between effects that belongs to the platform."""
        self._meet(name)

    def _meet(self, name: str) -> str:
        if self.is_dead:  # a `finally` of the mesh: no process is left to run it
            raise Killed(name)
        self.passed.append(name)
        fate = self.fate(len(self.passed), name)
        if fate == "kill":
            self.is_dead = True
            raise Killed(name)
        if fate == "fail":
            message = f"{name}: a fault of the platform"
            raise Unavailable(message)
        return fate


_here = threading.local()


@contextmanager
def working(worker: Worker) -> Iterator[Worker]:
    """Let the effects of this thread be those of `worker`."""
    before = getattr(_here, "worker", None)
    _here.worker = worker
    try:
        yield worker
    finally:
        _here.worker = before


def perform(name: str, call: Callable[[], T]) -> T:
    """Do what has an effect, in the name of this thread's worker if it has one."""
    worker: Worker | None = getattr(_here, "worker", None)
    return call() if worker is None else worker.perform(name, call)


class Port:
    """A port whose methods are effects."""

    PURE = frozenset({"url", "write_chunk", "discard"})

    def __init__(self, name: str, inner: Any) -> None:
        self._name = name
        self._inner = inner

    def __getattr__(self, attribute: str) -> Any:
        member = getattr(self._inner, attribute)
        if not callable(member) or attribute in self.PURE:
            return member

        def effect(*args: Any, **kwargs: Any) -> Any:
            return perform(f"{self._name}.{attribute}", partial(member, *args, **kwargs))

        return effect


class Storage(Port):
    """Blobs: reading happens when the first piece is asked for, writing when a writer commits."""

    def open(self, location: str, *, etag: str | None = None) -> Iterator[bytes]:
        pieces = perform("storage.open", lambda: list(self._inner.open(location, etag=etag)))
        yield from pieces

    def writer(self, location: str, *, content_type: str) -> Writer:
        return Writer(self._inner.writer(location, content_type=content_type))


class Writer:
    """A blob in the making: only its commit has an effect."""

    def __init__(self, inner: Any) -> None:
        self.write = inner.write
        self.discard = inner.discard
        self._inner = inner

    def commit(self) -> None:
        perform("writer.commit", self._inner.commit)


class Topic(Port):
    """Events published together may be accepted one by one."""

    def publish(self, events: Iterable[Any]) -> None:
        for event in events:
            perform(f"topic.publish {event['type']}", partial(self._inner.publish, [event]))


class Queues(Port):
    """Messages sent together may be accepted one by one."""

    def send(self, queue: str, messages: Iterable[Any]) -> None:
        for message in messages:
            perform(f"queues.send {queue}", partial(self._inner.send, queue, [message]))


KINDS: dict[str, Callable[[Any], Any]] = {
    "storage": partial(Storage, "storage"),
    "topic": partial(Topic, "topic"),
    "queues": partial(Queues, "queues"),
}
UNTOUCHED = {"signing", "policy", "now"}


def with_effects(backbone: Backbone) -> Backbone:
    """The same backbone; all that it does to the world is an effect."""
    wrapped = {
        port.name: KINDS.get(port.name, partial(Port, port.name))(getattr(backbone, port.name))
        for port in fields(backbone)
        if port.name not in UNTOUCHED
    }
    return replace(backbone, **wrapped)
