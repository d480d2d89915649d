"""The mesh's nouns as the HTTP API tells of them; `schemas/openapi.json` says the same."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from mesh.access import ReadAccess
from mesh.catalogue import ProductPage
from mesh.model.agreement import Agreement
from mesh.model.audit import AuditEntry
from mesh.model.catalogue import ProductSummary
from mesh.model.dead_letter import DeadLetter
from mesh.model.file_set import FileSet
from mesh.model.names import ProductId
from mesh.model.notification import Delivery, RecordedAttempt
from mesh.model.onboarding import Onboarding
from mesh.model.principal import Caller
from mesh.model.product import Deprecation
from mesh.model.record import LedgerEntry
from mesh.model.subscription import Subscription
from mesh.model.template import SecurityProfile, Template, TemplateUse
from mesh.model.timestamps import rfc3339
from mesh.subscriptions import Subscribed
from mesh.tracking import Announced, Journey, Told


def time(at: datetime | None) -> str | None:
    """RFC 3339, in UTC."""
    return None if at is None else rfc3339(at)


def caller(who: Caller) -> dict[str, Any]:
    return {
        "id": who.principal.id,
        "name": who.principal.name,
        "ops": who.is_ops,
        "roles": {role.value: sorted(domains) for role, domains in sorted(who.held.items())},
    }


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
    waiver = use.waiver
    return {
        **asdict(use.template),
        "waiver": None if waiver is None else {**asdict(waiver), "profiles": list(waiver.profiles)},
    }


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
        "output_ports": [
            {
                "name": port.name,
                "version": port.version,
                "contract_id": port.contract_id,
                "objects": list(port.objects),
                "landing": [f"landing/{found.id}/v{port.major}/{name}/" for name in port.objects],
                "deprecation": _deprecation(port.deprecation),
            }
            for port in found.output_ports
        ],
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
        "snapshots": [
            {
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
            for snapshot in page.snapshots
        ],
    }


def drop(address: ProductId, entry: LedgerEntry) -> dict[str, Any]:
    return {
        "drop": entry.drop,
        "product": str(address),
        "file": entry.file,
        "place": entry.place,
        "url": entry.url,
        "etag": entry.etag,
        "contract": entry.contract,
        "verdict": entry.verdict.value,
        "summary": entry.summary,
        "rows": entry.rows,
        "accepted": entry.accepted,
        "rejected": entry.rejected,
        "size": entry.size,
        "landed_at": time(entry.landed_at),
        "received_at": time(entry.received_at),
        "decided_at": time(entry.decided_at),
        "receipt": entry.receipt,
        "sequence": entry.sequence,
        "duplicates": entry.duplicates,
        "mends": entry.mends or None,
        "kept": entry.kept,
        "mended_by": entry.mended_by or None,
    }


def journey(told: Journey) -> dict[str, Any]:
    announced = [_announced(one) for one in told.announced]
    sets = [] if told.set is None else [file_set(told.set)]
    return {**drop(told.product, told.entry), "sets": sets, "events": announced}


def file_set(state: FileSet) -> dict[str, Any]:
    return {
        "object": state.object_name,
        "major": state.major,
        "folder": state.folder,
        "period": state.period,
        "opened_at": time(state.opened_at),
        "due_at": time(state.due_at),
        "complete": state.is_complete,
        "sequence": state.sequence,
        "members": [
            {"file": one.file, "drop": one.drop, "rows": one.rows} for one in state.members
        ],
        "missing": list(state.missing),
        "rejected": [{"file": one.file, "drop": one.drop} for one in state.rejected],
    }


def agreement(made: Agreement) -> dict[str, Any]:
    return {
        "product": str(made.product),
        "consumer": made.consumer,
        "standing": made.standing.value,
        "purpose": made.purpose,
        "requested_by": made.requested_by,
        "requested_at": time(made.requested_at),
        "decided_by": made.decided_by,
        "decided_at": time(made.decided_at),
        "reason": made.reason,
        "expires_at": time(made.expires_at),
    }


def read_access(granted: ReadAccess) -> dict[str, Any]:
    return {
        "product": str(granted.product),
        "sequence": granted.sequence,
        "until": time(granted.until),
        "blobs": [{"location": at, "url": url} for at, url in granted.urls.items()],
    }


def _deprecation(found: Deprecation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"sunset": time(found.sunset), "migration": found.migration}


def audit_entry(entry: AuditEntry) -> dict[str, Any]:
    deed = entry.deed
    return {
        "number": entry.number,
        "at": time(deed.at),
        "operation": deed.operation,
        "by": deed.by,
        "name": deed.name,
        "about": dict(deed.about),
        "outcome": deed.outcome,
        "reason": deed.reason,
        "digest": entry.digest,
    }


def subscription(wants: Subscription) -> dict[str, Any]:
    return {
        "id": wants.id,
        "product": str(wants.product),
        "subscriber": wants.subscriber,
        "channel": wants.channel.value,
        "target": _target(wants),
        "copies": wants.copies,
        "ordered": wants.ordered,
        "signature": wants.signature,
        "filters": [one.to_data() for one in wants.filter.expressions],
        "uses": list(wants.uses),
        "state": wants.state.value,
        "suspended_at": time(wants.suspended_at),
        "reason": wants.reason,
        "until": time(wants.until),
        "failing": wants.failing,
        "created_at": time(wants.created_at),
    }


def dead_letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "source": letter.source,
        "number": letter.number,
        "message_id": letter.message_id,
        "enqueued_at": time(letter.enqueued_at),
        "reason": letter.reason,
        "description": letter.description,
        "deliveries": letter.deliveries,
        "body": letter.body.decode(errors="replace"),
    }


def subscribed(made: Subscribed) -> dict[str, Any]:
    """For the subscriber alone, who gave the target: it is told in full."""
    wants = made.subscription
    return {**subscription(wants), "target": wants.target, "secret": made.secret}


def _target(wants: Subscription) -> str:
    """What others may know of it: the query of a webhook may hold a key."""
    shown, query, _ = wants.target.partition("?")
    return f"{shown}?…" if query else shown


def _announced(one: Announced) -> dict[str, Any]:
    event: Mapping[str, Any] = one.event
    return {
        "id": event["id"],
        "type": event["type"],
        "sequence": int(event["sequence"]),
        "time": event["time"],
        "subscribers": [_told(told) for told in one.told],
    }


def _told(told: Told) -> dict[str, Any]:
    wants = told.subscription
    return {
        "subscription": wants.id,
        "subscriber": wants.subscriber,
        "channel": wants.channel.value,
        "target": _target(wants),
        "state": wants.state.value,
        "failing": wants.failing,
        "reason": wants.reason,
        "attempts": [] if told.delivery is None else _attempts(told.delivery),
    }


def _attempts(delivery: Delivery) -> list[dict[str, Any]]:
    return [attempt(made) for made in delivery.attempts]


def attempt(made: RecordedAttempt) -> dict[str, Any]:
    return {
        "number": made.number,
        "round": made.round,
        "at": time(made.at),
        "outcome": made.outcome,
        "status": made.status,
        "reason": made.reason,
        "duration_s": made.duration_s,
        "next_at": time(made.next_at),
    }
