"""Outcomes that receivers choose for deliveries, as Service Bus reads them.

| outcome | means |
|---|---|
| accepted | complete |
| released | give back, uncounted |
| modified, undeliverable-here | defer |
| modified | abandon |
| rejected | dead-letter, with reason and description from the error's info |
"""

from __future__ import annotations

from typing import Any

from local.service_bus.amqp import performatives as p
from local.service_bus.amqp.sections import readable
from local.service_bus.amqp.types import Described
from local.service_bus.core.errors import NotAllowedError
from local.service_bus.core.mailbox import Mailbox
from local.service_bus.core.message import Changes

_REASON, _DESCRIPTION = "DeadLetterReason", "DeadLetterErrorDescription"


def apply_outcome(mailbox: Mailbox, token: bytes, state: Any) -> None:
    """Do with a locked message what the client decided.

    Raises:
        BrokerError: the lock is lost, or the outcome is none of the above.
    """
    code, fields = _read(state)
    if code == p.ACCEPTED:
        mailbox.complete(token)
    elif code == p.RELEASED:
        mailbox.release(token)
    elif code == p.MODIFIED:
        changes = _changes(fields[2]) if len(fields) > 2 else None
        if len(fields) > 1 and fields[1]:
            mailbox.defer(token, changes)
        else:
            mailbox.abandon(token, changes)
    elif code == p.REJECTED:
        reason, description, changes = _dead_letter(fields)
        mailbox.dead_letter(token, reason, description, changes)
    else:
        message = f"The outcome 0x{code:02x} is not supported."
        raise NotAllowedError(message)


def echo(state: Any) -> bytes:
    """Write the outcome that was applied: clients compare it with the one they chose."""
    code, fields = _read(state)
    if code == p.ACCEPTED:
        return p.ACCEPTED_STATE
    if code == p.REJECTED:
        return p.composite(code, None)
    if code == p.MODIFIED:
        failed, here = (*fields, None, None)[:2]
        return p.composite(code, failed, here, None)
    return p.composite(code)


def _read(state: Any) -> tuple[int, list[Any]]:
    if not isinstance(state, Described):
        return p.RELEASED, []
    return state.descriptor, state.value


def _dead_letter(fields: list[Any]) -> tuple[str, str, Changes]:
    error = fields[0].value if fields and isinstance(fields[0], Described) else []
    info = error[2] if len(error) > 2 and isinstance(error[2], dict) else {}
    description = info.get(_DESCRIPTION) or (error[1] if len(error) > 1 else None)
    changes = _changes({k: v for k, v in info.items() if k not in (_REASON, _DESCRIPTION)})
    return info.get(_REASON) or "", description or "", changes


def _changes(entries: Any) -> Changes:
    if not isinstance(entries, dict):
        return Changes()
    return Changes(user={str(key): readable(value) for key, value in entries.items()})
