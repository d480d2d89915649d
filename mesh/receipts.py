"""The receipt of a judgement: what it tells besides the report, and where it lies."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from mesh.backbone import Backbone
from mesh.corrections import Joined
from mesh.model.canonical import canonical_json
from mesh.model.dropped_file import UNPLACED, DroppedFile, Place
from mesh.model.product import OutputPort
from mesh.model.receipt import Judged
from mesh.referring import References


def judged(dropped: DroppedFile, place: Place | None, port: OutputPort | None) -> Judged:
    """What was judged, and by what, as far as that is known."""
    return Judged(
        file=dropped.file,
        contract_id=port.contract_id if port else "",
        contract_version=port.version if port else "",
        object_name=place.object_name if place else "",
        domain=place.product.domain if place else None,
        product=place.product.product if place else None,
        drop=dropped.id,
        url=dropped.url,
        etag=dropped.etag,
    )


def company(joined: Joined, folder: str) -> dict[str, Any]:
    """The pieces and the set that a drop is of, as they stand in a receipt."""
    data: dict[str, Any] = {}
    if joined.pieces:
        data["joins"] = {"drops": [piece.drop for piece in joined.pieces], "rows": joined.kept}
    if folder:
        data["set"] = {"folder": folder}
    return data


def referred(known: References) -> list[dict[str, Any]]:
    """What was referred to, as it stands in a receipt."""
    return [
        {
            "path": path,
            "fields": list(version.fields),
            "product": version.product,
            "contract": version.contract,
            "object": version.object_name,
            "properties": list(version.properties),
            "drop": version.drop,
            "sequence": version.sequence,
            "unknown": known.found[path].unknown,
        }
        for path, version in known.versions.items()
    ]


def write(
    backbone: Backbone, dropped: DroppedFile, place: Place | None, data: Mapping[str, Any]
) -> str:
    """Write a receipt; returns where it lies."""
    location = _location(dropped, place, data)
    body = canonical_json(data).encode()
    backbone.storage.write(location, body, content_type="application/json")
    return location


def _location(dropped: DroppedFile, place: Place | None, data: Mapping[str, Any]) -> str:
    """Where a receipt lies: a place for each judgement that two workers may come to.

    One of them may find the file overwritten, or judge by the next version of the contract; which
    of them decides is settled by the commit alone, and the other's receipt must not take its place.
    """
    same = canonical_json({**data, "decidedAt": None}).encode()
    folder = place.product if place else UNPLACED
    return f"receipts/{folder}/{dropped.id}/{hashlib.sha256(same).hexdigest()[:12]}.json"
