"""Who may do what, and who did, as the HTTP API tells of them."""

from __future__ import annotations

from typing import Any

from handlers.representations.times import time
from mesh.access import ReadAccess
from mesh.model.agreement import Agreement
from mesh.model.audit import AuditEntry
from mesh.model.principal import Caller


def caller(who: Caller) -> dict[str, Any]:
    return {
        "id": who.principal.id,
        "name": who.principal.name,
        "ops": who.is_ops,
        "roles": {role.value: sorted(domains) for role, domains in sorted(who.held.items())},
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
