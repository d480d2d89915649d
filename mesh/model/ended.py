"""What stays of a subscription that was ended."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.model.names import ProductId
from mesh.model.subscription import Subscription


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """What stays, so that nothing of it is ever used again.

    Attributes:
        generation: the last one of its signing secret.
    """

    id: str
    product: ProductId
    subscriber: str
    generation: int

    @classmethod
    def of(cls, subscription: Subscription) -> Ended:
        return cls(
            id=subscription.id,
            product=subscription.product,
            subscriber=subscription.subscriber,
            generation=subscription.generation,
        )
