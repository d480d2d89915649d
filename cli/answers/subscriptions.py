"""What the API answers about subscriptions, and what became of their notifications."""

from __future__ import annotations

from typing import Literal, TypedDict

Channel = Literal["pull", "push", "event-grid", "service-bus", "inbox", "composite"]
"""How a subscriber is told."""


Expression = TypedDict(
    "Expression",
    {
        "exact": dict[str, str],
        "prefix": dict[str, str],
        "suffix": dict[str, str],
        "all": list["Expression"],
        "any": list["Expression"],
        "not": "Expression",
    },
    total=False,
)
"""A filter in the dialects of CloudEvents Subscriptions; it has one of these members."""


class Subscription(TypedDict):
    """A domain's standing wish to be told."""

    id: str
    product: str
    subscriber: str
    channel: Channel
    target: str
    copies: bool
    ordered: bool
    signature: Literal["v1", "v1a"]
    filters: list[Expression]
    uses: list[str]
    state: Literal["active", "suspended", "gone", "barred"]
    suspended_at: str | None
    reason: str
    until: str | None
    failing: int
    created_at: str


class Subscribed(Subscription):
    """A subscription just made; the secret of a webhook is told this once."""

    secret: str | None


class Resumed(TypedDict):
    """A subscription that is told again."""

    subscription: Subscription
    notifications: int


class Replayed(TypedDict):
    """What one subscriber is told again."""

    notifications: int
    next_sequence: int | None


class Attempt(TypedDict):
    """One attempt at a notification."""

    number: int
    round: int
    at: str
    outcome: Literal["delivered", "retry", "gone", "refused", "exhausted", "acknowledged"]
    status: int | None
    reason: str
    duration_s: float
    next_at: str | None


class DeadLetter(TypedDict):
    """A message that was given up."""

    source: str
    number: int
    message_id: str
    enqueued_at: str | None
    reason: str
    description: str
    deliveries: int
    body: str


class SettledLetter(TypedDict):
    """A message that was resubmitted or discarded; without a body when that was said again."""

    source: str
    number: int
    message_id: str
    enqueued_at: str | None
    reason: str
    description: str
    deliveries: int
    body: str | None
    settlement: Literal["resubmitted", "discarded"]
    settled_at: str
    repeated: bool
