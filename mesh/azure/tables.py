"""Catalogue, sagas, templates and deliveries, each in a table of its own.

    table          PartitionKey      RowKey                       holds
    catalogue      products          DOMAIN.PRODUCT               ProductSummary
    onboardings    onboardings       ID                           Onboarding; column `product`
    templates      templates         NAME:VERSION                 Template
    deliveries     DOMAIN.PRODUCT    SEQUENCE:SUBSCRIPTION        attempt_001, … (`_attempt_column`)

Each method costs one storage transaction, plus one for each further thousand rows it reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import UpdateMode

from mesh.azure.clients import Clients
from mesh.azure.failures import code_of, unavailable
from mesh.azure.rows import (
    FIRST,
    LAST,
    between,
    check_row,
    from_json,
    get,
    noun,
    row,
    row_key,
    to_json,
    under,
)
from mesh.errors import Conflict
from mesh.model.catalogue import ProductSummary
from mesh.model.events import sequence_text
from mesh.model.names import ProductId
from mesh.model.notification import Delivery, RecordedAttempt
from mesh.model.onboarding import Onboarding
from mesh.model.template import Template, TemplateName


class TableCatalogue:
    """`mesh.ports.Catalogue` on Azure Table storage."""

    _PARTITION = "products"

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def put(self, summary: ProductSummary) -> None:
        entity = row(self._PARTITION, row_key(summary.id.key), summary)
        with unavailable(f"Writing {summary.id} into the catalogue"):
            self._clients.table("catalogue").upsert_entity(entity, mode=UpdateMode.REPLACE)

    def products(self) -> Iterator[ProductSummary]:
        table = self._clients.table("catalogue")
        for entity in between(table, self._PARTITION, FIRST, LAST):
            yield noun(ProductSummary, entity)


class TableOnboardings:
    """`mesh.ports.Onboardings` on Azure Table storage."""

    _PARTITION = "onboardings"

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def get(self, onboarding: str) -> Onboarding | None:
        found = get(self._clients.table("onboardings"), self._PARTITION, row_key(onboarding))
        return None if found is None else _saga(found)

    def put(self, onboarding: Onboarding) -> None:
        product = "" if onboarding.product is None else onboarding.product.key
        key, content = row_key(onboarding.id), replace(onboarding, etag=None)
        entity = row(self._PARTITION, key, content, product=product)
        table = self._clients.table("onboardings")
        with unavailable(f"Writing onboarding {onboarding.id}"):
            try:
                if onboarding.etag is None:
                    table.create_entity(entity)
                else:
                    condition = {"match_condition": MatchConditions.IfNotModified}
                    table.update_entity(
                        entity, mode=UpdateMode.REPLACE, etag=onboarding.etag, **condition
                    )
            except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError) as failure:
                if code_of(failure) == "TableNotFound":
                    raise
                message = f"Onboarding {onboarding.id} was changed by another writer."
                raise Conflict(message) from None

    def of_product(self, product: ProductId) -> Sequence[Onboarding]:
        table, column = self._clients.table("onboardings"), ("product", product.key)
        found = between(table, self._PARTITION, FIRST, LAST, column=column)
        return [_saga(entity) for entity in found]


class TableTemplates:
    """`mesh.ports.Templates` on Azure Table storage."""

    _PARTITION = "templates"

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def add(self, template: Template) -> Template:
        entity = row(self._PARTITION, _template_key(template.id), template)
        with unavailable(f"Writing template {template.id}"):
            try:
                self._clients.table("templates").create_entity(entity)
            except ResourceExistsError:  # and there it stays: no template is ever removed
                return self.get(template.id) or template
        return template

    def get(self, name: TemplateName) -> Template | None:
        found = get(self._clients.table("templates"), self._PARTITION, _template_key(name))
        return None if found is None else noun(Template, found)

    def all(self) -> Iterator[Template]:
        for entity in between(self._clients.table("templates"), self._PARTITION, FIRST, LAST):
            yield noun(Template, entity)


class TableDeliveries:
    """`mesh.ports.Deliveries` on Azure Table storage.

    An attempt is a property of its own, merged into the row: no read, no lost update.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def get(self, product: ProductId, sequence: int, subscription: str) -> Delivery | None:
        key = row_key(sequence_text(sequence), subscription)
        found = get(self._table, product.key, key)
        return None if found is None else _delivery(found)

    def record(self, attempt: RecordedAttempt) -> None:
        entity = {
            "PartitionKey": attempt.product.key,
            "RowKey": row_key(sequence_text(attempt.sequence), attempt.subscription),
            _attempt_column(attempt): to_json(attempt),
        }
        check_row(entity)
        with unavailable(f"Recording attempt {attempt.number} of {entity['RowKey']}"):
            self._table.upsert_entity(entity, mode=UpdateMode.MERGE)

    def of_event(self, product: ProductId, sequence: int) -> Sequence[Delivery]:
        found = under(self._table, product.key, sequence_text(sequence))
        return [_delivery(entity) for entity in found]

    @property
    def _table(self) -> Any:
        return self._clients.table("deliveries")


def _saga(entity: Any) -> Onboarding:
    return replace(noun(Onboarding, entity), etag=entity.metadata["etag"])


def _template_key(name: TemplateName) -> str:
    return row_key(name.name, name.version)


def _attempt_column(attempt: RecordedAttempt) -> str:
    """Columns in the order of attempts; a replay's come after those of the first telling."""
    replayed = f"r{attempt.round:05d}_" if attempt.round else ""
    return f"attempt_{replayed}{attempt.number:03d}"


def _delivery(entity: Mapping[str, Any]) -> Delivery:
    names = sorted(name for name in entity if name.startswith("attempt_"))
    what = f"The delivery {entity['RowKey']!r} of {entity['PartitionKey']!r}"
    attempts = tuple(from_json(RecordedAttempt, entity[name], what=what) for name in names)
    return Delivery(
        subscription=attempts[0].subscription,
        subscriber=attempts[0].subscriber,
        channel=attempts[0].channel,
        attempts=attempts,
    )
