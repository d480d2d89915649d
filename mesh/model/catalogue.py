"""What the catalogue tells of a product to those who look for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mesh.model.names import ProductId
from mesh.model.product import DataProduct


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductSummary:
    """A catalogue entry.

    Attributes:
        ports: `NAME:VERSION` of each output port.
        objects: `vMAJOR/OBJECT` of each object that can be dropped and read.
    """

    id: ProductId
    name: str
    purpose: str
    version: str
    status: str
    owner: str
    tags: tuple[str, ...]
    ports: tuple[str, ...]
    objects: tuple[str, ...]
    onboarded_at: datetime

    @classmethod
    def of(cls, product: DataProduct, onboarded_at: datetime) -> ProductSummary:
        """What is told of a product."""
        ports = product.output_ports
        return cls(
            id=product.id,
            name=product.name,
            purpose=product.purpose,
            version=product.version,
            status=product.status,
            owner=product.owner.name,
            tags=product.tags,
            ports=tuple(f"{port.name}:{port.version}" for port in ports),
            objects=tuple(f"v{port.major}/{name}" for port in ports for name in port.objects),
            onboarded_at=onboarded_at,
        )

    def mentions(self, words: str) -> bool:
        """Whether each of `words` stands somewhere in the entry, whatever its case."""
        parts = (str(self.id), self.name, self.purpose, *self.tags, *self.objects)
        text = " ".join(parts).casefold()
        return all(word in text for word in words.casefold().split())
