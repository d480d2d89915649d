"""Which containers any event subscription can want events from; the others are not watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from local.blob_events.shapes import CREATED, DELETED
from local.event_grid.filters import Filter

SYSTEM_CONTAINERS = frozenset({"$logs", "$blobchangefeed"})
"""What happens in these announces nothing."""

_CONTAINERS = "/blobservices/default/containers/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Interest:
    """A set of containers, given by whole names and by beginnings of names."""

    names: frozenset[str] = frozenset()
    beginnings: tuple[str, ...] = ()

    def includes(self, container: str) -> bool:
        if container in SYSTEM_CONTAINERS:
            return False
        return container in self.names or container.startswith(self.beginnings)


def interest_of(filters: Iterable[Filter]) -> Interest:
    """What these subscriptions of a storage account's system topic can match."""
    names: set[str] = set()
    beginnings: set[str] = set()
    for each in filters:
        if each.event_types is not None and not each.event_types & {CREATED, DELETED}:
            continue
        prefix = each.subject_begins_with.casefold()
        if not prefix.startswith(_CONTAINERS):
            if _CONTAINERS.startswith(prefix):
                beginnings.add("")
            continue
        name, slash, _ = prefix.removeprefix(_CONTAINERS).partition("/")
        if slash:
            names.add(name)
        else:
            beginnings.add(name)
    return Interest(names=frozenset(names), beginnings=tuple(sorted(beginnings)))


GetInterest = Callable[[], Interest]
