"""What the verbs need of the world; `mesh.azure` and `mesh.memory` supply it.

Every method that reaches out may raise `Unavailable`. Nothing else of an SDK comes through.
"""

from mesh.ports.keeping import (
    Audit,
    Catalogue,
    Claims,
    Deliveries,
    Onboardings,
    Registry,
    Subscriptions,
    Templates,
)
from mesh.ports.messaging import DeadLetters, Message, PullSubscriptions, Queues, Topic
from mesh.ports.storage import Gone, Storage, Writer
from mesh.ports.telling import Asides, Destinations, Parcel, Webhooks

__all__ = [
    "Asides",
    "Audit",
    "Catalogue",
    "Claims",
    "DeadLetters",
    "Deliveries",
    "Destinations",
    "Gone",
    "Message",
    "Onboardings",
    "Parcel",
    "PullSubscriptions",
    "Queues",
    "Registry",
    "Storage",
    "Subscriptions",
    "Templates",
    "Topic",
    "Webhooks",
    "Writer",
]
