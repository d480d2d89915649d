"""Keep on record what was decided, and what was refused.

A command is put down before it is carried out, and becomes an entry of the log when it is done. So
none is done that the log does not know of: when the answer is lost, or the log does not take the
entry, the same command of the same caller finds what was put down, ends as it would have, and makes
the entry, once. What nobody comes back for becomes an entry by itself, which says so.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from mesh import entitlement, schemas
from mesh.backbone import Backbone
from mesh.entitlement import Call
from mesh.errors import Rejected
from mesh.model.addresses import without_query
from mesh.model.audit import MESH, UNSEEN, AuditEntry, Deed, Intent
from mesh.model.entitlement import DECISIONS
from mesh.model.names import ProductId
from mesh.model.principal import Caller, Principal
from mesh.model.timestamps import rfc3339

LONGEST_REASON = 2000

LEFT_BEHIND = timedelta(hours=1)
"""What was put down that long ago becomes an entry, whoever may come back for it."""

_HOUR = "%Y-%m-%dT%H"


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A command that was put down.

    Attributes:
        is_repeated: whether it had been, by an earlier try of which nobody knows how it ended.
    """

    intent: Intent
    is_repeated: bool

    @property
    def command(self) -> str:
        """Names the command: the same at each try until it is on record, and never again."""
        return self.intent.id


def begin(
    backbone: Backbone, principal: Principal, call: Call, reason: str, *, key: str = ""
) -> Begun | None:
    """Put down what is about to be decided; None for what only reads.

    Args:
        key: chosen by the caller for this request; empty for none.

    Raises:
        Unavailable: it could not be put down, and so is not done.
    """
    if call.operation not in DECISIONS:
        return None
    parts = sorted(call.parts.items())
    body = hashlib.sha256(call.body).hexdigest()  # it may be as large as the platform lets in
    named = json.dumps([principal.id, call.operation, parts, body, key])
    deed = _deed(backbone, principal, call, UNSEEN, reason)
    digest = hashlib.sha256(named.encode()).hexdigest()[:40]
    intent = Intent(key=digest, id=uuid.uuid4().hex, deed=deed)
    found = backbone.audit.begin(intent)
    return Begun(intent=found, is_repeated=found.id != intent.id)


def done(backbone: Backbone, begun: Begun) -> None:
    """Let a decision that was carried out become an entry.

    Raises:
        Unavailable: it could not be noted; the same command again does that.
    """
    intent = begun.intent
    deed = replace(intent.deed, at=backbone.now(), outcome="done")
    backbone.audit.conclude(intent, deed)


def refused(
    backbone: Backbone, caller: Caller, call: Call, refusal: Rejected, begun: Begun | None
) -> None:
    """Note that a rule, or the lack of an agreement, kept somebody from something.

    What was put down goes. Of a command that is repeated nobody knows whether its first try took
    effect, and so the entry says.
    """
    if refusal.status == 403:
        _count(backbone, caller, call, refusal)
    if begun is not None and begun.is_repeated:
        _conclude_unseen(backbone, begun.intent)
    elif begun is not None:
        backbone.audit.withdraw(begun.intent)


def entries(backbone: Backbone, log: str, *, limit: int) -> Sequence[AuditEntry]:
    """The newest entries of a domain's log, or of the mesh's, newest first."""
    settle(backbone, log)
    return backbone.audit.entries(log, limit=limit)


def settle_all(backbone: Backbone) -> int:
    """Let become entries what was left behind in any log; returns how many."""
    domains = {summary.id.domain for summary in backbone.catalogue.products()}
    return sum(settle(backbone, log) for log in sorted({MESH, *domains}))


def settle(backbone: Backbone, log: str) -> int:
    """Let become entries what was left behind in a log; returns how many."""
    total = 0
    for intent in backbone.audit.intents(log):
        if backbone.now() - intent.deed.at < LEFT_BEHIND:
            continue
        if intent.deed.outcome == UNSEEN:
            total += _conclude_unseen(backbone, intent)
        elif intent.count:
            total += _conclude_count(backbone, intent)
        else:
            backbone.audit.withdraw(intent)
    return total


def _count(backbone: Backbone, caller: Caller, call: Call, refusal: Rejected) -> None:
    """Note the first refusal of a caller in an hour, and count the others.

    Who has no role in the mesh can name any domain and any operation, so all that is one count, in
    the mesh's own log.
    """
    principal = caller.principal
    deed = _deed(backbone, principal, call, refusal.problem, str(refusal))
    what = "" if caller.is_stranger else call.operation
    deed = replace(deed, log=MESH) if caller.is_stranger else deed
    key = f"refused:{principal.id}:{what}:{deed.at.strftime(_HOUR)}"
    intent = Intent(key=key, id=uuid.uuid4().hex, deed=deed)
    if backbone.audit.begin(intent).id == intent.id:
        backbone.audit.append(deed)
    else:
        backbone.audit.count(intent)


def _conclude_unseen(backbone: Backbone, intent: Intent) -> bool:
    return backbone.audit.conclude(intent, intent.deed) is not None


def _conclude_count(backbone: Backbone, intent: Intent) -> bool:
    since = rfc3339(intent.deed.at.replace(microsecond=0))
    reason = f"{intent.count} more times in the hour from {since}. {intent.deed.reason}"
    deed = replace(intent.deed, at=backbone.now(), reason=reason[:LONGEST_REASON])
    return backbone.audit.conclude(intent, deed) is not None


def _deed(backbone: Backbone, principal: Principal, call: Call, outcome: str, reason: str) -> Deed:
    declared = _declared(backbone, call)
    about = {"product": str(declared)} if declared else {**_said(call), **call.parts}
    return Deed(
        log=entitlement.concerned(backbone, call, declared),
        at=backbone.now(),
        operation=call.operation,
        by=principal.id,
        name=principal.name,
        about={name: part[:200] for name, part in about.items()},
        outcome=outcome,
        reason=reason[:LONGEST_REASON],
    )


def _declared(backbone: Backbone, call: Call) -> ProductId | None:
    """The product that is to be onboarded, if that is what is asked for, and can be read."""
    if call.operation != "request_onboarding":
        return None
    try:
        return entitlement.declared(backbone, call)
    except Rejected:
        return None


def _said(call: Call) -> dict[str, str]:
    """What the body says of what is decided."""
    members = DECISIONS.get(call.operation, ())
    try:
        asked = schemas.read(call.body) if members else {}
    except Rejected:
        return {}
    told = {}
    for name in members:
        said = asked.get(name) if isinstance(asked, dict) else None
        if isinstance(said, str | int):
            text = said if isinstance(said, str) else json.dumps(said)
            told[name] = without_query(text) if name == "webhook" else text
    return told
