"""The audit log, in the table `audit`: one partition per log, one row per entry, only ever added.

The RowKey counts down, so that the newest comes first. Whoever adds reads the newest and creates
the row after it: of two at the same time one finds it there, and tries again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from azure.core.exceptions import ResourceExistsError

from mesh.azure.clients import Clients
from mesh.azure.failures import unavailable
from mesh.azure.rows import between, noun, row, row_key
from mesh.errors import Conflict
from mesh.model.audit import AuditEntry, Deed, following

TABLE = "audit"
ATTEMPTS = 20
_LAST = 10**12 - 1


class TableAudit:
    """`mesh.ports.Audit` on Azure Table storage."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def append(self, deed: Deed) -> AuditEntry:
        table = self._clients.table(TABLE)
        for attempt in range(ATTEMPTS):
            newest = self.entries(deed.log, limit=1)
            entry = following(newest[0] if newest else None, deed)
            key = f"{_LAST - entry.number:012d}"
            with unavailable(f"Writing the audit log of {deed.log}"):
                try:
                    table.create_entity(row(row_key(deed.log), key, entry))
                except ResourceExistsError:
                    time.sleep(random.uniform(0, 0.01 * attempt))  # noqa: S311 - it spreads load
                else:
                    return entry
        message = f"Others wrote into the audit log of {deed.log} faster, {ATTEMPTS} times."
        raise Conflict(message)

    def entries(self, log: str, *, limit: int) -> Sequence[AuditEntry]:
        table = self._clients.table(TABLE)
        found = between(table, row_key(log), "0", ":", limit=limit)
        return [noun(AuditEntry, entity) for entity in found]
