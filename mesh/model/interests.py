"""Which subscriptions an event has to be held against, without looking at all there are.

A filter asks for few types and objects, as a rule. For each pair that it may let through it is
found under that pair; `*` stands for whatever it leaves open. What else it asks for is for the
filter itself to say.
"""

from __future__ import annotations

from itertools import product as combinations

from mesh.model.events import ReceivedEvent
from mesh.model.filters import Expression
from mesh.model.subscription import Filter

ANY = "*"
MOST = 24
"""Pairs of one filter; one that lets more through is found under all events."""

Interest = tuple[str, str]
"""Type and object."""

_EVERYTHING: frozenset[Interest] = frozenset({(ANY, ANY)})
_PLACES = {"type": 0, "data.object": 1}


def interests(wanted: Filter) -> frozenset[Interest]:
    """Where a filter is to be found; nowhere when it can let nothing through."""
    return _of(Expression(dialect="all", parts=wanted.expressions))


def of_event(event: ReceivedEvent) -> tuple[Interest, ...]:
    """Where the filters are that may let an event through: at most four places."""
    found = [(event.type, ANY), (ANY, ANY)]
    if event.object_name is not None:
        found += [(event.type, event.object_name), (ANY, event.object_name)]
    return tuple(found)


def _of(wish: Expression) -> frozenset[Interest]:
    if wish.dialect == "exact" and wish.attribute in _PLACES:
        pair = [ANY, ANY]
        pair[_PLACES[wish.attribute]] = wish.value
        return frozenset({(pair[0], pair[1])})
    if wish.dialect not in {"all", "any"}:
        return _EVERYTHING
    found = frozenset[Interest]() if wish.dialect == "any" else _EVERYTHING
    for part in wish.parts:
        more = _of(part)
        found = found | more if wish.dialect == "any" else _both(found, more)
    return _EVERYTHING if len(found) > MOST or (ANY, ANY) in found else found


def _both(left: frozenset[Interest], right: frozenset[Interest]) -> frozenset[Interest]:
    """What is under one of `left` and under one of `right`."""
    found: set[Interest] = set()
    for one, other in combinations(left, right):
        pairs = list(zip(one, other, strict=True))
        if all(ANY in {a, b} or a == b for a, b in pairs):
            kind, about = (b if a == ANY else a for a, b in pairs)
            found.add((kind, about))
    return frozenset(found)
