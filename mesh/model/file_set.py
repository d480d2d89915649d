"""Files that make one delivery only together: consumers hear of it once all have been accepted."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

FILE_SET = "fileSet"
"""The custom property of a contract or an object (`docs/contract-profile.md`)."""

MOST_MEMBERS = 100
"""All members are named in one event, which intermediaries need only carry up to 64 KiB."""

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@dataclass(frozen=True, kw_only=True, slots=True)
class SetRule:
    """Which files make a set, by one of three: names, a number, or a file that lists them.

    Attributes:
        names: of the files, or patterns that one file each matches.
        count: so many files that match `pattern`.
        manifest: name of the file that lists the others.
        deadline: from the landing of the first file; None: a set may stay open.
    """

    names: tuple[str, ...] = ()
    count: int = 0
    pattern: str = "*"
    manifest: str = ""
    deadline: timedelta | None = None

    @classmethod
    def from_profile(cls, values: Mapping[str, Any]) -> SetRule | None:
        """The rule that a `fileSet` property describes; None when there is none."""
        if not values:
            return None
        late = values.get("deadline")
        return cls(
            names=tuple(values.get("members", ())),
            count=values.get("count", 0),
            pattern=values.get("pattern", "*"),
            manifest=values.get("manifest", ""),
            deadline=late["value"] * _UNITS[late["unit"]] if late else None,
        )

    def slot(self, file: str) -> str | None:
        """Which member a file is; None when it is none."""
        if self.manifest and file == self.manifest:
            return file
        if self.names:
            exact = [name for name in self.names if name == file]
            fitting = (name for name in self.names if fnmatch.fnmatchcase(file, name))
            return next(iter(exact), None) or next(fitting, None)
        return file if fnmatch.fnmatchcase(file, self.pattern) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """An accepted file of a set.

    Attributes:
        slot: which member it is.
        location, parquet: of the published data; empty for a list of members.
    """

    slot: str
    file: str
    drop: str
    rows: int
    rejected: int
    receipt: str
    location: str = ""
    parquet: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turned:
    """A file that would be a member, and was rejected."""

    slot: str
    file: str
    drop: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSet:
    """What has come of one set, as it stands in the product's record.

    Attributes:
        folder: below the object's, in which all members are dropped.
        period: of the folder, if it names one.
        opened_at: when the first file landed.
        due_at: when it is late; None when there is no deadline.
        expected: slots of all members; empty while only their number or the list's name is known.
        told_late: whether that was announced, and its completion was not yet.
        sequence: of the event that announced it last; 0 before it was complete.
    """

    port: str
    major: int
    object_name: str
    folder: str
    period: str | None
    opened_at: datetime
    due_at: datetime | None
    expected: tuple[str, ...] = ()
    count: int = 0
    pattern: str = "*"
    manifest: str = ""
    members: tuple[Member, ...] = ()
    rejected: tuple[Turned, ...] = ()
    told_late: bool = False
    sequence: int = 0

    @property
    def missing(self) -> tuple[str, ...]:
        """What it waits for: names, or how many more."""
        there = {member.slot for member in self.members}
        if self.count:
            more = self.count - len(there)
            return (f"{more} more of {self.pattern}",) if more > 0 else ()
        if self.manifest and self.manifest not in there:
            return (self.manifest,)
        return tuple(slot for slot in self.expected if slot not in there)

    @property
    def is_complete(self) -> bool:
        return not self.missing

    @property
    def data(self) -> tuple[Member, ...]:
        """The members that hold rows; of those that a list does not name, none."""
        named = None if not self.manifest else set(self.expected)
        return tuple(
            member
            for member in self.members
            if member.location and (named is None or member.slot in named)
        )

    def with_member(self, member: Member) -> FileSet:
        """The set with a newly accepted file, in the order of the slots."""
        others = [one for one in self.members if one.slot != member.slot]
        return replace(
            self,
            members=tuple(sorted([*others, member], key=lambda one: one.slot)),
            rejected=tuple(one for one in self.rejected if one.slot != member.slot),
        )

    def with_rejected(self, turned: Turned) -> FileSet:
        """The set with a file that was rejected; at most as many are told of as may be members."""
        others = [one for one in self.rejected if one.slot != turned.slot]
        kept = sorted([*others, turned], key=lambda one: one.slot)[:MOST_MEMBERS]
        return replace(self, rejected=tuple(kept))

    def told(self) -> dict[str, Any]:
        """How events tell of what is missing."""
        return {
            "folder": self.folder,
            "missing": list(self.missing),
            "rejected": [{"file": one.file, "drop": one.drop} for one in self.rejected],
        }
