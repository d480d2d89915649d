"""What no message tells: how old each product is, and what waits or was given up.

It costs one query for all products and two for each, and four requests to Service Bus.
"""

from __future__ import annotations

from mesh import outbox
from mesh.backbone import Backbone
from mesh.model.dropped_file import UNPLACED
from mesh.model.names import ProductId
from mesh.rounds import full_round
from mesh.telemetry import counting
from mesh.telemetry.names import DEAD_LETTERS, OUTBOX_BACKLOG, PRODUCT_AGE


def read(backbone: Backbone) -> None:
    """Read the gauges and tell them; a product's trouble is raised once the others are read."""
    with full_round("some products' gauges could not be read") as turn:
        for product in (UNPLACED, *(summary.id for summary in backbone.catalogue.products())):
            with turn():
                _of_product(backbone, product)
        for queue, dead in backbone.queues.dead_letters().items():
            counting.gauge(DEAD_LETTERS, dead, None, queue=queue)


def _of_product(backbone: Backbone, product: ProductId) -> None:
    waiting = backbone.registry.outbox(product, limit=outbox.BATCH)
    counting.gauge(OUTBOX_BACKLOG, len(waiting), product)
    landed = [snapshot.landed_at for snapshot in backbone.registry.snapshots(product)]
    if landed:
        age = (backbone.now() - max(landed)).total_seconds()
        counting.gauge(PRODUCT_AGE, age, product)
