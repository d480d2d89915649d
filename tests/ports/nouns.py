"""Nouns for the tests of the ports: plain ones to start from, and arbitrary ones (Hypothesis)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from mesh.model.agreement import Agreement, Standing
from mesh.model.catalogue import ProductSummary
from mesh.model.compatibility import Change
from mesh.model.events import EVENT_TYPES, PRODUCT_UPDATED, Announcement, ReceivedEvent
from mesh.model.filters import Expression
from mesh.model.findings import Finding
from mesh.model.names import ProductId, is_slug
from mesh.model.notice import Asked, Notice, NoticeStanding
from mesh.model.notification import RecordedAttempt
from mesh.model.onboarding import Onboarding, Status, Step, StepRecord
from mesh.model.product import DataProduct, InputPort, OutputPort, Owner
from mesh.model.record import (
    Commit,
    ContractEntry,
    Head,
    InputState,
    LedgerEntry,
    Snapshot,
    Verdict,
    number,
)
from mesh.model.relationships import ReferredVersion
from mesh.model.subscription import Channel, Filter, State, Subscription
from mesh.model.template import Parameter, Template, TemplateName, TemplateUse, Waiver

AT = datetime(2026, 11, 22, 9, 30, 15, 123456, tzinfo=UTC)


def new_product() -> ProductId:
    """A product nobody else in this run has."""
    return ProductId(domain="test", product=f"p{uuid.uuid4().hex}")


def announcement(key: str = "drop", **fields: Any) -> Announcement:
    values: dict[str, Any] = {
        "type": PRODUCT_UPDATED,
        "key": key,
        "subject": "v1/runways",
        "time": AT,
        "data": {"object": "runways"},
        "trace_id": "ab" * 16,
    }
    return Announcement(**values | fields)


def entry(drop: str = "a" * 20 + "-" + "1" * 12, **fields: Any) -> LedgerEntry:
    values: dict[str, Any] = {
        "drop": drop,
        "url": "https://storage.invalid/landing/geo/regions/v1/runways/runways.csv",
        "etag": "0x8DF",
        "sequencer": "0001",
        "file": "runways.csv",
        "place": "geo/regions/v1/runways",
        "contract": "runways:1.0.0",
        "verdict": Verdict.ACCEPTED,
        "rows": 10,
        "accepted": 9,
        "rejected": 1,
        "size": 1234,
        "landed_at": AT,
        "received_at": AT,
        "decided_at": AT,
        "receipt": "receipts/x.json",
        "sequence": 1,
        "summary": "9 of 10 rows accepted.",
    }
    return LedgerEntry(**values | fields)


def contract(version: str = "1.0.0", **fields: Any) -> ContractEntry:
    values: dict[str, Any] = {
        "port": "runways",
        "version": version,
        "contract_id": "runways",
        "digest": "d" * 64,
        "location": "contracts/x.yaml",
        "schemas": {"runways": "contracts/x.schema.json"},
        "published_at": AT,
    }
    return ContractEntry(**values | fields)


def snapshot(**fields: Any) -> Snapshot:
    values: dict[str, Any] = {
        "port": "runways",
        "object_name": "runways",
        "major": 1,
        "drop": "d",
        "location": "published/x.csv",
        "rows": 9,
        "sequence": 1,
        "period": None,
        "landed_at": AT,
    }
    return Snapshot(**values | fields)


def input_state(**fields: Any) -> InputState:
    values: dict[str, Any] = {
        "port": "regions",
        "product": ProductId(domain="geo", product="regions"),
        "period": "2026-11",
        "sequence": 3,
        "dataref": "https://storage.invalid/published/x.csv",
    }
    return InputState(**values | fields)


def agreement(product: ProductId, consumer: str, **fields: Any) -> Agreement:
    known: dict[str, Any] = {
        "product": product,
        "consumer": consumer,
        "standing": Standing.GRANTED,
        "number": 2,
        "purpose": "To try.",
        "requested_by": "Bo",
        "requested_at": AT,
        "decided_by": "Ada",
        "decided_at": AT,
        "reason": "Fine.",
        "expires_at": AT,
    }
    return Agreement(**(known | fields))


def notice(product: ProductId, port: str = "runways", major: int = 1, **fields: Any) -> Notice:
    change = Change(
        object_name="runways",
        field="länge",
        rule="removed",
        message="länge is gone.",
        breaks_producers=True,
        breaks_consumers=True,
        verdict="breaking",
    )
    known: dict[str, Any] = {
        "product": product,
        "port": port,
        "version": f"{major}.0.0",
        "major": major,
        "number": 1,
        "standing": NoticeStanding.OPEN,
        "given_at": AT,
        "until": AT + timedelta(days=90),
        "sunset": None,
        "migration": "https://test.example/2",
        "successor": f"{major + 1}.0.0",
        "changes": (change,),
        "asked": (Asked(domain="rivers", affected_by=(0,), acknowledged_at=AT),),
    }
    return Notice(**(known | fields))


def change(head: Head, *announcements: Announcement, **fields: Any) -> Commit:
    moved, events = number(head, announcements)
    return Commit(head=moved, events=events, **fields)


def subscription(product: ProductId, **fields: Any) -> Subscription:
    values: dict[str, Any] = {
        "id": "s1",
        "product": product,
        "subscriber": "planning",
        "channel": Channel.PUSH,
        "target": "https://receiver.example/hook",
        "filter": Filter(),
        "state": State.ACTIVE,
        "created_at": AT,
    }
    return Subscription(**values | fields)


def received(product: ProductId, **fields: Any) -> ReceivedEvent:
    """An event as it came back from the topic."""
    _, events = number(Head.new(product), (announcement(**fields),))
    return ReceivedEvent.from_cloudevent(events[0].to_cloudevent())


def attempt(product: ProductId, **fields: Any) -> RecordedAttempt:
    values: dict[str, Any] = {
        "product": product,
        "sequence": 1,
        "subscription": "s1",
        "subscriber": "planning",
        "channel": "push",
        "number": 1,
        "outcome": "retry",
        "status": 500,
        "reason": "The receiver answered 500.",
        "at": AT,
        "duration_s": 0.25,
        "next_at": AT + timedelta(seconds=5),
    }
    return RecordedAttempt(**values | fields)


def saga(**fields: Any) -> Onboarding:
    values: dict[str, Any] = {
        "id": uuid.uuid4().hex[:24],
        "run": 1,
        "requested_by": "somebody",
        "status": Status.RUNNING,
        "steps": (StepRecord(step=Step.RECEIVED, at=AT),),
    }
    return Onboarding(**values | fields)


def template(**fields: Any) -> Template:
    values: dict[str, Any] = {
        "id": TemplateName(name=f"node-{uuid.uuid4().hex[:8]}", version="1.0.0"),
        "kind": "bicep",
        "description": "A node",
        "source": "infra/modules/node.bicep",
        "parameters": (Parameter(name="domain", description="Its name", required=True),),
        "satisfies": ("standard",),
        "registered_by": "somebody",
        "registered_at": AT,
    }
    return Template(**values | fields)


def summary(product: ProductId, **fields: Any) -> ProductSummary:
    values: dict[str, Any] = {
        "id": product,
        "name": "Regions",
        "purpose": "All regions",
        "version": "1.0.0",
        "status": "active",
        "owner": "team",
        "tags": ("geo",),
        "ports": ("runways:1.0.0",),
        "objects": ("v1/runways",),
        "onboarded_at": AT,
    }
    return ProductSummary(**values | fields)


# What people write: anything that UTF-8 can hold.
texts = st.text(st.characters(codec="utf-8"), max_size=40)
times = st.integers(-(10**15), 10**15).map(lambda past: AT + timedelta(microseconds=past))
counts = st.integers(0, 2**53)
slugs = st.from_regex(r"[a-z][a-z0-9]{1,10}(-[a-z0-9]{1,8})?", fullmatch=True).filter(is_slug)
object_names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,20}", fullmatch=True)
versions = st.builds("{}.{}.{}".format, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
product_ids = st.builds(ProductId, domain=slugs, product=slugs)
hexes = st.text("0123456789abcdef", min_size=1, max_size=32)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)

uses = st.builds(
    TemplateUse,
    template=st.builds(TemplateName, name=slugs, version=versions),
    waiver=st.none()
    | st.builds(Waiver, reason=texts, by=texts, profiles=st.lists(texts, max_size=2).map(tuple)),
)
data_products = st.builds(
    DataProduct,
    id=product_ids,
    name=texts,
    version=versions,
    status=texts,
    purpose=texts,
    tags=st.lists(texts, max_size=3).map(tuple),
    owner=st.builds(Owner, name=texts, contact=texts),
    output_ports=st.lists(
        st.builds(
            OutputPort,
            name=slugs,
            version=versions,
            contract_id=texts,
            objects=st.lists(object_names, max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    input_ports=st.lists(
        st.builds(InputPort, name=slugs, product=product_ids, contract_id=texts), max_size=2
    ).map(tuple),
    digest=hexes,
    template=st.none() | uses,
)
entries = st.builds(
    LedgerEntry,
    drop=st.builds("{}-{}".format, st.just("b" * 20), hexes),
    url=texts,
    etag=texts,
    sequencer=texts,
    file=texts,
    place=texts,
    contract=texts,
    verdict=st.sampled_from(Verdict),
    rows=counts,
    accepted=counts,
    rejected=counts,
    size=counts,
    landed_at=times,
    received_at=times,
    decided_at=times,
    receipt=texts,
    sequence=counts,
    summary=texts,
)
snapshots = st.builds(
    Snapshot,
    port=slugs,
    object_name=object_names,
    major=st.integers(0, 999),
    drop=texts,
    location=texts,
    rows=counts,
    sequence=counts,
    period=st.none() | texts,
    parquet=st.none() | texts,
    references=st.lists(
        st.builds(
            ReferredVersion,
            path=texts,
            fields=st.tuples(texts),
            product=texts,
            contract=texts,
            object_name=object_names,
            properties=st.tuples(texts),
            drop=texts,
            sequence=counts,
        ),
        max_size=2,
    ).map(tuple),
)
contracts = st.builds(
    ContractEntry,
    port=slugs,
    version=versions,
    contract_id=texts,
    digest=hexes,
    location=texts,
    schemas=st.dictionaries(object_names, texts, max_size=3),
    published_at=times,
)
inputs = st.builds(
    InputState,
    port=slugs,
    product=product_ids,
    period=texts,
    sequence=counts,
    dataref=texts,
    used=counts,
)
announcements = st.builds(
    Announcement,
    type=st.sampled_from(EVENT_TYPES),
    key=texts,
    subject=texts,
    time=times,
    data=st.dictionaries(texts, values, max_size=3),
    trace_id=hexes,
    dataref=st.none() | texts,
)
_comparisons = st.builds(
    Expression,
    dialect=st.sampled_from(["exact", "prefix", "suffix"]),
    attribute=st.sampled_from(["type", "subject", "data.object", "data.period", "data.port"]),
    value=st.text("ab%_\\'é/", min_size=1, max_size=3),
)
expressions = st.recursive(
    _comparisons,
    lambda inner: (
        st.builds(
            Expression,
            dialect=st.sampled_from(["all", "any"]),
            parts=st.lists(inner, min_size=1, max_size=3).map(tuple),
        )
        | st.builds(Expression, dialect=st.just("not"), parts=st.tuples(inner))
    ),
    max_leaves=5,
)
filters = st.builds(
    Filter,
    filters=st.lists(expressions, max_size=2).map(tuple),
    types=st.frozensets(st.sampled_from(EVENT_TYPES)),
    objects=st.frozensets(object_names, max_size=3),
)
subscriptions = st.builds(
    Subscription,
    id=texts.filter(bool),
    product=product_ids,
    subscriber=slugs,
    channel=st.sampled_from(Channel),
    target=texts,
    filter=filters,
    state=st.sampled_from(State),
    created_at=times,
    generation=st.integers(1, 99),
    previous_until=st.none() | times,
)
attempts = st.builds(
    RecordedAttempt,
    product=product_ids,
    sequence=st.integers(1, 2**53),
    subscription=texts,
    subscriber=slugs,
    channel=st.sampled_from(Channel).map(str),
    number=st.integers(1, 200),
    outcome=st.sampled_from(["delivered", "retry", "gone", "refused", "exhausted"]),
    status=st.none() | st.integers(100, 599),
    reason=texts,
    at=times,
    duration_s=st.floats(0, 1000),
    next_at=st.none() | times,
)
sagas = st.builds(
    Onboarding,
    id=hexes,
    run=st.integers(1, 9),
    requested_by=texts,
    status=st.sampled_from(Status),
    steps=st.lists(
        st.builds(StepRecord, step=st.sampled_from(Step), at=times, detail=texts), max_size=5
    ).map(tuple),
    product=st.none() | product_ids,
    template=st.none() | uses,
    findings=st.lists(
        st.builds(Finding, file=texts, path=texts, rule=texts, message=texts, remedy=texts),
        max_size=3,
    ).map(tuple),
)
templates = st.builds(
    Template,
    id=st.builds(TemplateName, name=slugs, version=versions),
    kind=st.sampled_from(["bicep", "terraform"]),
    description=texts,
    source=texts,
    parameters=st.lists(
        st.builds(Parameter, name=texts, description=texts, required=st.booleans()), max_size=2
    ).map(tuple),
    satisfies=st.lists(texts, max_size=2).map(tuple),
    registered_by=texts,
    registered_at=times,
)
summaries = st.builds(
    ProductSummary,
    id=product_ids,
    name=texts,
    purpose=texts,
    version=versions,
    status=texts,
    owner=texts,
    tags=st.lists(texts, max_size=3).map(tuple),
    ports=st.lists(texts, max_size=3).map(tuple),
    objects=st.lists(texts, max_size=3).map(tuple),
    onboarded_at=times,
)
