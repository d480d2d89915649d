"""A sink that publishes what is accepted, besides passing it on."""

from __future__ import annotations

from collections.abc import Callable

from mesh.validation.file_format import FileFormat
from mesh.validation.partitions import Target
from mesh.validation.plan import Plan
from mesh.validation.published_file import PublishedFile
from mesh.validation.report import (
    ColumnRows,
    FileProblem,
    FileRefusedError,
    RejectedRecord,
    Sink,
)
from mesh.validation.typed_parquet import TypedParquet
from mesh.validation.writable import Writable


class PublishingSink:
    """Passes everything on, and writes the accepted records as Parquet beside.

    Where one bad record rejects the file, nothing more is written after it.
    """

    def __init__(self, sink: Sink, plan: Plan, file_format: FileFormat) -> None:
        self._sink = sink
        self._splits = plan.acceptance.mode == "split"
        self._parquet: TypedParquet | None = TypedParquet(plan, file_format)

    def header(self, data: bytes) -> None:
        self._sink.header(data)
        if self._parquet is not None:
            self._parquet.header(data)

    def accepted(self, data: bytes) -> None:
        self._sink.accepted(data)
        if self._parquet is not None:
            self._parquet.add(data)

    def accepted_columns(self, rows: ColumnRows) -> None:
        self._sink.accepted_columns(rows)
        if self._parquet is not None:
            self._parquet.add_columns(rows)

    def rejected(self, record: RejectedRecord) -> None:
        self._sink.rejected(record)
        if not self._splits:
            self.close()

    def publish(self, to: Writable) -> PublishedFile:
        """Write the Parquet file of an accepted file."""
        assert self._parquet is not None  # what is accepted has no bad record, or may have some
        return self._parquet.finish(to)

    def publish_parts(self, opened: Callable[[str], Target]) -> PublishedFile | FileProblem:
        """Write an accepted file in parts, each to what `opened` gives for its path."""
        assert self._parquet is not None  # as above
        try:
            return self._parquet.finish_parts(opened)
        except FileRefusedError as refusal:
            return refusal.problem

    def close(self) -> None:
        """Forget what is not published."""
        if self._parquet is not None:
            self._parquet.close()
            self._parquet = None
