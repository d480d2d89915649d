"""The answers of the HTTP API as the command reads them; `schemas/openapi.json` describes them."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Channel = Literal["pull", "push", "event-grid", "service-bus", "inbox", "composite"]
"""How a subscriber is told."""


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


class Caller(TypedDict):
    id: str
    name: str
    ops: bool
    roles: dict[str, list[str]]


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


class ProductSummary(TypedDict):
    """A catalogue entry; `objects` are `vMAJOR/OBJECT`, `ports` `NAME:VERSION`."""

    product: str
    name: str
    purpose: str
    version: str
    status: str
    owner: str
    tags: list[str]
    ports: list[str]
    objects: list[str]
    onboarded_at: str


class Owner(TypedDict):
    """Who answers for a product."""

    name: str
    contact: str


class Deprecation(TypedDict):
    """That an output port is on its way out."""

    sunset: str | None
    migration: str | None


class OutputPort(TypedDict):
    """A way to read a product; `landing` is where each of its objects is dropped."""

    name: str
    version: str
    contract_id: str
    objects: list[str]
    landing: list[str]
    deprecation: Deprecation | None


class InputPort(TypedDict):
    """What a composite reads."""

    name: str
    product: str
    contract_id: str


class Contract(TypedDict):
    """A published contract."""

    port: str
    version: str
    digest: str
    published_at: str
    objects: list[str]


class ReferredVersion(TypedDict):
    """Published data that the relationships of a snapshot were checked against."""

    path: str
    product: str
    contract: str
    object: str
    drop: str
    sequence: int


class Snapshot(TypedDict):
    """The last good version of an object."""

    object: str
    major: int
    drop: str
    location: str
    rows: int
    sequence: int
    period: str | None
    references: list[ReferredVersion]


class Product(TypedDict):
    """All there is to know about a product."""

    product: str
    name: str
    version: str
    status: str
    purpose: str
    tags: list[str]
    owner: Owner
    template: TemplateUse | None
    output_ports: list[OutputPort]
    input_ports: list[InputPort]
    contracts: list[Contract]
    snapshots: list[Snapshot]


class Drop(TypedDict):
    """The decision about one version of a dropped file."""

    drop: str
    product: str
    file: str
    place: str
    url: str
    etag: str
    contract: str
    verdict: Literal["accepted", "rejected", "superseded"]
    summary: str
    rows: int
    accepted: int
    rejected: int
    size: int
    landed_at: str
    received_at: str
    decided_at: str
    receipt: str
    sequence: int
    duplicates: int
    mends: str | None
    kept: int
    mended_by: str | None


class SetFile(TypedDict):
    """A file of a set that was rejected."""

    file: str
    drop: str


class SetMember(SetFile):
    """An accepted file of a set."""

    rows: int


class FileSet(TypedDict):
    """What has come of one set of files."""

    object: str
    major: int
    folder: str
    period: str | None
    opened_at: str
    due_at: str | None
    complete: bool
    sequence: int
    members: list[SetMember]
    missing: list[str]
    rejected: list[SetFile]


class Attempt(TypedDict):
    """One attempt at a notification."""

    number: int
    round: int
    at: str
    outcome: Literal["delivered", "retry", "gone", "refused", "exhausted", "acknowledged"]
    status: int | None
    reason: str
    duration_s: float
    next_at: str | None


class ToldSubscriber(TypedDict):
    """A subscriber that an event is for, and the attempts at telling it."""

    subscription: str
    subscriber: str
    channel: Channel
    target: str
    state: Literal["active", "suspended", "gone", "barred"]
    failing: int
    reason: str
    attempts: list[Attempt]


class AnnouncedEvent(TypedDict):
    """An event that told of a drop, and whom."""

    id: str
    type: str
    sequence: int
    time: str
    subscribers: list[ToldSubscriber]


class Journey(Drop):
    """A drop with the set that it is of, if it is of one, and the events that told of it."""

    sets: list[FileSet]
    events: list[AnnouncedEvent]


Expression = TypedDict(
    "Expression",
    {
        "exact": dict[str, str],
        "prefix": dict[str, str],
        "suffix": dict[str, str],
        "all": list["Expression"],
        "any": list["Expression"],
        "not": "Expression",
    },
    total=False,
)
"""A filter in the dialects of CloudEvents Subscriptions; it has one of these members."""


class ReadableBlob(TypedDict):
    location: str
    url: str


class ReadAccess(TypedDict):
    """What may be read until when."""

    product: str
    sequence: int
    until: str
    blobs: list[ReadableBlob]


class AuditEntry(TypedDict):
    """Something that somebody did, or was refused."""

    number: int
    at: str
    operation: str
    by: str
    name: str
    about: dict[str, str]
    outcome: str
    reason: str
    digest: str


class Audit(TypedDict):
    """A log, newest first."""

    entries: list[AuditEntry]
    whole: bool


class Agreement(TypedDict):
    """What was agreed with a domain about consuming a product."""

    product: str
    consumer: str
    standing: Literal["requested", "granted", "refused", "expired", "revoked"]
    purpose: str
    requested_by: str
    requested_at: str
    decided_by: str
    decided_at: str | None
    reason: str
    expires_at: str | None


class Change(TypedDict):
    """One difference between two versions of a contract."""

    object: str
    field: str
    rule: str
    path: str
    message: str
    breaks: list[Literal["producers", "consumers"]]
    verdict: Literal["compatible", "breaking"]


class ConsumerVerdict(TypedDict):
    """What publishing a contract means for one consumer."""

    consumer: str
    uses: list[str]
    verdict: Literal["affected", "unaffected"]
    affected_by: list[Change]


class Preview(TypedDict):
    """What publishing a contract would change, and for whom."""

    product: str
    port: str
    version: str
    compared_with: list[str]
    mode: str
    verdict: Literal["compatible", "new-major", "breaking"]
    changes: list[Change]
    consumers: list[ConsumerVerdict]


class Subscription(TypedDict):
    """A domain's standing wish to be told."""

    id: str
    product: str
    subscriber: str
    channel: Channel
    target: str
    copies: bool
    ordered: bool
    signature: Literal["v1", "v1a"]
    filters: list[Expression]
    uses: list[str]
    state: Literal["active", "suspended", "gone", "barred"]
    suspended_at: str | None
    reason: str
    until: str | None
    failing: int
    created_at: str


class Resumed(TypedDict):
    """A subscription that is told again."""

    subscription: Subscription
    notifications: int


class Replayed(TypedDict):
    """What one subscriber is told again."""

    notifications: int
    next_sequence: int | None


class DeadLetter(TypedDict):
    """A message that was given up."""

    source: str
    number: int
    message_id: str
    enqueued_at: str | None
    reason: str
    description: str
    deliveries: int
    body: str


class Subscribed(Subscription):
    """A subscription just made; the secret of a webhook is told this once."""

    secret: str | None


CloudEvent = dict[str, Any]
"""An event of a product; `schemas/events/` has a schema for each type."""

Receipt = dict[str, Any]
"""A verdict in full, as it lies in storage."""
