"""Names that become paths, table keys and entity names, and are therefore checked once, here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mesh.errors import Rejected

_SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
_OBJECT = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})", re.ASCII)

SLUG_RULE = "2 to 40 characters: lower-case letters, digits and single hyphens, a letter first"
OBJECT_RULE = "1 to 60 characters: letters, digits, hyphens and underscores, a letter first"
VERSION_RULE = "a semantic version of three numbers, such as 1.0.0"


def is_slug(text: str) -> bool:
    """Whether `text` can name a domain, a product or an output port (`SLUG_RULE`)."""
    return 2 <= len(text) <= 40 and _SLUG.fullmatch(text) is not None


def is_object_name(text: str) -> bool:
    """Whether `text` can name a schema object of a contract (`OBJECT_RULE`)."""
    return len(text) <= 60 and _OBJECT.fullmatch(text) is not None


def major_of(version: str) -> int:
    """The major number of a semantic version: `2` of `2.1.0`.

    Raises:
        Rejected: `version` is not of the form MAJOR.MINOR.PATCH.
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        message = f"{version!r} is not {VERSION_RULE}."
        raise Rejected(message, problem="invalid-version")
    return int(found[1])


def version_order(version: str) -> tuple[int, ...]:
    """What orders versions: the numbers of a version that `major_of` takes."""
    return tuple(int(part) for part in version.split("."))


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class ProductId:
    """A product's address: the domain that owns it, and its name within that domain."""

    domain: str
    product: str

    def __post_init__(self) -> None:
        for kind, name in (("domain", self.domain), ("product", self.product)):
            if not is_slug(name):
                message = f"{name!r} cannot name a {kind}. A {kind} name has {SLUG_RULE}."
                raise Rejected(message, problem="invalid-name")

    @classmethod
    def parse(cls, text: str) -> ProductId:
        """Read `DOMAIN/PRODUCT`.

        Raises:
            Rejected: `text` has another form, or one of its names is not allowed.
        """
        domain, slash, product = text.partition("/")
        if not slash:
            message = f"{text!r} is not a product's address. Write it as DOMAIN/PRODUCT."
            raise Rejected(message, problem="invalid-name")
        return cls(domain=domain, product=product)

    @property
    def key(self) -> str:
        """`domain.product`: the partition of the record that holds everything about the product."""
        return f"{self.domain}.{self.product}"

    @property
    def source(self) -> str:
        """`urn:mesh:domain:product`: the CloudEvents `source` of its events."""
        return f"urn:mesh:{self.domain}:{self.product}"

    def __str__(self) -> str:
        return f"{self.domain}/{self.product}"
