"""A declaration becomes a product, in steps that are recorded and can be done again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mesh import schemas, telemetry, templates
from mesh.backbone import Backbone
from mesh.errors import NotFound
from mesh.model.findings import Finding
from mesh.model.onboarding import Onboarding, Status, Step, StepRecord, onboarding_id
from mesh.model.template import TemplateUse
from mesh.onboarding_steps import STEPS, location
from mesh.ports import Message

QUEUE = "onboarding"


def request(
    backbone: Backbone,
    files: Mapping[str, str],
    *,
    requested_by: str,
    template: TemplateUse | None = None,
    asker: str = "",
) -> Onboarding:
    """Take in a declaration: its files, by name. The rest happens step by step, on the queue.

    A declaration that is on its way, or whose product is registered just so, is not taken in again.

    Args:
        template: that the product's infrastructure is deployed from; None keeps what it has.
        asker: object id of the principal that asks, if one does.
    """
    identity = onboarding_id(files, template)
    known = backbone.onboardings.get(identity)
    if known is not None and (not known.has_ended or _is_in_force(backbone, known, template)):
        send_on(backbone, known)
        return known
    body = json.dumps(dict(files), sort_keys=True, ensure_ascii=False).encode()
    backbone.storage.write(location(identity), body, content_type="application/json")
    received = Onboarding(
        id=identity,
        run=1 if known is None else known.run + 1,
        requested_by=requested_by,
        asker=asker,
        status=Status.RUNNING,
        steps=(StepRecord(step=Step.RECEIVED, at=backbone.now()),),
        template=template,
        etag=None if known is None else known.etag,
    )
    backbone.onboardings.put(received)
    send_on(backbone, received)
    return received


def handle(backbone: Backbone, message: Any) -> Onboarding:
    """Handle a message of the queue: a whole declaration, or the id of a saga whose step is due.

    What is neither is refused with findings, under the id that its digest makes.

    Args:
        message: a request as `schemas/requests/onboarding.v1.json` says, or `{"onboarding": ID}`.

    Raises:
        NotFound: there is no such onboarding; the queue dead-letters the message in the end.
    """
    if isinstance(message, dict) and set(message) == {"onboarding"}:
        return advance(backbone, str(message["onboarding"]))
    findings = schemas.findings(message, "requests/onboarding.v1")
    if findings:
        return _refused_message(backbone, message, findings)
    by = str(message.get("requested_by", "queue"))
    use = templates.asked_for(message, by=by)
    return request(backbone, message["files"], requested_by=by, template=use)


def _refused_message(
    backbone: Backbone, message: object, findings: tuple[Finding, ...]
) -> Onboarding:
    identity = onboarding_id({"": json.dumps(message, sort_keys=True)})
    known = backbone.onboardings.get(identity)
    if known is not None:
        return known
    received = Onboarding(
        id=identity,
        run=1,
        requested_by="queue",
        status=Status.RUNNING,
        steps=(StepRecord(step=Step.RECEIVED, at=backbone.now()),),
    )
    refused = received.refused(findings)
    backbone.onboardings.put(refused)
    return refused


def advance(backbone: Backbone, identity: str) -> Onboarding:
    """Do the next step of a saga, record it, and put the saga back on the queue unless it ended.

    Raises:
        NotFound: there is no such onboarding.
    """
    with telemetry.onboard(identity) as hop:
        moved = _advance(backbone, identity)
        hop.moved_on(moved)
        return moved


def _advance(backbone: Backbone, identity: str) -> Onboarding:
    saga = find(backbone, identity)
    step = saga.next_step
    if step is None or saga.status is Status.WAITING:
        return saga
    moved = STEPS[step](backbone, saga)
    backbone.onboardings.put(moved)
    send_on(backbone, moved)
    return moved


def find(backbone: Backbone, identity: str) -> Onboarding:
    """The onboarding with this id.

    Raises:
        NotFound: there is none.
    """
    saga = backbone.onboardings.get(identity)
    if saga is None:
        message = f"There is no onboarding {identity!r}."
        raise NotFound(message, problem="unknown-onboarding")
    return saga


def _is_in_force(backbone: Backbone, saga: Onboarding, asked: TemplateUse | None) -> bool:
    if saga.product is None or saga.status is not Status.REGISTERED:
        return False
    product = backbone.registry.head(saga.product).product
    if product is None or product.digest != saga.digest:
        return False
    if saga.template and saga.template.waiver and not saga.template.waiver.holds(backbone.now()):
        return False
    return asked is None or product.template == saga.template


def send_on(backbone: Backbone, saga: Onboarding) -> None:
    """Let the next step of a saga be done, if it has one; again is the same."""
    if saga.has_ended or saga.status is Status.WAITING:
        return
    message = Message(
        id=f"{saga.id}-{saga.run}-{saga.steps[-1].step}", body={"onboarding": saga.id}
    )
    backbone.queues.send(QUEUE, [message])
