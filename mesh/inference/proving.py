"""Files read once for evidence, and once more to prove the draft on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mesh.errors import Rejected
from mesh.inference.drafting import Draft, Sheet, draft
from mesh.inference.evidence import Evidence, Uniqueness
from mesh.inference.reading import Layout, csv_records, encoding_of, json_records, layout_of
from mesh.inference.typed_files import read_records
from mesh.model.contract import DataContract
from mesh.validation import (
    FileFormat,
    FileProblem,
    Limits,
    NullSink,
    ValidationReport,
    compile_object,
    validate,
)
from mesh.validation.blocks import plain_chunks
from mesh.validation.file_columns import FileColumn
from mesh.validation.report import FileRefusedError

_SAMPLE = Limits(sample=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file to infer from.

    Attributes:
        name: of the file, which tells its format.
        open: gives its bytes from the beginning, each time it is called.
    """

    name: str
    open: Callable[[], Iterable[bytes]]


def infer(sources: Sequence[Source], *, object_name: str) -> Draft:
    """A draft of the contract of files with the same kind of record; it accepts them all.

    Raises:
        Rejected: the files are empty, in no format that can be inferred from, differ in how they
            are written, or hold records that no contract could accept.
    """
    formats = [_format(source) for source in sources]
    sheet = _sheet(sources, formats, object_name)
    while True:
        made = draft(sheet)
        broken, refused = _broken(made, sources, formats, object_name)
        if refused is None:
            return made
        if broken <= sheet.taken_back:
            raise refused
        sheet = replace(sheet, taken_back=sheet.taken_back | broken)


def _format(source: Source) -> FileFormat:
    found = FileFormat.from_name(source.name)
    if isinstance(found, FileProblem):
        raise Rejected(f"{found.message} {found.remedy}", problem="nothing-to-infer")
    return found


def _sheet(sources: Sequence[Source], formats: Sequence[FileFormat], object_name: str) -> Sheet:
    uniqueness = Uniqueness()
    fields: dict[str, Evidence] = {}
    layouts: list[Layout] = []
    columns: dict[str, list[FileColumn]] = {}
    rows = 0
    for source, format_ in zip(sources, formats, strict=True):
        try:
            if format_.kind == "csv":
                layouts.append(_layout(source, format_))
                rows += _read_csv(source, format_, layouts[-1], fields, uniqueness)
            elif format_.kind == "jsonl":
                rows += _read_json(source, format_, fields, uniqueness)
            else:
                rows += _read_typed(source, format_, fields, columns, uniqueness)
        except FileRefusedError as refused:
            problem = refused.problem
            said = f"{source.name}: {problem.message} {problem.remedy}"
            raise Rejected(said, problem="nothing-to-infer") from None
    _refuse_mixed(sources, formats, layouts)
    if not fields:
        message = "The files hold no record: there is nothing to infer a contract from."
        raise Rejected(message, problem="nothing-to-infer")
    layout = layouts[0] if layouts else None
    return Sheet(name=object_name, rows=rows, fields=fields, layout=layout, columns=columns)


def _refuse_mixed(
    sources: Sequence[Source], formats: Sequence[FileFormat], layouts: Sequence[Layout]
) -> None:
    """Refuse files that no single dialect describes; those without one are read alike."""
    told = iter(layouts)
    ways = [_way(next(told)) if format_.kind == "csv" else None for format_ in formats]
    for source, way in zip(sources, ways, strict=True):
        if way != ways[0]:
            message = (
                f"{source.name} is written in another way than {sources[0].name}; infer a contract "
                "from each kind alone."
            )
            raise Rejected(message, problem="nothing-to-infer")


def _way(layout: Layout) -> tuple[str, str, bool]:
    return layout.separator, layout.encoding, layout.named_by_file


def _plain(source: Source, format_: FileFormat) -> Iterator[bytes]:
    return plain_chunks(source.open(), format_.compression)


def _layout(source: Source, format_: FileFormat) -> Layout:
    encoding = encoding_of(_plain(source, format_))
    usual = format_.separator or ","
    return layout_of(_plain(source, format_), encoding=encoding, usual=usual)


def _read_csv(
    source: Source,
    format_: FileFormat,
    layout: Layout,
    fields: dict[str, Evidence],
    uniqueness: Uniqueness,
) -> int:
    columns = [fields.setdefault(name, Evidence(uniqueness)) for name in layout.names]
    count = 0
    for count, row in enumerate(csv_records(_plain(source, format_), layout), start=1):  # noqa: B007 - the last is the count
        for evidence, cell in zip(columns, row, strict=False):
            if cell:
                evidence.text(cell)
            else:
                evidence.null()
    return count


def _read_json(
    source: Source, format_: FileFormat, fields: dict[str, Evidence], uniqueness: Uniqueness
) -> int:
    count = 0
    for count, record in enumerate(json_records(_plain(source, format_)), start=1):  # noqa: B007 - the last is the count
        for name, value in record.items():
            if name not in fields:
                fields[name] = Evidence(uniqueness)
            fields[name].value(value)
    return count


def _read_typed(
    source: Source,
    format_: FileFormat,
    fields: dict[str, Evidence],
    columns: dict[str, list[FileColumn]],
    uniqueness: Uniqueness,
) -> int:
    def take(record: Mapping[str, Any]) -> None:
        for name, value in record.items():
            if name not in fields:
                fields[name] = Evidence(uniqueness)
            fields[name].value(value)

    report, own = read_records(source.open, format_, take)
    if report.problems or report.rejected:
        raise _unfit(source, report)
    for name, column in own.items():
        fields.setdefault(name, Evidence(uniqueness))
        columns.setdefault(name, []).append(column)
    return report.rows


def _broken(
    made: Draft, sources: Sequence[Source], formats: Sequence[FileFormat], object_name: str
) -> tuple[frozenset[str], Rejected | None]:
    """The fields whose rules the files do not keep; and the first refusal, if there is one."""
    plan = compile_object(DataContract.from_document(made.document), object_name)
    names = frozenset(plan.fields)
    found: set[str] = set()
    refused: Rejected | None = None
    for source, format_ in zip(sources, formats, strict=True):
        report = validate(plan, source.open(), file_format=format_, sink=NullSink(), limits=_SAMPLE)
        if report.verdict == "accepted":
            continue
        named = _fields(report, names)
        if report.problems or not named:
            raise _unfit(source, report)
        refused = refused or _unfit(source, report)
        found |= named
    return frozenset(found), refused


def _fields(report: ValidationReport, names: frozenset[str]) -> frozenset[str]:
    """The fields that violations name; the primary key is named as a whole."""
    named = set()
    for path in report.by_field:
        named |= {
            name for name in names if path == name or path.startswith((f"{name}.", f"{name}["))
        }
        named |= {part for part in path.split(", ") if part in names}
    return frozenset(named)


def _unfit(source: Source, report: ValidationReport) -> Rejected:
    said = [f"{problem.message} {problem.remedy}" for problem in report.problems]
    said += [f"Row {one.row}, line {one.line}: {one.message}" for one in report.sample]
    message = f"No contract accepts {source.name}. {' '.join(said)}"
    return Rejected(message, problem="nothing-to-infer")
