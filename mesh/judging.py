"""Stream a dropped file through its contract; good rows, bad rows and receipt to their places."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from typing import IO

from mesh import contracts, corrections, receipts
from mesh.backbone import Backbone
from mesh.corrections import Joined, next_place
from mesh.file_sets import listed, set_of
from mesh.model.canonical import canonical_json
from mesh.model.dropped_file import LANDING, DroppedFile, Misplaced, Place
from mesh.model.file_set import SetRule
from mesh.model.judgement import Judgement
from mesh.model.manifest import manifest
from mesh.model.product import OutputPort
from mesh.model.receipt import receipt
from mesh.model.record import LedgerEntry, Verdict
from mesh.ports import Gone
from mesh.publishing import Outputs
from mesh.referring import References, references
from mesh.validation import (
    FileFormat,
    FileProblem,
    Kept,
    Limits,
    Plan,
    PublishedFile,
    ValidationReport,
    check_ages,
    check_queries,
    good_rows,
    validate,
)

_ALONE = Joined()


def judge(
    backbone: Backbone,
    dropped: DroppedFile,
    place: Place,
    port: OutputPort,
    pieces: Sequence[LedgerEntry] = (),
) -> Judgement:
    """Judge a placed file by the contract of its port; a correction, together with `pieces`.

    Everything is written under names that derive from the drop id, so judging twice writes the same
    twice. The accepted rows appear only when the verdict is `accepted`.
    """
    file_format = FileFormat.from_name(dropped.file)
    if isinstance(file_format, FileProblem):
        return _refused(backbone, dropped, place, port, file_format)
    kept = None
    if pieces:
        place = replace(place, period=place.period or corrections.period_of(pieces))
        port = corrections.port_of(port, pieces)
        found = corrections.keep(backbone, place.product, port, pieces)
        if isinstance(found, FileProblem):
            return _refused(backbone, dropped, place, port, found)
        kept = found
    with nullcontext() if kept is None else closing(kept.file):
        return _read(backbone, dropped, place, port, file_format, pieces, kept)


def _read(
    backbone: Backbone,
    dropped: DroppedFile,
    place: Place,
    port: OutputPort,
    file_format: FileFormat,
    pieces: Sequence[LedgerEntry],
    kept: Kept | None,
) -> Judgement:
    plan = contracts.plan(backbone, place.product, port, place.object_name)

    def pieces_of_it() -> Iterator[bytes]:
        return backbone.storage.open(f"{LANDING}/{dropped.blob}", etag=dropped.etag)

    def again() -> IO[bytes] | FileProblem:
        return good_rows(plan, pieces_of_it(), file_format=file_format, kept=kept)

    try:
        known = references(backbone, place, plan, drop=dropped.id, again=again)
        if known.problem is not None:
            return _refused(backbone, dropped, place, port, known.problem)
        bound = replace(plan, references=known.found)
        most = backbone.policy.violations_listed
        outputs = Outputs(
            backbone.storage, dropped, place, port.version, bound, file_format, _digest(known), most
        )
        limits = Limits(sample=backbone.policy.violations_shown)
        report, published = _written(outputs, bound, pieces_of_it(), file_format, limits, kept)
        report = check_ages(bound, report, published, dropped.landed_at)
    except Gone:
        return supersede(backbone, dropped, place)
    joined = Joined(pieces=pieces, kept=0 if kept is None else kept.rows)
    locations = outputs.locations
    return _judgement(backbone, dropped, place, port, report, locations, published, known, joined)


def _written(
    outputs: Outputs,
    plan: Plan,
    pieces: Iterator[bytes],
    file_format: FileFormat,
    limits: Limits,
    kept: Kept | None,
) -> tuple[ValidationReport, PublishedFile | None]:
    """Stream a file through its contract to the outputs; what was published, unless rejected."""
    with outputs:
        report = validate(
            plan,
            outputs.kept(pieces),
            file_format=file_format,
            sink=outputs.sink,
            limits=limits,
            kept=kept,
        )
        report = check_queries(plan, outputs.told(report), outputs.sink.publish)
        published = outputs.commit(report, joins=kept is not None)
        if isinstance(published, FileProblem):
            problems = (*report.problems, published)
            return replace(report, verdict="rejected", problems=problems), None
        return report, published


def list_members(
    backbone: Backbone, dropped: DroppedFile, place: Place, port: OutputPort, rule: SetRule
) -> Judgement:
    """Judge a file that lists the members of a set, which holds no rows itself."""
    names = listed(backbone, f"{LANDING}/{dropped.blob}", dropped, rule)
    if names is None:
        return supersede(backbone, dropped, place)
    if isinstance(names, Misplaced):
        problem = FileProblem(rule="list", message=names.reason, remedy=names.remedy)
        return _refused(backbone, dropped, place, port, problem)
    report = replace(nothing_read(_NO_PROBLEM), verdict="accepted", problems=())
    judgement = _judgement(backbone, dropped, place, port, report, {})
    return replace(judgement, listed=names, summary=f"It lists the {len(names)} files of its set.")


_NO_PROBLEM = FileProblem(rule="", message="", remedy="")


def refuse(
    backbone: Backbone, dropped: DroppedFile, place: Place | None, *, rule: str, why: Misplaced
) -> Judgement:
    """Reject a file that there is no contract for."""
    problem = FileProblem(rule=rule, message=why.reason, remedy=why.remedy)
    return _refused(backbone, dropped, place, None, problem)


def supersede(
    backbone: Backbone, dropped: DroppedFile, place: Place | Misplaced | None
) -> Judgement:
    """Give up on a version that is no longer there to be judged, or no longer the newest."""
    problem = FileProblem(
        rule="superseded",
        message="The file was overwritten or deleted before this version could be judged.",
        remedy="See the verdict on the newer version; drop the file again if there is none.",
    )
    known = place if isinstance(place, Place) else None
    return _judgement(backbone, dropped, known, None, nothing_read(problem), {})


def _refused(
    backbone: Backbone,
    dropped: DroppedFile,
    place: Place | None,
    port: OutputPort | None,
    problem: FileProblem,
) -> Judgement:
    return _judgement(backbone, dropped, place, port, nothing_read(problem), {})


def nothing_read(problem: FileProblem) -> ValidationReport:
    """The report on a file of which nothing could be read."""
    return ValidationReport(
        verdict="rejected",
        rows=0,
        accepted=0,
        rejected=0,
        violations=0,
        by_rule={},
        by_field={},
        sample=(),
        problems=(problem,),
        byte_size=0,
    )


def _judgement(
    backbone: Backbone,
    dropped: DroppedFile,
    place: Place | None,
    port: OutputPort | None,
    report: ValidationReport,
    locations: Mapping[str, str],
    parquet: PublishedFile | None = None,
    known: References | None = None,
    joined: Joined = _ALONE,
) -> Judgement:
    superseded = any(problem.rule == "superseded" for problem in report.problems)
    verdict = Verdict.SUPERSEDED if superseded else Verdict(report.verdict)
    published = locations.get("published")
    judged = receipts.judged(dropped, place, port)
    folder = set_of(backbone, dropped, place, port, joined.pieces)
    data = receipt(
        report,
        judged,
        decided_at=backbone.now(),
        locations=locations,
        manifest=None if parquet is None else manifest(parquet, judged),
        references=receipts.referred(known) if known else (),
    )
    data |= receipts.company(joined, folder)
    if report.rejected and place is not None and "rejects" in locations:
        data["correction"] = next_place(dropped, locations["rejects"])
    data["verdict"] = verdict.value
    location = receipts.write(backbone, dropped, place, data)
    return Judgement(
        verdict=verdict,
        summary=_summary(report, verdict),
        receipt=location,
        place=place,
        port=port,
        rows=report.rows,
        accepted=report.accepted,
        rejected=report.rejected,
        rules={**report.by_rule, **{problem.rule: 1 for problem in report.problems}},
        published=published,
        published_url=None if published is None else backbone.storage.url(published),
        parquet=locations.get("parquet"),
        parts=() if parquet is None else parquet.locations(locations["parquet"]),
        quarantined=locations.get("rejects"),
        references=tuple(known.versions.values()) if known else (),
        pieces=joined.pieces,
        kept=joined.kept,
        set=folder,
    )


def _digest(known: References) -> str:
    if not known.versions:
        return ""
    drops = {path: version.drop for path, version in known.versions.items()}
    return hashlib.sha256(canonical_json(drops).encode()).hexdigest()[:12]


def _summary(report: ValidationReport, verdict: Verdict) -> str:
    """The verdict in a sentence."""
    if report.problems:
        return f"{report.problems[0].message} {report.problems[0].remedy}"
    if not report.rejected:
        return f"No bad row among {report.rows:,}."
    are = "is" if report.rejected == 1 else "are"
    first = report.sample[0]
    bad = (
        f"{report.rejected:,} of {report.rows:,} rows {are} bad; first, row {first.row} "
        f"(line {first.line}): {first.message}"
    )
    if verdict is Verdict.ACCEPTED:
        return f"{bad} The other {report.accepted:,} are published."
    return f"{bad} Nothing is published; consumers keep the last good version."
