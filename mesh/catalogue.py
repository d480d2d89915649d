"""Find products, and see what there is to know about one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mesh.backbone import Backbone
from mesh.errors import NotFound
from mesh.model.catalogue import ProductSummary
from mesh.model.names import ProductId
from mesh.model.notice import Notice
from mesh.model.product import DataProduct, OutputPort
from mesh.model.record import ContractEntry, Head, Snapshot
from mesh.model.subscription_events import is_own_stream


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductPage:
    """A product with its published contracts and the last good version of each object.

    Attributes:
        notices: of the ports that are on their way out.
    """

    product: DataProduct
    contracts: Sequence[ContractEntry]
    snapshots: Sequence[Snapshot]
    notices: Sequence[Notice]

    def notice_of(self, port: OutputPort) -> Notice | None:
        """The notice of a port; None when none was given."""
        return next((one for one in self.notices if one.key == (port.name, port.major)), None)


def search(backbone: Backbone, *, words: str = "", limit: int) -> list[ProductSummary]:
    """The products whose entry mentions each of `words`, in the order of their addresses."""
    found: list[ProductSummary] = []
    for summary in backbone.catalogue.products():
        if len(found) == limit:
            break
        if summary.mentions(words):
            found.append(summary)
    return found


def page(backbone: Backbone, product: ProductId) -> ProductPage:
    """All there is to know about a product.

    Raises:
        NotFound: there is none at this address.
    """
    return ProductPage(
        product=find_product(backbone, product),
        contracts=backbone.registry.contracts(product),
        snapshots=backbone.registry.snapshots(product),
        notices=backbone.registry.notices(product),
    )


def find_stream(backbone: Backbone, product: ProductId) -> Head:
    """The head of what has events: a product, or what a domain is told of its own subscriptions.

    Raises:
        NotFound: there is no such product.
    """
    return (
        backbone.registry.head(product) if is_own_stream(product) else find_head(backbone, product)
    )


def find_product(backbone: Backbone, product: ProductId) -> DataProduct:
    """An onboarded product.

    Raises:
        NotFound: there is none at this address.
    """
    found = find_head(backbone, product).product
    assert found is not None  # `find_head` has seen it
    return found


def find_head(backbone: Backbone, product: ProductId) -> Head:
    """The head of an onboarded product's record.

    Raises:
        NotFound: there is none at this address.
    """
    head = backbone.registry.head(product)
    if head.product is None:
        message = f"There is no product {product}. `mesh products` lists those there are."
        raise NotFound(message, problem="unknown-product")
    return head
