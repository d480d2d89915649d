"""The onboarding of a product: a saga whose every step is recorded and can be done again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from mesh.model.findings import Finding
from mesh.model.names import ProductId
from mesh.model.template import TemplateUse


class Step(StrEnum):
    """The steps, in their order."""

    RECEIVED = "received"
    CHECKED = "checked"
    APPROVED = "approved"
    PROVISIONED = "provisioned"
    REGISTERED = "registered"


class Status(StrEnum):
    """Where a saga stands. `WAITING` is for an approval; `REFUSED` and `REGISTERED` are ends."""

    RUNNING = "running"
    WAITING = "waiting"
    REFUSED = "refused"
    REGISTERED = "registered"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRecord:
    """A step that was done, when, and what there is to say about it."""

    step: Step
    at: datetime
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Onboarding:
    """One declaration on its way to a product.

    Attributes:
        id: digest of the declaration's files and the template that was asked for: the same again
            is the same onboarding.
        run: 1 for the first time, higher when the same declaration was sent again after its end.
        asker: object id of the principal that sent it; empty when it came by the queue.
        product, digest: known once the declaration was checked.
        template: what was asked for, and, once checked, what holds.
        findings: all that is wrong, when refused.
        etag: of the row when it was read; None before it was first written.
    """

    id: str
    run: int
    requested_by: str
    status: Status
    steps: tuple[StepRecord, ...]
    asker: str = ""
    product: ProductId | None = None
    digest: str = ""
    template: TemplateUse | None = None
    findings: tuple[Finding, ...] = ()
    etag: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in {Status.REFUSED, Status.REGISTERED}

    @property
    def next_step(self) -> Step | None:
        """The step to be done now; None when the saga has ended."""
        if self.has_ended:
            return None
        order = list(Step)
        return order[order.index(self.steps[-1].step) + 1]

    def has_done(self, step: Step, detail: str) -> bool:
        """Whether a step was done with just this to say about it."""
        return any((one.step, one.detail) == (step, detail) for one in self.steps)

    def done(self, step: Step, at: datetime, detail: str = "") -> Onboarding:
        """The saga after `step`."""
        status = Status.REGISTERED if step is Step.REGISTERED else Status.RUNNING
        steps = (*self.steps, StepRecord(step=step, at=at, detail=detail))
        return replace(self, steps=steps, status=status)

    def refused(self, findings: tuple[Finding, ...]) -> Onboarding:
        """The saga after a refusal."""
        return replace(self, status=Status.REFUSED, findings=findings)


def onboarding_id(files: Mapping[str, str], template: TemplateUse | None = None) -> str:
    """Digest of a declaration's files, by name, and of the template that is asked for."""
    digest = hashlib.sha256()
    named = {} if template is None else {"@": str(template.template)}
    if template is not None and template.waiver is not None:
        named["@waiver"] = template.waiver.reason
    for name, text in (*sorted(files.items()), *named.items()):
        for part in (name, text):
            data = part.encode()
            digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:24]
