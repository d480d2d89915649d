"""Where the data lies that an event announces."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mesh.ports import Storage


def all_locations(storage: Storage, data: Mapping[str, Any]) -> list[str]:
    """The data as it came, the same as Parquet, part by part, and of a set each of its members.

    Args:
        data: of a `mesh.product.updated` event.

    Returns:
        Container and name of each blob.
    """
    snapshot = data["snapshot"]
    folder = snapshot.get("parquet")
    found = [snapshot["location"], folder]
    if data.get("set"):
        for member in _members(storage, data):
            found += [member.get("location"), member.get("parquet")]
    elif parts := _parts(storage, snapshot):  # what is parted is of no set
        found = [location for location in found if location != folder] + list(parts.values())
    return list(dict.fromkeys(location for location in found if location))


def files(storage: Storage, data: Mapping[str, Any]) -> dict[str, str]:
    """Location of each file that is announced, as it came, by its name.

    Of a set they are its members. Of a Parquet file with bad rows, only parted Parquet may be
    published: then they are its parts.
    """
    snapshot = data["snapshot"]
    if members := _members(storage, data):
        return {member["file"]: member["location"] for member in members}
    location = str(snapshot["location"])
    parts = _parts(storage, snapshot) if location == snapshot.get("parquet") else {}
    return parts or {location.rpartition("/")[2]: location}


def _members(storage: Storage, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    document = storage.read(data["snapshot"]["location"]) if data.get("set") else None
    return [] if document is None else list(json.loads(document)["members"])


def _parts(storage: Storage, snapshot: Mapping[str, Any]) -> dict[str, str]:
    """The files of parted Parquet, which the manifest lists; none of Parquet in one file."""
    receipt = str(snapshot.get("manifest", "")).partition("#")[0]
    document = storage.read(receipt) if receipt else None
    manifest = {} if document is None else json.loads(document).get("manifest", {})
    return {
        one["path"]: f"{snapshot['parquet']}/{one['path']}" for one in manifest.get("parts", [])
    }
