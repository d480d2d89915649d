"""Subscriptions, in the table `subscriptions`; the PartitionKey is `DOMAIN.PRODUCT`.

    RowKey               holds
    ID                   Subscription
    ~~TYPE:OBJECT:ID     the same, by what it wants

Each method costs one storage transaction, plus one for each further thousand rows it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError
from azure.data.tables import UpdateMode

from mesh.azure.clients import Clients
from mesh.azure.failures import code_of, unavailable
from mesh.azure.rows import FIRST, LAST, between, get, noun, row, row_key, unchanged
from mesh.model.ended import Ended
from mesh.model.events import ReceivedEvent
from mesh.model.interests import Interest, interests, of_event
from mesh.model.names import ProductId
from mesh.model.subscription import Channel, Subscription

if TYPE_CHECKING:
    from azure.data.tables import TableEntity


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
        operations: list[Any] = [("update", whole, {**_REPLACE, **unchanged(before)})]
        operations += [("upsert", row, _REPLACE) for row in copies]
        return self._done(f"Changing subscription {changed.id}", operations)

    def get(self, product: ProductId, subscription: str) -> Subscription | None:
        found = get(self._table, product.key, row_key(subscription))
        return None if found is None else noun(Subscription, found)

    def of_product(self, product: ProductId) -> Sequence[Subscription]:
        found = between(self._table, product.key, FIRST, LAST)
        return [noun(Subscription, entity) for entity in found]

    def wanting(self, event: ReceivedEvent) -> Sequence[Subscription]:
        """See `mesh.ports.Subscriptions.wanting`.

        A few are read at once, in one transaction, whatever they want. Of many, those that are
        found under the event's type and object: up to four transactions more.
        """
        partition = event.product.key
        few = list(between(self._table, partition, FIRST, LAST, limit=FEW + 1))
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
            known = noun(Subscription, entity)
            whole, *copies = _rows(known)
            operations: list[Any] = [("delete", whole, unchanged(entity))]
            operations += [("delete", copy, {}) for copy in copies]
            left = row(product.key, _ended_key(subscription), Ended.of(known))
            operations.append(("upsert", left, _REPLACE))
            if self._done(removing, operations):
                return

    def ended(self, product: ProductId, subscription: str) -> Ended | None:
        found = get(self._table, product.key, _ended_key(subscription))
        return None if found is None else noun(Ended, found)

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
    """Beyond all keys of subscriptions, which are below `LAST`."""
    return f"{LAST}{row_key(*interest)}"


def _ended_key(subscription: str) -> str:
    """Beyond all copies, too: no interest begins with `~~`."""
    return f"{LAST}{LAST}{row_key(subscription)}"
