"""What the mesh tells its operators: one trace from a drop to each delivery, metrics, log fields.

names      every name that is emitted, as data: dashboards, alerts and tests read it
hop        what a hop learns about itself while it lasts
hops       spans: a hop continues the trace of its drop, wherever the message has been
counting   metrics; never sampled
binding    the structured fields of what is logged within a hop
setup      where it all goes, read from the environment when the app starts

References and numbers only, never a cell of a file, a file's name, a URL or a secret. Only the
OpenTelemetry API is imported; without an SDK each call here costs some microseconds.
"""

from mesh.telemetry.hop import Hop
from mesh.telemetry.hops import compose, deliver, fan_out, land, notify, onboard, publishing
from mesh.telemetry.setup import configure

__all__ = [
    "Hop",
    "compose",
    "configure",
    "deliver",
    "fan_out",
    "land",
    "notify",
    "onboard",
    "publishing",
]
