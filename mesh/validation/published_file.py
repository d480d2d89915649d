"""What was published of a file, as its manifest tells it."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.validation.partitions import PublishedPart


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedColumn:
    """What a manifest says of one column; extremes and `distinct` are left out where unknown.

    Attributes:
        newest: Of a field whose age is promised, its greatest value: days or microseconds since
            1970, or a text; not in the manifest.
    """

    name: str
    type: str
    nulls: int
    rounded: int
    distinct: int | None
    minimum: str | None
    maximum: str | None
    newest: int | str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedFile:
    """What was written.

    Attributes:
        sha256: Of the file, in hexadecimal.
        fingerprint: SHA-256 over names and types of the columns: equal for equal schemas.
        parts: The files of data that is parted: `byte_size` is then that of all, and `sha256` is
            over the lines `SHA256  PATH` of the parts, as `sha256sum` writes them.
    """

    rows: int
    byte_size: int
    sha256: str
    fingerprint: str
    columns: tuple[PublishedColumn, ...]
    parts: tuple[PublishedPart, ...] = ()

    def locations(self, folder: str) -> tuple[str, ...]:
        """Where the parts lie in a folder."""
        return tuple(f"{folder}/{part.path}" for part in self.parts)
