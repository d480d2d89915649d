"""A backbone in memory, queues that the verbs themselves drain, and a product to try things on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, TypeVar

import pytest
from jsonschema import Draft202012Validator

from mesh import fan_out, landing, memory, notifications, onboarding, subscriptions
from mesh.backbone import Backbone, in_memory
from mesh.errors import Rejected
from mesh.model.dropped_file import DroppedFile
from mesh.model.events import PRODUCT_UPDATED, ReceivedEvent
from mesh.model.lanes import QUICK, SLOW
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.model.onboarding import Onboarding
from mesh.model.principal import Caller, Principal
from mesh.model.record import LedgerEntry
from mesh.schemas import load
from mesh.subscriptions import Subscribed

COUNTRIES = ProductId(domain="geography", product="countries")
OPS = Caller(principal=Principal(id="ops", name="Ops"), is_ops=True)


def contract(
    product: ProductId = COUNTRIES,
    *,
    object_name: str = "countries",
    version: str = "1.0.0",
    more: Mapping[str, Any] | None = None,
    classification: str = "public",
) -> dict[str, Any]:
    """An ODCS contract with a code, a name and a size."""
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"urn:mesh:{product.domain}:{product.product}:{object_name}",
        "name": object_name,
        "version": version,
        "status": "active",
        "domain": product.domain,
        "dataProduct": product.product,
        "description": {"purpose": "To try things on."},
        "schema": [
            {
                "name": object_name,
                "logicalType": "object",
                "physicalType": "file",
                "description": "One row per country.",
                "properties": [
                    {
                        "name": "code",
                        "logicalType": "string",
                        "logicalTypeOptions": {"pattern": "^[A-Z]{2}$"},
                        "required": True,
                        "primaryKey": True,
                        "primaryKeyPosition": 1,
                        "description": "ISO 3166-1 alpha-2 code.",
                        "classification": "public",
                    },
                    {
                        "name": "name",
                        "logicalType": "string",
                        "required": True,
                        "description": "English short name.",
                        "classification": classification,
                    },
                    {
                        "name": "area",
                        "logicalType": "integer",
                        "logicalTypeOptions": {"minimum": 0},
                        "description": "Square kilometres.",
                    },
                ],
            }
        ],
        **(more or {}),
    }


def product_document(
    product: ProductId = COUNTRIES,
    *,
    ports: tuple[tuple[str, str], ...] = (("countries", "1.0.0"),),
    inputs: tuple[tuple[str, str], ...] = (),
    version: str = "1.0.0",
) -> dict[str, Any]:
    """An ODPS product with one port per contract; `inputs` are names and contract ids."""
    return {
        "apiVersion": "v1.0.0",
        "kind": "DataProduct",
        "id": f"urn:mesh:{product.domain}:{product.product}",
        "name": product.product,
        "version": version,
        "status": "active",
        "domain": product.domain,
        "tags": ["test"],
        "description": {"purpose": "To try things on."},
        "team": {
            "name": "Geography team",
            "members": [{"username": "owner@geography.example", "role": "owner"}],
        },
        "support": [{"channel": "email", "url": "mailto:help@geography.example"}],
        "outputPorts": [
            {
                "name": name,
                "version": port_version,
                "contractId": f"urn:mesh:{product.domain}:{product.product}:{name}",
            }
            for name, port_version in ports
        ],
        **(
            {
                "inputPorts": [
                    {"name": name, "version": "1.0.0", "contractId": identity}
                    for name, identity in inputs
                ]
            }
            if inputs
            else {}
        ),
    }


def declaration(
    product: ProductId = COUNTRIES, *contracts: Mapping[str, Any], **about: Any
) -> dict[str, str]:
    """The files of a declaration: the product, and its contracts."""
    files = {"product.odps.json": json.dumps(product_document(product, **about))}
    for place, document in enumerate(contracts or (contract(product),)):
        files[f"contract{place}.odcs.json"] = json.dumps(document)
    return files


@dataclass
class Clock:
    """A clock that moves when told to."""

    at: datetime = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, pause: timedelta) -> None:
        self.at += pause


T = TypeVar("T")


def _as(port: object, kind: type[T]) -> T:
    assert isinstance(port, kind)
    return port


class World:
    """A mesh in memory: what the platform does between the functions is done by its methods."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.backbone: Backbone = in_memory(now=self.clock)
        self.storage: memory.Storage = _as(self.backbone.storage, memory.Storage)
        self.topic: memory.Topic = _as(self.backbone.topic, memory.Topic)
        self.queues: memory.Queues = _as(self.backbone.queues, memory.Queues)
        self.webhooks: memory.Webhooks = _as(self.backbone.webhooks, memory.Webhooks)
        self.destinations: memory.Destinations = _as(
            self.backbone.destinations, memory.Destinations
        )
        self.dead_letters: memory.DeadLetters = _as(self.backbone.dead_letters, memory.DeadLetters)
        self.pull: memory.PullSubscriptions = _as(self.backbone.pull, memory.PullSubscriptions)
        self._fanned_out = 0

    def onboard(self, files: Mapping[str, str]) -> Onboarding:
        """Send a declaration and let the saga run to its end."""
        saga = onboarding.request(self.backbone, files, requested_by="test")
        while messages := self.queues.take(onboarding.QUEUE):
            for message in messages:
                saga = onboarding.handle(self.backbone, message.body)
        return saga

    def subscribe(
        self, product: ProductId = COUNTRIES, *, subscriber: str = "fleet", **wish: Any
    ) -> Subscribed:
        """Subscribe; the token that a destination is delivered, if it is, is sent back."""
        ask = partial(
            subscriptions.subscribe, self.backbone, product, subscriber=subscriber, **wish
        )
        try:
            return ask()
        except Rejected as refused:
            if refused.problem != "destination-unproven":
                raise
            return ask(token=self.token())

    def token(self) -> str:
        """The one that was delivered last, to whatever destination."""
        token = self.destinations.arrived[-1].event["data"]["token"]
        assert isinstance(token, str)
        return token

    def drop(self, name: str, data: bytes, *, sequencer: str = "") -> DroppedFile:
        """Put a file into the landing zone; returns what its event says."""
        location = f"landing/{name}"
        self.storage.write(location, data, content_type="text/csv")
        return DroppedFile(
            url=self.storage.url(location),
            etag=self.storage.blobs[location].etag,
            size=len(data),
            sequencer=sequencer,
            landed_at=self.clock(),
        )

    def land(self, name: str, data: bytes, *, sequencer: str = "") -> LedgerEntry:
        """Drop a file and let it be judged."""
        return landing.receive(self.backbone, self.drop(name, data, sequencer=sequencer))

    def receipt(self, entry: LedgerEntry) -> dict[str, Any]:
        """What the producer of a drop holds in hand."""
        data: dict[str, Any] = json.loads(self.storage.blobs[entry.receipt].data)
        Draft202012Validator(load("receipts/v1")).validate(data)
        return data

    def events(self, product: ProductId = COUNTRIES) -> list[Mapping[str, Any]]:
        return list(self.backbone.registry.events(product, after=0, limit=1000))

    def updates(self) -> list[int]:
        """The sequences of the updates that were announced."""
        return [int(e["sequence"]) for e in self.events() if e["type"] == PRODUCT_UPDATED]

    def told(self) -> list[int]:
        """Sequences that receivers were told of, in order; the requests are forgotten."""
        found = [int(json.loads(request.body)["sequence"]) for request in self.webhooks.requests]
        self.webhooks.requests.clear()
        return found

    def deliver(self) -> None:
        """Fan out what was published, and make every attempt that is due, until all is quiet."""
        while True:
            for envelope in self.topic.published[self._fanned_out :]:
                self._fanned_out += 1
                fan_out.fan_out(self.backbone, ReceivedEvent.from_cloudevent(envelope))
            due = [
                (lane, message)
                for lane in (QUICK, SLOW)
                for message in self.queues.take(lane)
                if self._hold_if_early(lane, message)
            ]
            if not due and self._fanned_out == len(self.topic.published):
                return
            for lane, message in due:
                told = Notification.from_data(message.body)
                notifications.notify(self.backbone, told, lane=lane)

    def _hold_if_early(self, lane: str, message: Any) -> bool:
        if message.due is None or message.due <= self.clock():
            return True
        self.queues.send(lane, [replace(message, id=f"{message.id}+")])
        return False


@pytest.fixture(scope="session", autouse=True)
def command_built_once() -> Iterator[None]:
    """Typer builds all of a command anew for each call, which takes longer than most calls."""
    from typer import testing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testing, "_get_command", lru_cache(testing._get_command))
        yield


@pytest.fixture
def world() -> World:
    """A mesh in memory with nothing in it."""
    return World()


@pytest.fixture
def countries(world: World) -> World:
    """A mesh in memory with the product `geography/countries`."""
    saga = world.onboard(declaration())
    assert saga.status == "registered", saga.findings
    return world


@pytest.fixture
def declare() -> Callable[..., dict[str, str]]:
    """`declaration`, for tests that vary it."""
    return declaration


@pytest.fixture
def contract_of() -> Callable[..., dict[str, Any]]:
    """`contract`, for tests that vary it."""
    return contract
