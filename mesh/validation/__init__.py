"""A contract compiled to a plan; bytes in, accepted records, rejects and violations out.

`compile_object` makes the plan, `validate` judges a file by it. Importing this package loads only
the standard library.
"""

from mesh.validation.ages import check_ages
from mesh.validation.engine import validate
from mesh.validation.file_format import FileFormat
from mesh.validation.good_rows import good_rows
from mesh.validation.joining import Kept
from mesh.validation.plan import Plan, compile_object
from mesh.validation.published_file import PublishedFile
from mesh.validation.publishing_sink import PublishingSink
from mesh.validation.queries import QueryLimits, check_queries, wrong_queries
from mesh.validation.references import Reference
from mesh.validation.reject_file import RejectFile
from mesh.validation.report import (
    FileProblem,
    Limits,
    RejectedRecord,
    Sink,
    ValidationReport,
    Violation,
)
from mesh.validation.sinks import NullSink, StreamSink
from mesh.validation.writable import Writable

__all__ = [
    "FileFormat",
    "FileProblem",
    "Kept",
    "Limits",
    "NullSink",
    "Plan",
    "PublishedFile",
    "PublishingSink",
    "QueryLimits",
    "Reference",
    "RejectFile",
    "RejectedRecord",
    "Sink",
    "StreamSink",
    "ValidationReport",
    "Violation",
    "Writable",
    "check_ages",
    "check_queries",
    "compile_object",
    "good_rows",
    "validate",
    "wrong_queries",
]
