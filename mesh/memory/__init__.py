"""What the mesh needs of the world, in memory: for tests, and for trying things without storage.

The promises are those of `mesh.ports`, conflicts and versions included; one suite of tests holds
both these and the Azure adapters to them. Everything is thread-safe and gone with the process.
`mesh.backbone.in_memory` puts all of it together.
"""

from __future__ import annotations

from mesh.memory.messaging import (
    Asides,
    DeadLetters,
    Destinations,
    PullSubscriptions,
    Queues,
    Topic,
    Webhooks,
)
from mesh.memory.registry import Registry
from mesh.memory.storage import Storage
from mesh.memory.tables import (
    Audit,
    Catalogue,
    Claims,
    Deliveries,
    Onboardings,
    Subscriptions,
    Templates,
)

__all__ = [
    "Asides",
    "Audit",
    "Catalogue",
    "Claims",
    "DeadLetters",
    "Deliveries",
    "Destinations",
    "Onboardings",
    "PullSubscriptions",
    "Queues",
    "Registry",
    "Storage",
    "Subscriptions",
    "Templates",
    "Topic",
    "Webhooks",
]
