"""Onboardings, templates and products, as the HTTP API tells of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from handlers.representations.notices import deprecation
from handlers.representations.times import time
from mesh.catalogue import ProductPage
from mesh.model.catalogue import ProductSummary
from mesh.model.onboarding import Onboarding
from mesh.model.product import OutputPort
from mesh.model.record import Snapshot
from mesh.model.template import SecurityProfile, Template, TemplateUse, Waiver


def onboarding(saga: Onboarding) -> dict[str, Any]:
    return {
        "id": saga.id,
        "run": saga.run,
        "status": saga.status.value,
        "product": None if saga.product is None else str(saga.product),
        "requested_by": saga.requested_by,
        "template": template_use(saga.template),
        "steps": [
            {"step": done.step.value, "at": time(done.at), "detail": done.detail}
            for done in saga.steps
        ],
        "findings": [asdict(finding) for finding in saga.findings],
    }


def template_use(use: TemplateUse | None) -> dict[str, Any] | None:
    if use is None:
        return None
    return {**asdict(use.template), "waiver": _waiver(use.waiver)}


def _waiver(found: Waiver | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {**asdict(found), "profiles": list(found.profiles), "until": time(found.until)}


def template(found: Template) -> dict[str, Any]:
    return {
        **asdict(found.id),
        "kind": found.kind,
        "description": found.description,
        "source": found.source,
        "parameters": [asdict(parameter) for parameter in found.parameters],
        "satisfies": list(found.satisfies),
        "registered_by": found.registered_by,
        "registered_at": time(found.registered_at),
    }


def profile(found: SecurityProfile) -> dict[str, Any]:
    return {**asdict(found), "classifications": list(found.classifications)}


def summary(entry: ProductSummary) -> dict[str, Any]:
    return {
        "product": str(entry.id),
        "name": entry.name,
        "purpose": entry.purpose,
        "version": entry.version,
        "status": entry.status,
        "owner": entry.owner,
        "tags": list(entry.tags),
        "ports": list(entry.ports),
        "objects": list(entry.objects),
        "onboarded_at": time(entry.onboarded_at),
    }


def product(page: ProductPage) -> dict[str, Any]:
    found = page.product
    return {
        "product": str(found.id),
        "name": found.name,
        "version": found.version,
        "status": found.status,
        "purpose": found.purpose,
        "tags": list(found.tags),
        "owner": asdict(found.owner),
        "template": template_use(found.template),
        "output_ports": [_output_port(page, port) for port in found.output_ports],
        "input_ports": [
            {"name": port.name, "product": str(port.product), "contract_id": port.contract_id}
            for port in found.input_ports
        ],
        "contracts": [
            {
                "port": entry.port,
                "version": entry.version,
                "digest": entry.digest,
                "published_at": time(entry.published_at),
                "objects": sorted(entry.schemas),
            }
            for entry in page.contracts
        ],
        "snapshots": [_snapshot(snapshot) for snapshot in page.snapshots],
    }


def _output_port(page: ProductPage, port: OutputPort) -> dict[str, Any]:
    folder = f"landing/{page.product.id}/v{port.major}"
    return {
        "name": port.name,
        "version": port.version,
        "contract_id": port.contract_id,
        "objects": list(port.objects),
        "landing": [f"{folder}/{name}/" for name in port.objects],
        "deprecation": deprecation(port.deprecation, page.notice_of(port)),
    }


def _snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "object": snapshot.object_name,
        "major": snapshot.major,
        "drop": snapshot.drop,
        "location": snapshot.location,
        "rows": snapshot.rows,
        "sequence": snapshot.sequence,
        "period": snapshot.period,
        "references": [
            {
                "path": one.path,
                "product": one.product,
                "contract": one.contract,
                "object": one.object_name,
                "drop": one.drop,
                "sequence": one.sequence,
            }
            for one in snapshot.references
        ],
    }
