"""Addresses of products and ports that say who owns what they name.

    urn:mesh:{domain}:{product}          a product: `id` in its ODPS document
    urn:mesh:{domain}:{product}:{port}   a port: `id` of its contract, in ODCS and in `contractId`

A contract keeps its id through all its versions, and no two domains can claim the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

from mesh.errors import Rejected
from mesh.model.names import SLUG_RULE, ProductId, is_slug

PREFIX = "urn:mesh:"


@dataclass(frozen=True, kw_only=True, slots=True)
class PortAddress:
    """A port of a product, whatever its version."""

    product: ProductId
    port: str

    @classmethod
    def parse(cls, text: str) -> PortAddress:
        """Read `urn:mesh:DOMAIN:PRODUCT:PORT`.

        Raises:
            Rejected: `text` has another form, or one of its names is not allowed.
        """
        parts = text.removeprefix(PREFIX).split(":")
        if not text.startswith(PREFIX) or len(parts) != 3:
            message = f"{text!r} is not the address of a port. Write urn:mesh:DOMAIN:PRODUCT:PORT."
            raise Rejected(message, problem="invalid-name")
        if not is_slug(parts[2]):
            message = f"{parts[2]!r} cannot name a port. A port name has {SLUG_RULE}."
            raise Rejected(message, problem="invalid-name")
        return cls(product=ProductId(domain=parts[0], product=parts[1]), port=parts[2])

    def __str__(self) -> str:
        return f"{self.product.source}:{self.port}"


def parse_product_address(text: str) -> ProductId:
    """Read `urn:mesh:DOMAIN:PRODUCT`.

    Raises:
        Rejected: `text` has another form, or one of its names is not allowed.
    """
    parts = text.removeprefix(PREFIX).split(":")
    if not text.startswith(PREFIX) or len(parts) != 2:
        message = f"{text!r} is not the address of a product. Write urn:mesh:DOMAIN:PRODUCT."
        raise Rejected(message, problem="invalid-name")
    return ProductId(domain=parts[0], product=parts[1])


def without_query(url: str) -> str:
    """What others may know of a webhook's URL: its query may hold a key."""
    shown, query, _ = url.partition("?")
    return f"{shown}?…" if query else shown
