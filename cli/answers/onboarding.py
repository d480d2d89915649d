"""What the API answers about declarations on their way, and the templates that they use."""

from __future__ import annotations

from typing import Literal, TypedDict


class Finding(TypedDict):
    """What is wrong with a document, and what to do."""

    file: str
    path: str
    rule: str
    message: str
    remedy: str


class Step(TypedDict):
    """A step of an onboarding that was done."""

    step: Literal["received", "checked", "approved", "provisioned", "registered"]
    at: str
    detail: str


class Waiver(TypedDict):
    """Why a template is used that does not satisfy all it has to."""

    reason: str
    by: str
    profiles: list[str]
    granted_by: str
    until: str | None


class TemplateUse(TypedDict):
    """The template that a product's infrastructure is deployed from."""

    name: str
    version: str
    waiver: Waiver | None


class TemplateParameter(TypedDict):
    """What a template has to be told."""

    name: str
    description: str
    required: bool


class Template(TypedDict):
    """A module of infrastructure that an organisation keeps, in one version."""

    name: str
    version: str
    kind: Literal["bicep", "terraform"]
    description: str
    source: str
    parameters: list[TemplateParameter]
    satisfies: list[str]
    registered_by: str
    registered_at: str


class SecurityProfile(TypedDict):
    """What infrastructure has to offer to hold data of some classifications."""

    name: str
    classifications: list[str]
    network: Literal["public", "private_endpoint"]
    encryption: Literal["platform_key", "customer_key"]
    retention_days: int
    readers: str
    writers: str


class Onboarding(TypedDict):
    """One declaration on its way to a product."""

    id: str
    run: int
    status: Literal["running", "waiting", "refused", "registered"]
    product: str | None
    requested_by: str
    template: TemplateUse | None
    steps: list[Step]
    findings: list[Finding]
