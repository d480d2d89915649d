"""What a judgement leaves behind under names of the drop: published data, rejects, violations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Self

from mesh.model.dropped_file import DroppedFile, Place
from mesh.ports import Storage, Writer
from mesh.validation import (
    FileFormat,
    FileProblem,
    Plan,
    PublishedFile,
    PublishingSink,
    RejectFile,
    StreamSink,
    ValidationReport,
)

_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "avro": "application/avro",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class Outputs:
    """The blobs that a judgement writes; what is not committed is discarded.

    `published` holds what the producer sent: of text, the good records as they came; of other
    formats, the whole file, or the good records as JSON Lines where bad ones were left out. Of a
    Parquet file those are the same as `parquet`.
    `parquet` holds the good records typed by the contract, `rejects` the bad ones as the producer
    wrote them: to be corrected, and dropped again.

    Args:
        version: Of the contract.
        listed: How many violations are listed beside the rejects, at most; more are counted.
        references: Digest of the data that the file's relationships are checked against; empty when
            it has none.

    Attributes:
        sink: Where the records go.
        locations: Of the blobs that were committed, by what they are.
    """

    def __init__(
        self,
        storage: Storage,
        dropped: DroppedFile,
        place: Place,
        version: str,
        plan: Plan,
        file_format: FileFormat,
        references: str = "",
        listed: int | None = None,
    ) -> None:
        # What is written follows from the drop, the contract and what is referred to alone: a
        # worker that is late, and judges by the next version of them, cannot change what was
        # announced.
        folder = "/".join(filter(None, (place.folder, dropped.id, version, references)))
        wanted = _wanted(folder, dropped.file, file_format)
        self._names = {key: location for key, (location, _) in wanted.items()}
        self._writers: dict[str, Writer] = {
            key: storage.writer(location, content_type=kind)
            for key, (location, kind) in wanted.items()
        }
        self._rejects = RejectFile(
            plan,
            file_format,
            native=self._writers["rejects"],
            lines=self._writers["rejects-lines"],
        )
        self._streams = StreamSink(
            accepted=self._writers.get("published"),
            rejects=self._rejects,
            violations=self._writers["violations"],
            most=listed,
        )
        self._storage, self._is_parted = storage, bool(plan.partition_keys)
        self.sink = PublishingSink(self._streams, plan, file_format)
        self.locations: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sink.close()
        self._rejects.close()
        for writer in self._writers.values():
            writer.discard()

    def kept(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces of the file, which is kept as it came where its records are no text."""
        for piece in pieces:
            if "file" in self._writers:
                self._writers["file"].write(piece)
            yield piece

    def told(self, report: ValidationReport) -> ValidationReport:
        """The report; with a warning when not all violations of it are listed."""
        listed = self._streams.listed
        if listed >= report.violations:
            return report
        unlisted = FileProblem(
            rule="violationsListed",
            message=f"Of {report.violations:,} violations the first {listed:,} are listed; the "
            "others are counted, and their records are in the reject file.",
            remedy="Correct what is wrong with the first ones; it hardly differs in the others.",
        )
        return replace(report, warnings=(*report.warnings, unlisted))

    def commit(
        self, report: ValidationReport, *, joins: bool = False
    ) -> PublishedFile | FileProblem | None:
        """Let appear what the verdict lets appear; what `joins` others was not all in the file.

        Returns:
            What was published; why it cannot be, although each row is good; None when it is not.
        """
        published: PublishedFile | FileProblem | None = None
        if report.verdict == "accepted":
            whole = "file" in self._writers and not report.rejected and not joins
            if self._is_parted:
                published = self.sink.publish_parts(self._part)
            else:
                published = self.sink.publish(self._writers["parquet"])
            if isinstance(published, PublishedFile):
                self._commit_parquet()
                if whole or "published" in self._writers:
                    self._commit("published", "file" if whole else "published")
                else:
                    self.locations["published"] = self.locations["parquet"]
        if report.rejected:
            native = self._rejects.finish() == "native"
            self._commit("rejects", "rejects" if native else "rejects-lines")
            self._commit("violations", "violations")
        return published

    def _part(self, path: str) -> Writer:
        location = f"{self._names['parquet']}/{path}"
        return self._storage.writer(location, content_type=_MEDIA_TYPES["parquet"])

    def _commit_parquet(self) -> None:
        if self._is_parted:
            self.locations["parquet"] = self._names["parquet"]  # the folder
        else:
            self._commit("parquet", "parquet")

    def _commit(self, key: str, writer: str) -> None:
        self._writers.pop(writer).commit()
        self.locations[key] = self._names[writer]


def _beside_rejects(folder: str, dropped: str) -> str:
    """Where violations lie: the file itself may have the name that they usually have."""
    name = "violations.jsonl"
    return f"quarantine/{folder}/{'all-' * (dropped == name)}{name}"


def _beside(location: str, dropped: str) -> str:
    """A location that is not also that of the dropped file itself, which may be Parquet."""
    if not location.endswith(f"/{dropped}"):
        return location
    return f"{location.removesuffix('.parquet')}.typed.parquet"


def _wanted(folder: str, file: str, file_format: FileFormat) -> dict[str, tuple[str, str]]:
    """Location and media type of each blob that a file may leave behind, by what it is."""
    name = file_format.records_name(file)
    records = _MEDIA_TYPES[file_format.records_kind]
    lines = f"{file}.jsonl"
    parquet = f"published/{folder}/{name.rpartition('.')[0]}.parquet"
    wanted = {
        "published": (f"published/{folder}/{name}", records),
        "parquet": (_beside(parquet, file), _MEDIA_TYPES["parquet"]),
        "rejects": (f"quarantine/{folder}/{file}", _MEDIA_TYPES[file_format.kind]),
        "rejects-lines": (f"quarantine/{folder}/{lines}", _MEDIA_TYPES["jsonl"]),
        "violations": (_beside_rejects(folder, file), _MEDIA_TYPES["jsonl"]),
    }
    if file_format.kind == "parquet":
        del wanted["published"]
    if name != file and file_format.kind != file_format.records_kind:
        kind = _MEDIA_TYPES[file_format.kind]
        wanted["file"] = (f"published/{folder}/{file}", kind)
    return wanted
