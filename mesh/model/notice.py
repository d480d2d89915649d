"""The notice that consumers are given of an output port's end, and what they have said to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from mesh.model.compatibility import Change
from mesh.model.names import ProductId
from mesh.model.product import PortKey

NOTICE_DAYS = "noticeDays"
"""Custom property of a contract: how many days of notice it promises."""

MOST_DAYS = 3650


class NoticeStanding(StrEnum):
    """`OPEN`: the port is going to end. `WITHDRAWN`: it stays after all. `RETIRED`: it is over."""

    OPEN = "open"
    WITHDRAWN = "withdrawn"
    RETIRED = "retired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A consumer that has to acknowledge a notice.

    Attributes:
        affected_by: which of the notice's changes hit what it relies on, by their places.
        acknowledged_by: a name, for people.
    """

    domain: str
    affected_by: tuple[int, ...]
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """That one major version of an output port ends, given to those consumers whom that affects.

    There is one per port and major version.

    Attributes:
        number: raised when there is something else to acknowledge.
        given_at: when consumers were first told.
        until: when the notice period is over; who has not acknowledged by then is not waited for.
        sunset: when the port ends, as it was told; None while that is open.
        migration: URL of what tells how to move.
        successor: version of the contract that takes its place; empty when none does.
        changes: what breaks consumers that read on there.
        reminders: how many of the fixed points of the notice period have passed.
        is_told: whether everybody has been told of this number and these reminders.
    """

    product: ProductId
    port: str
    version: str
    major: int
    number: int
    standing: NoticeStanding
    given_at: datetime
    until: datetime
    sunset: datetime | None
    migration: str | None
    successor: str
    changes: tuple[Change, ...]
    asked: tuple[Asked, ...]
    reminders: int = 0
    is_told: bool = False
    retired_at: datetime | None = None

    @property
    def key(self) -> PortKey:
        return (self.port, self.major)

    def has_set(self, now: datetime) -> bool:
        """Whether the sunset that was told has come."""
        return self.sunset is not None and self.sunset <= now

    @property
    def unacknowledged(self) -> tuple[Asked, ...]:
        return tuple(one for one in self.asked if one.acknowledged_at is None)

    def of(self, domain: str) -> Asked | None:
        """What is asked of a domain; None when nothing is."""
        return next((one for one in self.asked if one.domain == domain), None)

    def hitting(self, asked: Asked) -> list[Change]:
        """The changes that hit what a consumer relies on."""
        return [self.changes[place] for place in asked.affected_by]

    def retired(self, at: datetime) -> Notice:
        """The notice once its port is over."""
        return replace(self, standing=NoticeStanding.RETIRED, retired_at=at, is_told=True)

    def acknowledged(self, domain: str, *, by: str, at: datetime) -> Notice:
        """The notice once a domain has acknowledged it; the first time counts."""
        asked = tuple(
            replace(one, acknowledged_at=at, acknowledged_by=by)
            if one.domain == domain and one.acknowledged_at is None
            else one
            for one in self.asked
        )
        return replace(self, asked=asked)


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticePolicy:
    """What the policy says about notices.

    Attributes:
        period: how much notice consumers have, where the contract does not say.
        least: however little a contract says.
        reminders: how long before the end of the period it is said again, the longest time first.
    """

    period: timedelta = timedelta(days=90)
    least: timedelta = timedelta(days=14)
    reminders: tuple[timedelta, ...] = (timedelta(days=30), timedelta(days=7), timedelta(days=1))

    def of_contract(self, document: Mapping[str, Any]) -> timedelta:
        """The notice that a contract's consumers have."""
        said = promised_days(document)
        return self.period if said is None else max(self.least, timedelta(days=said))

    def passed(self, notice: Notice, now: datetime) -> int:
        """How many of the fixed points have passed; those from before the notice are no points."""
        points = [notice.until - before for before in self.reminders]
        return sum(notice.given_at < point <= now for point in points)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> NoticePolicy:
        """Read `notices` of `policy.json`.

        Raises:
            ValueError: a number of days makes no sense.
        """
        days, least = int(data["days"]), int(data["least_days"])
        before = sorted({int(number) for number in data["reminder_days"]}, reverse=True)
        if not 0 <= least <= days <= MOST_DAYS or any(number < 0 for number in before):
            message = (
                f"notices: 0 ≤ least_days ≤ days ≤ {MOST_DAYS}, and reminder_days of 0 or more"
            )
            raise ValueError(message)
        return cls(
            period=timedelta(days=days),
            least=timedelta(days=least),
            reminders=tuple(timedelta(days=number) for number in before),
        )


def promised_days(document: Mapping[str, Any]) -> int | None:
    """The days of notice that a contract promises; None when it does not say, or no number."""
    for _, value in notice_entries(document):
        if is_days(value):
            return int(value)
    return None


def notice_entries(document: Mapping[str, Any]) -> Sequence[tuple[int, Any]]:
    """The custom properties of a contract that promise notice: place, and value."""
    found = document.get("customProperties")
    return [
        (place, custom.get("value"))
        for place, custom in enumerate(found if isinstance(found, list) else ())
        if isinstance(custom, Mapping) and custom.get("property") == NOTICE_DAYS
    ]


def is_days(value: object) -> bool:
    """Whether a value is a number of days of notice."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_DAYS


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldOf:
    """How far a domain has been told of a notice, in its own stream."""

    product: ProductId
    port: str
    major: int
    number: int
    reminders: int

    @property
    def point(self) -> tuple[int, int]:
        """What comes later is greater."""
        return (self.number, self.reminders)

    @property
    def key(self) -> str:
        return f"{self.product.key}:{self.port}:v{self.major}"
