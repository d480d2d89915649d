"""What registering a product announces."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mesh.model.events import (
    CONTRACT_PUBLISHED,
    PRODUCT_CHANGED,
    PRODUCT_ONBOARDED,
    Announcement,
    trace_id_of,
)
from mesh.model.product import DataProduct, OutputPort
from mesh.model.record import ContractEntry
from mesh.model.template import TemplateUse


def announcements(
    before: DataProduct | None,
    product: DataProduct,
    published: tuple[ContractEntry, ...],
    *,
    after: int,
    at: datetime,
) -> tuple[Announcement, ...]:
    """The newly published contracts, then the product itself: onboarded, or changed.

    Args:
        after: the product's sequence before this. A product may change to and fro, and each change
            is another event.
    """
    trace_id = trace_id_of(f"{product.id.key}\n{product.digest}")
    contracts = (_published(entry, trace_id, at) for entry in published)
    told = Announcement(
        type=PRODUCT_ONBOARDED if before is None else PRODUCT_CHANGED,
        key=product.digest if before is None else f"{after}:{product.digest}",
        subject="product",
        time=at,
        trace_id=trace_id,
        data={
            "name": product.name,
            "version": product.version,
            "purpose": product.purpose,
            "owner": product.owner.name,
            "ports": [_port(port) for port in product.output_ports],
            **_template(product.template),
        },
    )
    return (*contracts, told)


def _published(entry: ContractEntry, trace_id: str, at: datetime) -> Announcement:
    return Announcement(
        type=CONTRACT_PUBLISHED,
        key=entry.key,
        subject=entry.port,
        time=at,
        trace_id=trace_id,
        data={
            "port": entry.port,
            "contract": {"id": entry.contract_id, "version": entry.version},
            "digest": entry.digest,
            "objects": sorted(entry.schemas),
        },
    )


def _port(port: OutputPort) -> dict[str, Any]:
    return {
        "name": port.name,
        "contract": {"id": port.contract_id, "version": port.version},
        "objects": list(port.objects),
        **({} if port.deprecation is None else port.deprecation.to_attributes()),
    }


def _template(use: TemplateUse | None) -> dict[str, Any]:
    """What is told of the template; a waiver's reason is for those who may see the onboarding."""
    if use is None:
        return {}
    waived = () if use.waiver is None else use.waiver.profiles
    return {
        "template": {
            "name": use.template.name,
            "version": use.template.version,
            "waived": list(waived),
        }
    }
