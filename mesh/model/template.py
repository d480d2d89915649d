"""An organisation's own templates of infrastructure, and the security profiles they satisfy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from mesh.errors import Rejected
from mesh.model.names import SLUG_RULE, is_slug, major_of

UNCLASSIFIED = "unclassified"
"""What a field without a classification counts as."""

Network = Literal["public", "private_endpoint"]
Encryption = Literal["platform_key", "customer_key"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SecurityProfile:
    """What infrastructure has to offer to hold data of some classifications (`policy.json`).

    Attributes:
        classifications: of fields, in lower case; each belongs to one profile.
        retention_days: how long data is kept at most.
        readers, writers: groups with access, by names in which `{domain}` stands for the domain.
    """

    name: str
    classifications: tuple[str, ...]
    network: Network
    encryption: Encryption
    retention_days: int
    readers: str
    writers: str


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class TemplateName:
    """A template in one version; written `NAME@VERSION`."""

    name: str
    version: str

    def __post_init__(self) -> None:
        if not is_slug(self.name):
            message = f"{self.name!r} cannot name a template. A template's name has {SLUG_RULE}."
            raise Rejected(message, problem="invalid-name")
        major_of(self.version)

    @classmethod
    def parse(cls, text: str) -> TemplateName:
        """Read `NAME@VERSION`.

        Raises:
            Rejected: `text` has another form, or its name or version is not allowed.
        """
        name, at, version = text.partition("@")
        if not at:
            message = f"{text!r} names no template. Write it as NAME@VERSION."
            raise Rejected(message, problem="invalid-name")
        return cls(name=name, version=version)

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """What a template has to be told when it is deployed."""

    name: str
    description: str
    required: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A module of Bicep or Terraform, as somebody registered it; its version never changes.

    Attributes:
        source: where the module is, for people and pipelines; nothing here reads it.
        satisfies: names of the profiles that whoever registered it says it satisfies.
    """

    id: TemplateName
    kind: Literal["bicep", "terraform"]
    description: str
    source: str
    parameters: tuple[Parameter, ...]
    satisfies: tuple[str, ...]
    registered_by: str
    registered_at: datetime

    def says_the_same(self, other: Template) -> bool:
        """Whether both are one template, whoever registered it, when, and in which order."""
        mine, others = (
            (
                (one.id, one.kind, one.description, one.source, one.satisfies),
                frozenset(one.parameters),
            )
            for one in (self, other)
        )
        return mine == others


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiver:
    """That a product is deployed from a template which does not satisfy all it has to.

    Attributes:
        by: who asks for it.
        profiles: that the template does not satisfy, once they are known.
        granted_by: who granted it; empty while nobody has.
        until: when it ends; None while nobody has granted it.
    """

    reason: str
    by: str
    profiles: tuple[str, ...] = ()
    granted_by: str = ""
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it is granted, and has not ended."""
        return self.until is not None and at < self.until


@dataclass(frozen=True, kw_only=True, slots=True)
class WaiverPolicy:
    """Who grants waivers, and for how long: `security.waivers` in `policy.json`.

    Attributes:
        granted_by: `ops`, those who run the mesh, or a domain whose owners do. What that domain
            asks for itself, ops grant.
    """

    granted_by: str = "ops"
    lifetime: timedelta = timedelta(days=180)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> WaiverPolicy:
        """Read `security.waivers` of `policy.json`.

        Raises:
            ValueError: it names what cannot be a domain, or days that are none.
        """
        granted_by, days = str(data["granted_by"]), int(data["days"])
        if not is_slug(granted_by):
            message = f"security.waivers.granted_by is {granted_by!r}: `ops`, or a domain's name"
            raise ValueError(message)
        if days < 1:
            message = f"security.waivers.days is {days}; a waiver lasts 1 day or more"
            raise ValueError(message)
        return cls(granted_by=granted_by, lifetime=timedelta(days=days))


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplateUse:
    """The template that a product's infrastructure is deployed from."""

    template: TemplateName
    waiver: Waiver | None = None

    def covers(self, other: TemplateUse) -> bool:
        """Whether `other` waives nothing that this one does not, for the same reason."""
        if other.waiver is None:
            return True
        return (
            self.template == other.template
            and self.waiver is not None
            and self.waiver.reason == other.waiver.reason
            and set(other.waiver.profiles) <= set(self.waiver.profiles)
        )


def profiles_of(
    profiles: Collection[SecurityProfile], classifications: Collection[str]
) -> Mapping[str, SecurityProfile | None]:
    """The profile that each classification asks for; None where the policy has none for it."""
    return {
        name: next((one for one in profiles if name in one.classifications), None)
        for name in sorted(classifications)
    }
