"""The steps of an onboarding; who does them, and in which order, says `onboarding`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from mesh import notices, outbox, provisioning, reminding, templates
from mesh.backbone import Backbone
from mesh.committing import commit
from mesh.documents import read_declaration
from mesh.errors import Unavailable
from mesh.model import onboarding_events
from mesh.model.catalogue import ProductSummary
from mesh.model.declaration import Declaration
from mesh.model.findings import Finding
from mesh.model.onboarding import Onboarding, Status, Step
from mesh.model.record import Commit, Head, number
from mesh.onboarding_checks import check_against_record, check_declaration, to_approve


def _check(backbone: Backbone, saga: Onboarding) -> Onboarding:
    declaration = read_declaration(_files(backbone, saga), variables=backbone.policy.variables)
    if not isinstance(declaration, Declaration):
        return saga.refused(declaration)
    saga = replace(saga, product=declaration.product.id, digest=declaration.product.digest)
    use, unfit = templates.settle(backbone, declaration, saga.template)
    findings = check_declaration(backbone, declaration) + unfit
    if findings:
        return saga.refused(findings)
    told = f"{len(declaration.contracts)} contract(s)" + templates.in_words(use)
    return replace(saga, template=use).done(Step.CHECKED, backbone.now(), told)


def _approve(backbone: Backbone, saga: Onboarding) -> Onboarding:
    declaration = _declaration(backbone, saga)
    if templates.waits_for_a_grant(saga.template) or to_approve(backbone, declaration):
        return replace(saga, status=Status.WAITING)
    return saga.done(Step.APPROVED, backbone.now(), "policy asks for nobody's approval")


def _provision(backbone: Backbone, saga: Onboarding) -> Onboarding:
    for container in ("landing", "published", "quarantine", "receipts"):
        if not backbone.storage.exists(container):
            message = f"The container {container!r} does not exist; deploy the infrastructure."
            raise Unavailable(message)
    declaration = _declaration(backbone, saga)
    entries = provisioning.publish_contracts(backbone, declaration)
    provisioning.subscribe_to_inputs(backbone, declaration.product)
    return saga.done(Step.PROVISIONED, backbone.now(), f"{len(entries)} contract(s) written")


def _register(backbone: Backbone, saga: Onboarding) -> Onboarding:
    declaration = _declaration(backbone, saga)
    product = replace(declaration.product, template=saga.template)
    entries = provisioning.publish_contracts(backbone, declaration)
    found: tuple[Finding, ...] = ()

    def decide(head: Head) -> Commit | None:
        nonlocal found
        if head.product is not None and head.product.is_declared_as(product):
            return None
        # Another declaration may have been registered since this one was checked.
        found = check_against_record(backbone, declaration)
        if found:
            return None
        new = tuple(
            entry for entry in entries if backbone.registry.contract(product.id, entry.key) is None
        )
        made = notices.registration(backbone, head.product, declaration, product)
        told = onboarding_events.announcements(
            head.product, made.product, new, after=head.sequence, at=backbone.now()
        )
        moved, events = number(replace(head, product=made.product), (*told, *made.announcements))
        moved = replace(moved, onboarded_at=head.onboarded_at or backbone.now())
        return Commit(head=moved, events=events, contracts=new, notices=made.notices)

    done = commit(backbone, product.id, decide)
    if found:
        return saga.refused(found)
    if done is None:
        outbox.relay(backbone, product.id)
    else:
        outbox.publish(backbone, product.id, done.events)
    reminding.tell(backbone, product.id)
    provisioning.backfill_inputs(backbone, product)
    onboarded_at = backbone.registry.head(product.id).onboarded_at
    assert onboarded_at is not None  # the commit has set it
    backbone.catalogue.put(ProductSummary.of(product, onboarded_at))
    return saga.done(Step.REGISTERED, backbone.now(), "" if done else "nothing had changed")


STEPS: Mapping[Step, Callable[[Backbone, Onboarding], Onboarding]] = {
    Step.CHECKED: _check,
    Step.APPROVED: _approve,
    Step.PROVISIONED: _provision,
    Step.REGISTERED: _register,
}
"""What is done for each; whatever was done already is done again, and is the same."""


def location(identity: str) -> str:
    """Where the declaration of an onboarding lies."""
    return f"declarations/{identity}.json"


def _files(backbone: Backbone, saga: Onboarding) -> dict[str, str]:
    data = backbone.storage.read(location(saga.id))
    if data is None:
        message = f"The declaration of onboarding {saga.id} is not in storage."
        raise Unavailable(message)
    files: dict[str, str] = json.loads(data)
    return files


def _declaration(backbone: Backbone, saga: Onboarding) -> Declaration:
    declaration = read_declaration(_files(backbone, saga), variables=backbone.policy.variables)
    if not isinstance(declaration, Declaration):
        message = f"The declaration of onboarding {saga.id} was good and is not any more."
        raise Unavailable(message)
    return declaration
