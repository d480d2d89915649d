"""What stays of a subscription that was ended."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mesh.model.names import ProductId
from mesh.model.subscription import Subscription


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """What stays, so that nothing of it is ever used again.

    Attributes:
        generation: the last one of its signing secret.
        round: the last one that it was told in; attempts of it are on record.
    """

    id: str
    product: ProductId
    subscriber: str
    generation: int
    round: int = 0

    @classmethod
    def of(cls, subscription: Subscription) -> Ended:
        return cls(
            id=subscription.id,
            product=subscription.product,
            subscriber=subscription.subscriber,
            generation=subscription.generation,
            round=subscription.round,
        )

    def followed_by(self, anew: Subscription) -> Subscription:
        """A subscription of the same id, as it has to begin after this one."""
        unused = self.generation + 1
        if anew.generation < unused:
            anew = replace(anew, generation=unused, made_with=unused, previous_until=None)
        return replace(anew, round=max(anew.round, self.round))
