"""What the API answers about products and their contracts."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from cli.answers.onboarding import TemplateUse


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

    since: str | None
    sunset: str | None
    migration: str | None
    retired_at: str | None
    notice_until: str | None
    asked: int
    unacknowledged: int


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


CloudEvent = dict[str, Any]
"""An event of a product; `schemas/events/` has a schema for each type."""


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
    notice_days: int
    consumers: list[ConsumerVerdict]


class AskedConsumer(TypedDict):
    """A consumer that has to acknowledge a notice."""

    consumer: str
    outstanding: bool
    acknowledged_at: str | None
    acknowledged_by: str
    affected_by: list[Change]


class Notice(TypedDict):
    """That a major version of an output port ends, and whom that affects."""

    product: str
    port: str
    version: str
    major: int
    number: int
    standing: Literal["open", "withdrawn", "retired"]
    given_at: str
    until: str
    sunset: str | None
    migration: str | None
    successor: str | None
    retired_at: str | None
    asked: list[AskedConsumer]
