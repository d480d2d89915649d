"""What the API answers about who may do what, and who did."""

from __future__ import annotations

from typing import Literal, TypedDict


class Caller(TypedDict):
    id: str
    name: str
    ops: bool
    roles: dict[str, list[str]]


class Agreement(TypedDict):
    """What was agreed with a domain about consuming a product."""

    product: str
    consumer: str
    standing: Literal["requested", "granted", "refused", "expired", "revoked"]
    purpose: str
    requested_by: str
    requested_at: str
    decided_by: str
    decided_at: str | None
    reason: str
    expires_at: str | None


class ReadableBlob(TypedDict):
    location: str
    url: str


class ReadAccess(TypedDict):
    """What may be read until when."""

    product: str
    sequence: int
    until: str
    blobs: list[ReadableBlob]


class AuditEntry(TypedDict):
    """Something that somebody did, or was refused."""

    number: int
    at: str
    operation: str
    by: str
    name: str
    about: dict[str, str]
    outcome: str
    reason: str
    digest: str


class Audit(TypedDict):
    """A log, newest first."""

    entries: list[AuditEntry]
    whole: bool
