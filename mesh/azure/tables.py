"""Catalogue, sagas, templates, subscriptions and deliveries, each in a table of its own.

    table          PartitionKey      RowKey                       holds
    catalogue      products          DOMAIN.PRODUCT               ProductSummary
    onboardings    onboardings       ID                           Onboarding; column `product`
    templates      templates         NAME:VERSION                 Template
    subscriptions  DOMAIN.PRODUCT    ID                           Subscription
                                     ~~TYPE:OBJECT:ID             the same, by what it wants
    deliveries     DOMAIN.PRODUCT    SEQUENCE:SUBSCRIPTION        attempt_001, … (`_attempt_column`)

Each method costs one storage transaction, plus one for each further thousand rows it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import UpdateMode

from mesh.azure.clients import Clients
from mesh.azure.failures import code_of, unavailable
from mesh.azure.rows import (
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
from mesh.model.events import ReceivedEvent, sequence_text
from mesh.model.interests import Interest, interests, of_event
from mesh.model.names import ProductId
from mesh.model.notification import Delivery, RecordedAttempt
from mesh.model.onboarding import Onboarding
from mesh.model.subscription import Channel, Subscription
from mesh.model.template import Template, TemplateName

if TYPE_CHECKING:
    from azure.data.tables import TableEntity

_FIRST, _LAST = "", "~~"
"""Every key of a row lies between these (`row_key`)."""


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
        for entity in between(table, self._PARTITION, _FIRST, _LAST):
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
        found = between(table, self._PARTITION, _FIRST, _LAST, column=column)
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
        for entity in between(self._clients.table("templates"), self._PARTITION, _FIRST, _LAST):
            yield noun(Template, entity)


class TableSubscriptions:
    """`mesh.ports.Subscriptions` on Azure Table storage.

    A subscription has a row, and a copy of it for each of its interests (`mesh.model.interests`),
    in the same partition and changed in the same transaction.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def add(self, subscription: Subscription) -> None:
        operations = [("upsert", row, _REPLACE) for row in _rows(subscription)]
        with unavailable(f"Writing subscription {subscription.id}"):
            self._table.submit_transaction(operations)

    def change(
        self,
        product: ProductId,
        subscription: str,
        decide: Callable[[Subscription], Subscription],
    ) -> Subscription | None:
        key = row_key(subscription)
        while (entity := get(self._table, product.key, key)) is not None:
            found = noun(Subscription, entity)
            changed = decide(found)
            if changed == found or self._replaced(changed, entity):
                return changed
        return None

    def _replaced(self, changed: Subscription, before: TableEntity) -> bool:
        """Whether the rows were replaced, which they are only as long as it is as it was."""
        whole, *copies = _rows(changed)
        operations: list[Any] = [("update", whole, {**_REPLACE, **_unchanged(before)})]
        operations += [("upsert", row, _REPLACE) for row in copies]
        return self._done(f"Changing subscription {changed.id}", operations)

    def get(self, product: ProductId, subscription: str) -> Subscription | None:
        found = get(self._table, product.key, row_key(subscription))
        return None if found is None else noun(Subscription, found)

    def of_product(self, product: ProductId) -> Sequence[Subscription]:
        found = between(self._table, product.key, _FIRST, _LAST)
        return [noun(Subscription, entity) for entity in found]

    def wanting(self, event: ReceivedEvent) -> Sequence[Subscription]:
        """See `mesh.ports.Subscriptions.wanting`.

        A few are read at once, in one transaction, whatever they want. Of many, those that are
        found under the event's type and object: up to four transactions more.
        """
        partition = event.product.key
        few = list(between(self._table, partition, _FIRST, _LAST, limit=FEW + 1))
        if len(few) <= FEW:
            return [noun(Subscription, entity) for entity in few]
        found: dict[str, Subscription] = {}
        for interest in of_event(event):
            start = _copy_key(interest)
            for entity in between(self._table, partition, f"{start}:", f"{start};"):
                wants = noun(Subscription, entity)
                found[wants.id] = wants
        return [found[key] for key in sorted(found)]

    def remove(self, product: ProductId, subscription: str) -> None:
        removing = f"Removing subscription {subscription}"
        key = row_key(subscription)
        while (entity := get(self._table, product.key, key, doing=removing)) is not None:
            whole, *copies = _rows(noun(Subscription, entity))
            operations: list[Any] = [("delete", whole, _unchanged(entity))]
            operations += [("delete", row, {}) for row in copies]
            if self._done(removing, operations):
                return

    def _done(self, doing: str, operations: list[Any]) -> bool:
        """Whether a transaction went through; not when somebody else was faster."""
        with unavailable(doing):
            try:
                self._table.submit_transaction(operations)
            except HttpResponseError as failure:
                if code_of(failure) not in _FASTER:
                    raise
                return False
        return True

    @property
    def _table(self) -> Any:
        return self._clients.table("subscriptions")


FEW = 200
"""Subscriptions to a product that are read whatever they want."""

_REPLACE: Mapping[str, Any] = {"mode": UpdateMode.REPLACE}
_FASTER = {
    "UpdateConditionNotSatisfied",
    "ConditionNotMet",
    "ResourceNotFound",
    "EntityNotFound",
}


def _rows(subscription: Subscription) -> list[dict[str, Any]]:
    """The row of a subscription, and its copies."""
    partition, key = subscription.product.key, row_key(subscription.id)
    is_pulled = subscription.channel is Channel.PULL  # the broker fans out for it
    wanted = () if is_pulled else sorted(interests(subscription.filter))
    return [
        row(partition, key, subscription),
        *(row(partition, f"{_copy_key(one)}:{key}", subscription) for one in wanted),
    ]


def _copy_key(interest: Interest) -> str:
    """Beyond all keys of subscriptions, which are below `_LAST`."""
    return f"{_LAST}{row_key(*interest)}"


def _unchanged(before: TableEntity) -> dict[str, Any]:
    return {"etag": before.metadata["etag"], "match_condition": MatchConditions.IfNotModified}


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
