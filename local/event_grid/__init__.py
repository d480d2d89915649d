"""Event Grid for one machine: custom and system topics, filters, deliveries, retries, dead letters.

`EventGrid` runs it inside a process, `python -m local.event_grid` as a part of the local Azure.
What differs from Azure, knowingly:

- Everything is plain HTTP on loopback. A bearer token is not checked: there is no Entra ID.
- A webhook of the topology file that does not agree is asked again every five seconds, since on one
  machine it often starts later. One that is created at run time must agree, as in Azure.
- An event that was never tried, because Event Grid was not running, is tried however old it is.
- No probation: a failing endpoint delays its own retries, not new events.
- No `SubscriptionDeleted` event, no domains, partner topics or namespaces. Destinations are Service
  Bus queues and topics, webhooks and storage queues; one storage account stands for all.
- The texts of refusals follow Azure's where they are known; the dead-letter reasons for 401, 403
  and 413 are formed like the known one for 400.
"""

from local.event_grid.access import DEVELOPMENT_KEY
from local.event_grid.clock import Clock, ManualClock, SystemClock
from local.event_grid.grid import EventGrid
from local.event_grid.topology import Topology, load_topology, read_topology

__all__ = [
    "DEVELOPMENT_KEY",
    "Clock",
    "EventGrid",
    "ManualClock",
    "SystemClock",
    "Topology",
    "load_topology",
    "read_topology",
]
