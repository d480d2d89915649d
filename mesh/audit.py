"""Keep on record what was decided, and what was refused."""

from __future__ import annotations

from collections.abc import Sequence

from mesh import entitlement
from mesh.backbone import Backbone
from mesh.entitlement import Call
from mesh.errors import Rejected
from mesh.model.audit import AuditEntry, Deed
from mesh.model.entitlement import DECISIONS
from mesh.model.principal import Principal

LONGEST_REASON = 2000


def done(backbone: Backbone, principal: Principal, call: Call, reason: str) -> None:
    """Note that a decision was carried out; what only reads is not noted."""
    if call.operation in DECISIONS:
        _note(backbone, principal, call, "done", reason)


def refused(backbone: Backbone, principal: Principal, call: Call, refusal: Rejected) -> None:
    """Note that a rule, or the lack of an agreement, kept somebody from something."""
    if refusal.status == 403:
        _note(backbone, principal, call, refusal.problem, str(refusal))


def entries(backbone: Backbone, log: str, *, limit: int) -> Sequence[AuditEntry]:
    """The newest entries of a domain's log, or of the mesh's, newest first."""
    return backbone.audit.entries(log, limit=limit)


def _note(backbone: Backbone, principal: Principal, call: Call, outcome: str, reason: str) -> None:
    deed = Deed(
        log=entitlement.concerned(backbone, call),
        at=backbone.now(),
        operation=call.operation,
        by=principal.id,
        name=principal.name,
        about={name: part[:200] for name, part in call.parts.items()},
        outcome=outcome,
        reason=reason[:LONGEST_REASON],
    )
    backbone.audit.append(deed)
