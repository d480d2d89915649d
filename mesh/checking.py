"""Judge a file by a contract without a mesh: what landing would say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mesh.documents import NO_VARIABLES, read_document
from mesh.errors import Rejected
from mesh.judging import nothing_read
from mesh.known_data import KnownData, KnownReferences, Opened, known_references
from mesh.model.contract import DataContract
from mesh.model.contract_check import check_contract, is_record_schema
from mesh.model.findings import Finding
from mesh.model.manifest import manifest
from mesh.model.receipt import Judged, receipt
from mesh.validation import (
    FileFormat,
    FileProblem,
    Limits,
    Plan,
    PublishedFile,
    PublishingSink,
    RejectFile,
    Sink,
    ValidationReport,
    Writable,
    check_ages,
    check_queries,
    compile_object,
    validate,
)
from mesh.validation.partitions import Target
from mesh.validation.queries import sql_rules


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One file to be judged.

    Attributes:
        file: its name, which tells its format.
        contract: the contract; it has the object.
        violations_shown: how many violations the receipt holds in full.
        known: data for the relationships of the file to point at.
        contracts: those that its relationships lead to, by the file that they name.
    """

    file: str
    contract: DataContract
    object_name: str
    violations_shown: int = 100
    known: Sequence[KnownData] = ()
    contracts: Mapping[str, DataContract] = field(default_factory=dict)

    def run(
        self,
        chunks: Iterable[bytes],
        sink: Sink,
        *,
        at: datetime,
        parquet: Writable | None = None,
        parts: Callable[[str], Target] | None = None,
        again: Opened | None = None,
    ) -> dict[str, Any]:
        """Judge the file; its records go to `sink` while it is read.

        Args:
            chunks: the bytes of the file, cut anywhere.
            sink: what it was given counts only when the verdict is `accepted`.
            at: the time of the verdict.
            parquet: where the good records of an accepted file go, typed by the contract.
            parts: instead, opens the part of a path, where the contract parts published data.
            again: gives the bytes of the file once more, for relationships within it.

        Raises:
            Rejected: what the file's relationships point at cannot be read.

        Returns:
            The receipt (`schemas/receipts/v1.json`).
        """
        judged = Judged(
            file=self.file,
            contract_id=self.contract.id,
            contract_version=self.contract.version,
            object_name=self.object_name,
        )
        file_format = FileFormat.from_name(self.file)
        if isinstance(file_format, FileProblem):
            return receipt(nothing_read(file_format), judged, decided_at=at)
        plan = compile_object(self.contract, self.object_name)
        known = self._known(plan, again)
        plan = replace(plan, references=known.found)
        if plan.partition_keys:
            report, published = self._parted(plan, file_format, chunks, sink, parts)
        else:
            report, published = self._report(plan, file_format, chunks, sink, parquet)
        report = check_ages(plan, report, published, at)
        told = None
        if published is not None and (parquet is not None or parts is not None):
            told = manifest(published, judged)
        return receipt(report, judged, decided_at=at, manifest=told, references=known.told())

    @property
    def is_parted(self) -> bool:
        """Whether the contract parts what is published of the file."""
        return bool(self.contract.objects[self.object_name].partition_keys)

    def rejects(self, *, native: Writable, lines: Writable) -> RejectFile | None:
        """What writes the bad records of the file; None when nothing of it can be read."""
        file_format = FileFormat.from_name(self.file)
        if isinstance(file_format, FileProblem):
            return None
        plan = compile_object(self.contract, self.object_name)
        return RejectFile(plan, file_format, native=native, lines=lines)

    def _known(self, plan: Plan, again: Opened | None) -> KnownReferences:
        own = None
        if again is not None:
            product = f"{self.contract.domain or ''}/{self.contract.data_product or ''}"
            own = KnownData(product=product, object_name=None, file=self.file, opened=again)
        return known_references(self.contract, plan, self.known, self.contracts, own)

    def _report(
        self,
        plan: Plan,
        file_format: FileFormat,
        chunks: Iterable[bytes],
        sink: Sink,
        parquet: Writable | None,
    ) -> tuple[ValidationReport, PublishedFile | None]:
        limits = Limits(sample=self.violations_shown)
        dated = any(not one.obstacle for one in plan.freshness)
        if parquet is None and not dated and not sql_rules(plan):
            return validate(plan, chunks, file_format=file_format, sink=sink, limits=limits), None
        publishing = PublishingSink(sink, plan, file_format)
        try:
            report = validate(plan, chunks, file_format=file_format, sink=publishing, limits=limits)
            report = check_queries(plan, report, publishing.publish)
            if report.verdict != "accepted" or (parquet is None and not dated):
                return report, None
            return report, publishing.publish(parquet or _Nowhere())
        finally:
            publishing.close()

    def _parted(
        self,
        plan: Plan,
        file_format: FileFormat,
        chunks: Iterable[bytes],
        sink: Sink,
        parts: Callable[[str], Target] | None,
    ) -> tuple[ValidationReport, PublishedFile | None]:
        """Write parts, or at least see whether there are not too many."""
        publishing = PublishingSink(sink, plan, file_format)
        limits = Limits(sample=self.violations_shown)
        try:
            report = validate(plan, chunks, file_format=file_format, sink=publishing, limits=limits)
            report = check_queries(plan, report, publishing.publish)
            if report.verdict != "accepted":
                return report, None
            published = publishing.publish_parts(parts or (lambda _: _Nowhere()))
        finally:
            publishing.close()
        if isinstance(published, FileProblem):
            problems = (*report.problems, published)
            return replace(report, verdict="rejected", problems=problems), None
        return report, published


class _Nowhere:
    """A file that nobody asked for."""

    def write(self, data: bytes, /) -> None:
        """Drop it."""

    def commit(self) -> None:
        """Nothing is kept."""


def read_contract(
    name: str, data: bytes, *, variables: Mapping[str, str] = NO_VARIABLES
) -> DataContract:
    """Read a contract document: ODCS in YAML or JSON, or the JSON Schema of one record.

    Args:
        name: of the document; `.json` says that it is JSON.
        variables: values of the variables that it may use, by name.

    Raises:
        Rejected: it cannot be read or is no contract; all findings are given.
    """
    document = read_document(name, data, variables=variables)
    if isinstance(document, Finding):
        raise _no_contract(name, (document,))
    findings = tuple(check_contract(document, file=name))
    if findings:
        raise _no_contract(name, findings)
    if is_record_schema(document):
        return DataContract.from_json_schema(document, name=name.partition(".")[0] or "record")
    return DataContract.from_document(document)


def choose_object(contract: DataContract, wanted: str | None) -> str:
    """The object to judge by: the one that is wanted, or the only one there is.

    Raises:
        Rejected: the contract has no such object, or several to choose from.
    """
    offered = ", ".join(contract.objects)
    if wanted is None and len(contract.objects) > 1:
        message = f"The contract has several objects; choose one with --object: {offered}."
        raise Rejected(message, problem="unknown-object")
    if wanted is not None and wanted not in contract.objects:
        message = f"The contract has no object {wanted!r}; it has {offered}."
        raise Rejected(message, problem="unknown-object")
    return wanted or next(iter(contract.objects))


def _no_contract(name: str, findings: tuple[Finding, ...]) -> Rejected:
    count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    message = f"{name} is no contract that can be used: {count}."
    return Rejected(message, problem="invalid-contract", status=422, findings=findings)
