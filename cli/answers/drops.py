"""What the API answers about dropped files, and who was told of them."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from cli.answers.products import Deprecation
from cli.answers.subscriptions import Attempt, Channel


class Drop(TypedDict):
    """The decision about one version of a dropped file."""

    drop: str
    product: str
    file: str
    place: str
    url: str
    etag: str
    contract: str
    verdict: Literal["accepted", "rejected", "superseded"]
    summary: str
    rows: int
    accepted: int
    rejected: int
    size: int
    landed_at: str
    received_at: str
    decided_at: str
    receipt: str
    sequence: int
    duplicates: int
    mends: str | None
    kept: int
    mended_by: str | None


class SetFile(TypedDict):
    """A file of a set that was rejected."""

    file: str
    drop: str


class SetMember(SetFile):
    """An accepted file of a set."""

    rows: int


class FileSet(TypedDict):
    """What has come of one set of files."""

    object: str
    major: int
    folder: str
    period: str | None
    opened_at: str
    due_at: str | None
    complete: bool
    sequence: int
    members: list[SetMember]
    missing: list[str]
    rejected: list[SetFile]


class ToldSubscriber(TypedDict):
    """A subscriber that an event is for, and the attempts at telling it."""

    subscription: str
    subscriber: str
    channel: Channel
    target: str
    state: Literal["active", "suspended", "gone", "barred", "ended"]
    failing: int
    reason: str
    attempts: list[Attempt]


class AnnouncedEvent(TypedDict):
    """An event that told of a drop, and whom."""

    id: str
    type: str
    sequence: int
    time: str
    subscribers: list[ToldSubscriber]


class Journey(Drop):
    """A drop with the set that it is of, if it is of one, and the events that told of it."""

    deprecation: Deprecation | None
    sets: list[FileSet]
    events: list[AnnouncedEvent]


Receipt = dict[str, Any]
"""A verdict in full, as it lies in storage."""
