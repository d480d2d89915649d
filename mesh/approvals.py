"""Somebody approves of a declaration that waits for it, or refuses it."""

from __future__ import annotations

from dataclasses import replace

from mesh import templates
from mesh.backbone import Backbone
from mesh.errors import Rejected
from mesh.model.findings import Finding
from mesh.model.onboarding import Onboarding, Status, Step
from mesh.model.principal import Caller
from mesh.onboarding import find, send_on


def approve(
    backbone: Backbone, identity: str, *, approver: str, reason: str, caller: Caller
) -> Onboarding:
    """Let a saga go on that waits for approval, and grant the waiver that it asks for.

    The same approval again changes nothing.

    Raises:
        NotFound: there is no such onboarding.
        Rejected: it does not wait, or the caller may not grant its waiver.
    """
    saga, told = find(backbone, identity), f"approved by {approver}: {reason}"
    if not saga.has_done(Step.APPROVED, told):
        saga = _waiting(saga)
        if saga.product and saga.template and templates.waits_for_a_grant(saga.template):
            granted = templates.grant(
                backbone, saga.template, saga.product, asker=saga.asker, caller=caller
            )
            saga = replace(saga, template=granted)
        saga = saga.done(Step.APPROVED, backbone.now(), told)
        backbone.onboardings.put(saga)
    send_on(backbone, saga)
    return saga


def refuse(backbone: Backbone, identity: str, *, approver: str, reason: str) -> Onboarding:
    """End a saga that waits for approval; the same refusal again changes nothing.

    Raises:
        NotFound: there is no such onboarding.
        Rejected: it does not wait.
    """
    finding = Finding(
        file="",
        path="",
        rule="approval.refused",
        message=f"{approver} refused the declaration: {reason}",
        remedy="Settle it with the approver, then send the declaration again.",
    )
    saga = find(backbone, identity)
    if saga.findings != (finding,):
        backbone.onboardings.put(saga := _waiting(saga).refused((finding,)))
    return saga


def _waiting(saga: Onboarding) -> Onboarding:
    if saga.status is not Status.WAITING:
        message = f"Onboarding {saga.id} is {saga.status}; it does not wait for an approval."
        raise Rejected(message, problem="not-waiting", status=409)
    return saga
