"""Event Grid for one machine: custom and system topics, filters, deliveries, retries, dead letters.

`EventGrid` runs it inside a process, `python -m local.event_grid` as a part of the local Azure.
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
