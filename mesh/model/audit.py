"""What was decided, by whom, when and why; each entry holds a digest of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

MESH = "mesh"
"""The log of what concerns no one domain."""

UNSEEN = "unseen"

START = "0" * 64
"""What the first entry of a log holds in place of a digest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """Something that somebody did, or was refused.

    Attributes:
        log: the domain that it concerns, or `MESH`.
        operation: of the HTTP API.
        by, name: object id and name of who did it.
        about: what it was about, by the names of parts of the path and members of the body.
        outcome: `done`, or the problem that it was refused with; `unseen` when it was begun, and
            nobody came back to say how it ended.
        reason: as it was given; empty when none was.
    """

    log: str
    at: datetime
    operation: str
    by: str
    name: str
    about: Mapping[str, str]
    outcome: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """What is to become an entry: a command that somebody has begun, or refusals that are counted.

    Attributes:
        key: the same for the same command of the same caller; there is one per key and log.
        id: of this one among all that ever had the key.
        deed: as it was when this was put down.
        count: how often more, of refusals.
    """

    key: str
    id: str
    deed: Deed
    count: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """A deed in its place in its log.

    Attributes:
        number: 1, 2, 3, … without gap within the log.
        previous: digest of the entry before.
    """

    number: int
    previous: str
    deed: Deed

    @property
    def digest(self) -> str:
        """SHA-256 over the digest before and everything that this entry says."""
        deed = self.deed
        said = [self.number, self.previous, deed.log, deed.at.isoformat(), deed.operation]
        said += [deed.by, deed.name, sorted(deed.about.items()), deed.outcome, deed.reason]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def following(last: AuditEntry | None, deed: Deed) -> AuditEntry:
    """The entry of a deed that comes after the last one."""
    if last is None:
        return AuditEntry(number=1, previous=START, deed=deed)
    return AuditEntry(number=last.number + 1, previous=last.digest, deed=deed)


def is_whole(entries: Sequence[AuditEntry]) -> bool:
    """Whether entries, newest first, follow each other with none changed, missing or added."""
    return all(
        later.number == earlier.number + 1 and later.previous == earlier.digest
        for later, earlier in pairwise(entries)
    )
