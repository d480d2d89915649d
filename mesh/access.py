"""Let a consumer read, for minutes, the very data that an event announced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from mesh.announced_data import all_locations
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
    locations = all_locations(backbone.storage, event["data"])
    urls = backbone.storage.read_access(locations, until=until)
    return ReadAccess(product=product, sequence=sequence, until=until, urls=urls)
