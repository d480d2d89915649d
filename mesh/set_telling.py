"""What consumers are told of a complete set of files: one document, one event, one snapshot."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from mesh.backbone import Backbone
from mesh.model.canonical import canonical_json
from mesh.model.dropped_file import DroppedFile, Place
from mesh.model.events import Announcement
from mesh.model.file_set import FileSet, Member
from mesh.model.judgement import Judgement
from mesh.model.product import OutputPort
from mesh.model.record import Snapshot

SCHEMA_ID = "urn:mvmesh:schema:set:v1"


def write_manifest(backbone: Backbone, place: Place, port: OutputPort, state: FileSet) -> str:
    """Write what the set is made of under a name that follows from it; returns where."""
    document = {
        "$schema": SCHEMA_ID,
        "contract": {"id": port.contract_id, "version": port.version, "object": place.object_name},
        "folder": state.folder,
        "period": state.period,
        "rows": sum(member.rows for member in state.data),
        "members": [_member(member) for member in state.data],
    }
    body = canonical_json(document).encode()
    name = hashlib.sha256(body).hexdigest()[:20]
    location = f"published/{place.folder}/sets/{name}.json"
    backbone.storage.write(location, body, content_type="application/json")
    return location


def _member(member: Member) -> dict[str, Any]:
    return {
        "file": member.file,
        "drop": member.drop,
        "rows": member.rows,
        "location": member.location,
        "parquet": member.parquet,
        "manifest": f"{member.receipt}#/manifest",
    }


def announced(
    backbone: Backbone, told: Announcement, state: FileSet, location: str
) -> Announcement:
    """The event about a file as the event about its set."""
    members = [
        {"file": member.file, "drop": member.drop, "rows": member.rows} for member in state.data
    ]
    data = {
        **told.data,
        "snapshot": {
            "location": location,
            "rows": sum(member.rows for member in state.data),
            "manifest": location,
        },
        "rejected": sum(member.rejected for member in state.data),
        "set": {"folder": state.folder, "members": members},
    }
    return replace(told, data=data, dataref=backbone.storage.url(location))


def whole_snapshot(
    judgement: Judgement,
    dropped: DroppedFile,
    state: FileSet,
    location: str,
    alone: Snapshot | None,
) -> Snapshot:
    """The set as the last good version of its object."""
    assert judgement.place is not None  # it is of a set
    assert judgement.port is not None
    return Snapshot(
        port=judgement.port.name,
        object_name=judgement.place.object_name,
        major=judgement.place.major,
        drop=dropped.id,
        location=location,
        rows=sum(member.rows for member in state.data),
        sequence=0 if alone is None else alone.sequence,
        period=judgement.place.period,
        landed_at=dropped.landed_at,
        parts=tuple(member.parquet for member in state.data),
        references=() if alone is None else alone.references,
    )
