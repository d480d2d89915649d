"""What the end of an output port takes away, and from whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mesh import consumers, contracts
from mesh.backbone import Backbone
from mesh.model.compatibility import Change, compare
from mesh.model.contract import DataContract
from mesh.model.declaration import Declaration
from mesh.model.names import version_order
from mesh.model.notice import Asked
from mesh.model.product import OutputPort


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """The end of one major version of an output port.

    Attributes:
        successor: version of the contract that takes its place; empty when none does.
        changes: what breaks consumers that read on there.
        asked: the consumers that rely on something of it.
        period: the notice that they have.
    """

    successor: str
    changes: tuple[Change, ...]
    asked: tuple[Asked, ...]
    period: timedelta


def ending_of(backbone: Backbone, declaration: Declaration, port: OutputPort) -> Ending:
    """What the end of a port takes away, where a declaration says what there is beside it.

    Its place takes the newest major of the same port that is not on its way out itself.

    Raises:
        Unavailable: its contract is on record but not in storage.
    """
    declared = {(one.port.name, one.port.version): one.document for one in declaration.contracts}
    document = declared.get((port.name, port.version)) or json.loads(
        contracts.published(backbone, declaration.product.id, port)
    )
    later = [
        one
        for one in declaration.product.newest_ports.values()
        if one.name == port.name and one.major > port.major and one.deprecation is None
    ]
    successor = max(later, key=lambda one: version_order(one.version), default=None)
    new = None if successor is None else declared[successor.name, successor.version]
    changes = _changes(port, document, new)
    return Ending(
        successor="" if successor is None else successor.version,
        changes=changes,
        asked=_asked(backbone, declaration, changes),
        period=backbone.policy.notices.of_contract(document),
    )


def _changes(
    port: OutputPort, old: Mapping[str, Any], new: Mapping[str, Any] | None
) -> tuple[Change, ...]:
    if new is None:
        return tuple(
            Change(
                object_name=name,
                field="",
                rule="schema",
                message=f"{name} ends with version {port.major}, and nothing takes its place.",
                breaks_producers=True,
                breaks_consumers=True,
                verdict="breaking",
            )
            for name in sorted(port.objects)
        )
    found = compare(DataContract.from_document(old), DataContract.from_document(new), "forward")
    return tuple(change for change in found if change.breaks_consumers)


def _asked(
    backbone: Backbone, declaration: Declaration, changes: tuple[Change, ...]
) -> tuple[Asked, ...]:
    relying = [
        (consumer.domain, tuple(at for at, one in enumerate(changes) if consumer.relies_on(one)))
        for consumer in consumers.of_product(backbone, declaration.product.id)
    ]
    return tuple(Asked(domain=domain, affected_by=places) for domain, places in relying if places)
