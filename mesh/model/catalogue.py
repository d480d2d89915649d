"""What the catalogue tells of a product to those who look for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mesh.model.names import ProductId


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

    def mentions(self, words: str) -> bool:
        """Whether each of `words` stands somewhere in the entry, whatever its case."""
        parts = (str(self.id), self.name, self.purpose, *self.tags, *self.objects)
        text = " ".join(parts).casefold()
        return all(word in text for word in words.casefold().split())
