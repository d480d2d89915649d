"""Who relies on what of a product, and whom a change of its contract affects.

Which fields a consumer reads, nobody but the consumer knows. One who has registered them is
affected by changes of these alone; to one who has not, every change is taken to matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mesh.model.agreement import Agreement
from mesh.model.compatibility import Change
from mesh.model.subscription import State, Subscription


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumer:
    """A domain that is told of a product, or may read it.

    Attributes:
        uses: what it relies on, each `OBJECT` or `OBJECT.FIELD`; empty for everything.
    """

    domain: str
    uses: tuple[str, ...] = ()

    def relies_on(self, change: Change) -> bool:
        """Whether a change is one of what this consumer relies on.

        What concerns a contract as a whole concerns everybody; what concerns a whole object,
        whoever relies on any of its fields.
        """
        return not (self.uses and change.object_name) or any(
            _concerns(change, use) for use in self.uses
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsumerVerdict:
    """What publishing a version of a contract means for one consumer.

    Attributes:
        affected_by: the changes that it relies on not being made.
    """

    consumer: Consumer
    affected_by: tuple[Change, ...]

    @property
    def verdict(self) -> Literal["affected", "unaffected"]:
        return "affected" if self.affected_by else "unaffected"


def consumers_of(
    subscriptions: Iterable[Subscription], agreed: Iterable[Agreement]
) -> list[Consumer]:
    """All who rely on a product, in the order of their names.

    A domain relies on what its subscriptions say together, and on everything if one of them says
    nothing, or if it may read the product and has not subscribed. Subscriptions that are over
    (`gone`, `barred`) count for nothing.

    Args:
        agreed: the agreements about the product that are in force.
    """
    wishes: dict[str, list[tuple[str, ...]]] = {}
    for wants in subscriptions:
        if wants.state not in {State.GONE, State.BARRED}:
            wishes.setdefault(wants.subscriber, []).append(wants.uses)
    for agreement in agreed:
        wishes.setdefault(agreement.consumer, [()])
    return [
        Consumer(domain=domain, uses=_together(said)) for domain, said in sorted(wishes.items())
    ]


def verdict_of(consumer: Consumer, changes: Sequence[Change]) -> ConsumerVerdict:
    """What these changes mean for a consumer; those that break no consumer affect none."""
    affected_by = tuple(
        change for change in changes if change.breaks_consumers and consumer.relies_on(change)
    )
    return ConsumerVerdict(consumer=consumer, affected_by=affected_by)


def _together(said: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(set().union(*said))) if all(said) else ()


def _concerns(change: Change, use: str) -> bool:
    object_name, _, field = use.partition(".")
    if change.object_name != object_name:
        return False
    is_whole = not change.field or not field
    return is_whole or change.field == field or change.field.startswith((f"{field}.", f"{field}["))
