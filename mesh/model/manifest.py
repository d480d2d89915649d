"""The manifest of published data: what a consumer can check a file by before using it.

It follows `schemas/manifests/v1.json`, and stands in the receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mesh.model.receipt import Judged

SCHEMA_ID = "urn:mvmesh:schema:manifest:v1"


class Published(Protocol):
    """What a manifest needs of a written file (`mesh.validation.PublishedFile`)."""

    @property
    def rows(self) -> int: ...
    @property
    def byte_size(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def parts(self) -> Sequence[Any]: ...
    @property
    def columns(self) -> Sequence[Any]: ...


def manifest(published: Published, judged: Judged) -> dict[str, Any]:
    """The manifest of a Parquet file with the accepted rows of what was judged, as JSON."""
    told = {
        "$schema": SCHEMA_ID,
        "format": "parquet",
        "contract": {
            "id": judged.contract_id,
            "version": judged.contract_version,
            "object": judged.object_name,
        },
        "rows": published.rows,
        "byteSize": published.byte_size,
        "sha256": published.sha256,
        "schemaFingerprint": published.fingerprint,
        "columns": [_column(column) for column in published.columns],
    }
    return told | ({"parts": [_part(part) for part in published.parts]} if published.parts else {})


def _part(part: Any) -> dict[str, Any]:
    return {
        "path": part.path,
        "rows": part.rows,
        "byteSize": part.byte_size,
        "sha256": part.sha256,
        "values": dict(part.values),
    }


def _column(column: Any) -> dict[str, Any]:
    told = {
        "name": column.name,
        "type": column.type,
        "nulls": column.nulls,
        "rounded": column.rounded,
        "distinct": column.distinct,
        "minimum": column.minimum,
        "maximum": column.maximum,
    }
    return {name: value for name, value in told.items() if value is not None}
