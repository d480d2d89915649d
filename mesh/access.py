"""Let a consumer read, for minutes, the very data that an event announced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mesh.backbone import Backbone
from mesh.catalogue import find_product
from mesh.errors import NotFound
from mesh.model.events import PRODUCT_UPDATED
from mesh.model.names import ProductId

LIFETIME = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadAccess:
    """What may be read until when.

    Attributes:
        urls: signed URL of each blob, by its location; secrets, which are told and never kept.
    """

    product: ProductId
    sequence: int
    until: datetime
    urls: Mapping[str, str]


def grant(backbone: Backbone, product: ProductId, sequence: int) -> ReadAccess:
    """Give read access to the blobs that the event with this sequence announced.

    Raises:
        NotFound: there is no such product, or its event is not one that announces data.
    """
    find_product(backbone, product)
    found = backbone.registry.events(product, after=sequence - 1, limit=1) if sequence > 0 else []
    event = found[0] if found and int(found[0]["sequence"]) == sequence else None
    if event is None or event["type"] != PRODUCT_UPDATED:
        message = f"The event {sequence} of {product} announces no data. `mesh events` lists them."
        raise NotFound(message, problem="unknown-snapshot")
    until = backbone.now() + LIFETIME
    urls = backbone.storage.read_access(_locations(backbone, event["data"]), until=until)
    return ReadAccess(product=product, sequence=sequence, until=until, urls=urls)


def _locations(backbone: Backbone, data: Mapping[str, Any]) -> list[str]:
    """The data as it came, the same as Parquet, part by part, and of a set each of its members."""
    snapshot = data["snapshot"]
    folder = snapshot.get("parquet")
    found = [snapshot["location"], folder]
    if parts := _parts(backbone, snapshot):
        found = [location for location in found if location != folder] + parts
    if data.get("set"):
        document = backbone.storage.read(snapshot["location"])
        members = [] if document is None else json.loads(document)["members"]
        found += [member.get(kind) for member in members for kind in ("location", "parquet")]
    return list(dict.fromkeys(location for location in found if location))


def _parts(backbone: Backbone, snapshot: Mapping[str, Any]) -> list[str]:
    """The files of parted Parquet, which the manifest lists; none of Parquet in one file."""
    receipt = str(snapshot.get("manifest", "")).partition("#")[0]
    document = backbone.storage.read(receipt) if receipt else None
    listed = [] if document is None else json.loads(document)["manifest"].get("parts", [])
    return [f"{snapshot['parquet']}/{part['path']}" for part in listed]
