"""What domains claim as their own.

Table `claims`, PartitionKey DOMAIN, RowKey CHANNEL:RESOURCE, holds `Claim`.
"""

from __future__ import annotations

from collections.abc import Callable

from azure.core.exceptions import (
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, TableEntity, UpdateMode

from mesh.azure.clients import Clients
from mesh.azure.failures import code_of, unavailable
from mesh.azure.rows import get, noun, row, row_key, unchanged
from mesh.model.claim import Claim
from mesh.model.subscription import Channel


class TableClaims:
    """`mesh.ports.Claims` on Azure Table storage; a method costs one transaction, a change two."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def get(self, domain: str, channel: Channel, resource: str) -> Claim | None:
        found = get(self._table, domain, row_key(channel, resource))
        return None if found is None else noun(Claim, found)

    def change(
        self, domain: str, channel: Channel, resource: str, decide: Callable[[Claim], Claim]
    ) -> Claim:
        while True:
            before = get(self._table, domain, row_key(channel, resource))
            if before is None:
                found = Claim(domain=domain, channel=channel, resource=resource)
            else:
                found = noun(Claim, before)
            changed = decide(found)
            if changed == found or self._written(changed, before):
                return changed

    def _written(self, claim: Claim, before: TableEntity | None) -> bool:
        """Whether it was; not when somebody else was faster."""
        entity = row(claim.domain, row_key(claim.channel, claim.resource), claim)
        with unavailable(f"Writing the claim of {claim.domain} to {claim.resource}"):
            try:
                if before is None:
                    self._table.create_entity(entity)
                else:
                    self._table.update_entity(entity, mode=UpdateMode.REPLACE, **unchanged(before))
            except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError) as failure:
                if code_of(failure) == "TableNotFound":
                    raise
                return False
        return True

    @property
    def _table(self) -> TableClient:
        return self._clients.table("claims")
