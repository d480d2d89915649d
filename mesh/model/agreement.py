"""What lets a domain consume another's product: asked for with a purpose, decided, and ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from mesh.model.events import AGREEMENT_TYPES, Announcement, trace_id_of
from mesh.model.names import ProductId, is_slug
from mesh.model.timestamps import rfc3339


class Standing(StrEnum):
    """How an agreement stands; only one that is `GRANTED`, and has not run out, lets consume."""

    REQUESTED = "requested"
    GRANTED = "granted"
    REFUSED = "refused"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Between a product's domain and one that wants to consume it; there is one per pair.

    Attributes:
        number: raised by each change, so that each is announced as another event.
        purpose: what the data is wanted for, in the consumer's words.
        requested_by, decided_by: names, for people.
        reason: of the last decision.
        expires_at: when it runs out; None before it was granted.
        is_reminded: whether its end has been announced.
        command: the last one that granted it (`mesh.audit`).
    """

    product: ProductId
    consumer: str
    standing: Standing
    number: int
    purpose: str
    requested_by: str
    requested_at: datetime
    decided_by: str = ""
    decided_at: datetime | None = None
    reason: str = ""
    expires_at: datetime | None = None
    is_reminded: bool = False
    command: str = ""

    def is_in_force(self, now: datetime) -> bool:
        return self.standing is Standing.GRANTED and not self.has_run_out(now)

    def has_run_out(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementPolicy:
    """What the policy says about agreements.

    Attributes:
        owner_decides: addresses (`DOMAIN/PRODUCT`, `DOMAIN/*`, `*`) of products whose owner decides
            who may consume them; who asks for any other has it at once.
        lifetime: how long an agreement lasts, unless its owner says otherwise.
        reminder: how long before its end that is announced.
    """

    owner_decides: frozenset[str] = frozenset()
    lifetime: timedelta = timedelta(days=365)
    reminder: timedelta = timedelta(days=14)

    def asks_owner(self, product: ProductId) -> bool:
        return bool(self.owner_decides & {"*", f"{product.domain}/*", str(product)})

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> AgreementPolicy:
        """Read `agreements` of `policy.json`.

        Raises:
            ValueError: an address or a number of days makes no sense.
        """
        addresses = frozenset(str(address) for address in data["owner_decides"])
        for address in addresses - {"*"}:
            domain, _, product = address.partition("/")
            if not is_slug(domain) or not (product == "*" or is_slug(product)):
                message = f"agreements.owner_decides: {address!r} is no address of products"
                raise ValueError(message)
        days, before = int(data["days"]), int(data["reminder_days"])
        if not 0 <= before < days:
            message = "agreements: days has to be more than reminder_days, which is 0 or more"
            raise ValueError(message)
        return cls(
            owner_decides=addresses,
            lifetime=timedelta(days=days),
            reminder=timedelta(days=before),
        )


def announcement(agreement: Agreement, *, what: str, at: datetime) -> Announcement:
    """What happened to an agreement (`requested`, …, `expiring`); its purpose is nobody else's."""
    kind = f"mesh.agreement.{what}.v1"
    assert kind in AGREEMENT_TYPES
    ends = agreement.expires_at
    return Announcement(
        type=kind,
        key=f"{agreement.consumer}:{agreement.number}",
        subject=f"agreements/{agreement.consumer}",
        time=at,
        trace_id=trace_id_of(f"{agreement.product.key}\n{agreement.consumer}\n{agreement.number}"),
        data={
            "consumer": agreement.consumer,
            "standing": agreement.standing.value,
            "expires_at": None if ends is None else rfc3339(ends),
        },
    )
