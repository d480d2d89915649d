"""Work that goes on aside, sometimes, and sometimes ends there with its process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeVar

T = TypeVar("T")


def _stays() -> Literal["stays", "goes", "ends"]:
    return "stays"


@dataclass(kw_only=True)
class Asides:
    """`mesh.ports.Asides`: what becomes of each work is told by `fate`."""

    fate: Callable[[], Literal["stays", "goes", "ends"]] = _stays

    def run(self, lane: str, work: Callable[[], T], leave: Callable[[], None]) -> T | None:  # noqa: ARG002 - any lane
        fate = self.fate()
        if fate == "stays":
            return work()
        try:
            leave()
        except Exception:  # noqa: BLE001 - then it is waited for
            return work()
        if fate == "goes":
            with suppress(Exception):  # nobody is told
                work()
        return None
