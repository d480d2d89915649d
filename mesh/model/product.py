"""A data product as the mesh knows it after onboarding."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.model.names import ProductId, major_of, version_order
from mesh.model.template import TemplateUse


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputPort:
    """One way to read a product (ODPS `outputPorts[]`): a contract, and the objects it describes.

    `name` and major version name the port; a new major is a new port that lives beside the old one.
    """

    name: str
    version: str
    contract_id: str
    objects: tuple[str, ...]

    @property
    def major(self) -> int:
        return major_of(self.version)


@dataclass(frozen=True, kw_only=True, slots=True)
class InputPort:
    """What a composite reads (ODPS `inputPorts[]`): the contract of another product's port.

    Attributes:
        version: of the contract that is read; None when any version will do.
    """

    name: str
    product: ProductId
    contract_id: str
    version: str | None = None

    @property
    def major(self) -> int | None:
        return None if self.version is None else major_of(self.version)


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Who answers for a product."""

    name: str
    contact: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DataProduct:
    """What a declaration says about a product, checked.

    Attributes:
        version: of the product (ODPS `version`); free of the versions of its contracts.
        digest: SHA-256 of the declaration's files; the same declaration again changes nothing.
        template: that its infrastructure is deployed from, as the onboarding named it; it holds
            until another is named.
    """

    id: ProductId
    name: str
    version: str
    status: str
    purpose: str
    tags: tuple[str, ...]
    owner: Owner
    output_ports: tuple[OutputPort, ...]
    input_ports: tuple[InputPort, ...]
    digest: str
    template: TemplateUse | None = None

    def is_declared_as(self, other: DataProduct) -> bool:
        """Whether registering `other` would change nothing."""
        return self.digest == other.digest and self.template == other.template

    def port_for(self, *, major: int, object_name: str) -> OutputPort | None:
        """The newest port of `major` that offers `object_name`; None when there is none."""
        candidates = [
            port
            for port in self.output_ports
            if port.major == major and object_name in port.objects
        ]
        return max(candidates, key=lambda port: version_order(port.version), default=None)
