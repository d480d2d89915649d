"""A data product as the mesh knows it after onboarding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mesh.model.names import ProductId, major_of, version_order
from mesh.model.template import TemplateUse
from mesh.model.timestamps import rfc3339

PortKey = tuple[str, int]
"""Name, and major version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deprecation:
    """That an output port is on its way out, as its events say (`to_attributes`).

    Attributes:
        sunset: when it ends; None when that is not decided. It is never moved to an earlier time.
        migration: URL of what tells how to move.
        since: when consumers were told; the registration says it.
        retired_at: when it has ended; what lands there from then on is refused.
    """

    sunset: datetime | None = None
    migration: str | None = None
    since: datetime | None = None
    retired_at: datetime | None = None

    def to_attributes(self) -> dict[str, Any]:
        """The attributes of CloudEvents' deprecation extension.

        https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/deprecation.md
        """
        attributes: dict[str, Any] = {"deprecated": True}
        if self.since is not None:
            attributes["deprecationfrom"] = rfc3339(self.since)
        if self.sunset is not None:
            attributes["deprecationsunset"] = rfc3339(self.sunset)
        if self.migration is not None:
            attributes["deprecationmigration"] = self.migration
        return attributes


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputPort:
    """One way to read a product (ODPS `outputPorts[]`): a contract, and the objects it describes.

    `name` and major version name the port; a new major is a new port that lives beside the old one.
    """

    name: str
    version: str
    contract_id: str
    objects: tuple[str, ...]
    deprecation: Deprecation | None = None

    @property
    def major(self) -> int:
        return major_of(self.version)

    @property
    def retired_at(self) -> datetime | None:
        """When it ended; None while it lives."""
        return None if self.deprecation is None else self.deprecation.retired_at


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

    def deprecation_of(self, told: Mapping[str, Any]) -> Deprecation | None:
        """Of the port that an event's data is about; None when it is about none, or it stays."""
        contract = told.get("contract")
        major = told.get("major") or (major_of(contract["version"]) if contract else None)
        found = (
            port.deprecation
            for port in self.output_ports
            if (port.name, port.major) == (told.get("port"), major)
        )
        return next(found, None)

    @property
    def newest_ports(self) -> dict[PortKey, OutputPort]:
        """Each major version of each output port, in its newest version."""
        ordered = sorted(self.output_ports, key=lambda port: version_order(port.version))
        return {(port.name, port.major): port for port in ordered}

    def living_places(self, port: str) -> list[str]:
        """Where files of an output port still land, each `vMAJOR/OBJECT`."""
        return sorted(
            f"v{one.major}/{name}"
            for one in self.output_ports
            if one.name == port and one.retired_at is None
            for name in one.objects
        )

    def port_for(self, *, major: int, object_name: str) -> OutputPort | None:
        """The newest port of `major` that offers `object_name`; None when there is none."""
        candidates = [
            port
            for port in self.output_ports
            if port.major == major and object_name in port.objects
        ]
        return max(candidates, key=lambda port: version_order(port.version), default=None)
