"""The receipt: what the producer of a file holds in hand after its judgement.

A receipt follows `schemas/receipts/v1.json`. It says what was judged, by which contract, with
which verdict, how often each rule was broken, and shows the first violations in full; all of them
stand beside the reject file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from mesh.model.timestamps import rfc3339

SCHEMA_ID = "urn:mvmesh:schema:receipt:v1"


class Report(Protocol):
    """What a receipt needs of a validation report (`mesh.validation.ValidationReport`)."""

    @property
    def verdict(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def violations(self) -> int: ...
    @property
    def by_rule(self) -> Mapping[str, int]: ...
    @property
    def by_field(self) -> Mapping[str, int]: ...
    @property
    def sample(self) -> Sequence[Any]: ...
    @property
    def problems(self) -> Sequence[Any]: ...
    @property
    def warnings(self) -> Sequence[Any]: ...
    @property
    def byte_size(self) -> int: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What was judged, and by what.

    Attributes:
        file: Name of the file.
        contract_id: Of the contract.
        contract_version: Of the contract.
        object_name: The object of the contract that the file holds.
        domain: Of the product; None outside a mesh.
        product: Within the domain.
        drop: The mesh's identifier of this version of the file.
        url: Where the file lay.
        etag: Which version of the file it was.
    """

    file: str
    contract_id: str
    contract_version: str
    object_name: str
    domain: str | None = None
    product: str | None = None
    drop: str | None = None
    url: str | None = None
    etag: str | None = None


def receipt(
    report: Report,
    judged: Judged,
    *,
    decided_at: datetime,
    locations: Mapping[str, str] | None = None,
    shown: int | None = None,
    manifest: Mapping[str, Any] | None = None,
    references: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The receipt of one judgement, as JSON.

    Args:
        report: What the validation says.
        judged: What it is about.
        decided_at: When, with its offset; written in UTC.
        locations: Where `published`, `parquet`, `rejects` and `violations` went, as far as they
            did.
        shown: Most violations shown in full; None shows all that the report holds.
        manifest: Of the published Parquet file (`schemas/manifests/v1.json`), if there is one.
        references: What the file's relationships were checked against.
    """
    sample = list(report.sample if shown is None else report.sample[:shown])
    data = {
        "$schema": SCHEMA_ID,
        "verdict": report.verdict,
        "decidedAt": rfc3339(decided_at),
        "file": _file(judged, report.byte_size),
        "contract": _contract(judged),
        "counts": {
            "rows": report.rows,
            "accepted": report.accepted,
            "rejected": report.rejected,
            "violations": report.violations,
            "byRule": dict(report.by_rule),
            "byField": dict(report.by_field),
        },
        "problems": [dataclasses.asdict(problem) for problem in report.problems],
        "warnings": [dataclasses.asdict(warning) for warning in report.warnings],
        "violations": [_violation(violation) for violation in sample],
        "violationsShown": len(sample),
        "locations": dict(locations or {}),
    }
    if references:
        data["references"] = [dict(reference) for reference in references]
    return data if manifest is None else {**data, "manifest": dict(manifest)}


def _file(judged: Judged, byte_size: int) -> dict[str, Any]:
    return _given(
        {
            "name": judged.file,
            "byteSize": byte_size,
            "url": judged.url,
            "etag": judged.etag,
            "drop": judged.drop,
        }
    )


def _contract(judged: Judged) -> dict[str, Any]:
    return _given(
        {
            "id": judged.contract_id,
            "version": judged.contract_version,
            "object": judged.object_name,
            "domain": judged.domain,
            "product": judged.product,
        }
    )


def _violation(violation: Any) -> dict[str, Any]:
    data = dataclasses.asdict(violation)
    data["byteStart"] = data.pop("byte_start")
    data["byteEnd"] = data.pop("byte_end")
    if data["fix"] is None:
        del data["fix"]
    return data


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
