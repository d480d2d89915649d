"""What the broker holds for a pull subscription follows from the record, whoever changes that."""

from __future__ import annotations

from mesh.backbone import Backbone
from mesh.model.names import ProductId
from mesh.model.subscription import State, Subscription


def follow(backbone: Backbone, product: ProductId, identity: str, name: str) -> None:
    """Let there be a topic subscription as long as there is one on record that is not barred.

    Called after the record was changed. Of those who change it at the same time, whoever comes last
    finds it as it is then; so nothing goes on collecting events for nobody, nor beyond an
    agreement's end.

    Args:
        name: of the topic subscription.
    """
    while True:
        wants = _on_record(backbone, product, identity)
        if wants is None:
            backbone.pull.delete(name)
        else:
            backbone.pull.create(name, product=product, wanted=wants.filter)
        if (_on_record(backbone, product, identity) is None) == (wants is None):
            return


def _on_record(backbone: Backbone, product: ProductId, identity: str) -> Subscription | None:
    found = backbone.subscriptions.get(product, identity)
    return None if found is None or found.state is State.BARRED else found
