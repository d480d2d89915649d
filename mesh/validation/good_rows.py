"""The good rows of a file as Parquet, whatever becomes of the file: what others may point at."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from typing import IO

from mesh.model.contract_profile import Acceptance
from mesh.validation.engine import validate
from mesh.validation.file_format import FileFormat
from mesh.validation.joining import Kept
from mesh.validation.plan import Plan
from mesh.validation.publishing_sink import PublishingSink
from mesh.validation.report import FileProblem
from mesh.validation.sinks import NullSink
from mesh.validation.spool import IN_MEMORY

_EACH_GOOD_ONE = Acceptance(mode="split", max_rejected_share=1.0)


def good_rows(
    plan: Plan, chunks: Iterable[bytes], *, file_format: FileFormat, kept: Kept | None = None
) -> IO[bytes] | FileProblem:
    """The good rows of a file as Parquet, to be closed by the caller, or why there are none.

    Relationships are not looked at. Those of the `kept` records that the file joins come first.
    """
    lenient = replace(plan, acceptance=_EACH_GOOD_ONE, references={})
    sink = PublishingSink(NullSink(), lenient, file_format)
    try:
        report = validate(lenient, chunks, file_format=file_format, sink=sink, kept=kept)
        structural = [found for found in report.problems if found.rule != "quality"]
        if structural:
            return structural[0]
        # It is closed, and so deleted, by the caller.
        file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        sink.publish(file)
        file.seek(0)
        return file
    finally:
        sink.close()
