"""Who is calling, and for which domains they may act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mesh.model.names import is_slug

ANY_DOMAIN = "*"
"""In a grant, and in the name of an app role: every domain, for a platform's own people."""


class Role(StrEnum):
    """What somebody may do for a domain; `OPS` is of no domain, and runs the mesh itself."""

    PRODUCER = "producer"
    CONSUMER = "consumer"
    OWNER = "owner"
    OPS = "ops"


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Somebody whom Microsoft Entra knows: a person, a service principal, a managed identity.

    Attributes:
        id: object id, which never changes and is never used again.
        name: for people to read; nothing is decided by it.
        app: id of the application that the principal is; empty for a person, whatever they use.
        groups: object ids of groups.
        app_roles: roles of the mesh's own app registration, which Entra assigned.
    """

    id: str
    name: str
    app: str = ""
    groups: frozenset[str] = frozenset()
    app_roles: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What the policy lets somebody do: exactly one of the first four says whom.

    Attributes:
        domain: the domain it is about; empty for the role `ops`, which is about none.
    """

    object_id: str = ""
    app_id: str = ""
    group: str = ""
    app_role: str = ""
    domain: str = ""
    roles: frozenset[Role]

    def is_for(self, principal: Principal) -> bool:
        return (
            (self.object_id != "" and self.object_id == principal.id)
            or (self.app_id != "" and self.app_id == principal.app)
            or (self.group != "" and self.group in principal.groups)
            or (self.app_role != "" and self.app_role in principal.app_roles)
        )

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Grant:
        """Read an entry of `access.grants` in `policy.json`.

        Raises:
            ValueError: it names nobody or several, no domain, or an unknown role.
        """
        whom = {"object_id", "app_id", "group", "app_role"}
        named = [key for key in whom if data.get(key)]
        unknown = sorted(set(data) - whom - {"domain", "roles"})
        roles = frozenset(Role(role) for role in data["roles"])
        domain = str(data.get("domain", ""))
        if len(named) != 1 or unknown or not roles:
            message = f"a grant names one of {', '.join(sorted(whom))}, and roles: {dict(data)}"
            raise ValueError(message)
        if (roles == {Role.OPS}) != (domain == "") or (Role.OPS in roles and domain):
            message = f"the role ops is of no domain, and each other of one: {dict(data)}"
            raise ValueError(message)
        if domain and domain != ANY_DOMAIN and not is_slug(domain):
            message = f"{domain!r} cannot name a domain"
            raise ValueError(message)
        return cls(domain=domain, roles=roles, **{named[0]: str(data[named[0]])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """A principal, and what it may do.

    Attributes:
        held: domains by role; `ANY_DOMAIN` among them stands for all.
        is_ops: whether it runs the mesh itself.
    """

    principal: Principal
    held: Mapping[Role, frozenset[str]] = field(default_factory=dict)
    is_ops: bool = False

    @property
    def is_stranger(self) -> bool:
        """Whether the mesh has given it nothing to do."""
        return not (self.is_ops or any(self.held.values()))

    def holds(self, roles: Iterable[Role], domain: str) -> bool:
        """Whether it has one of these roles for the domain."""
        return any(self.held.get(role, frozenset()) & {domain, ANY_DOMAIN} for role in roles)

    def holds_anywhere(self, roles: Iterable[Role]) -> bool:
        """Whether it has one of these roles for some domain."""
        return any(self.held.get(role) for role in roles)


def caller_of(principal: Principal, grants: Iterable[Grant]) -> Caller:
    """What a principal may do: by app roles named `DOMAIN.ROLE` or `ops`, and by the policy."""
    held: dict[Role, set[str]] = {}
    is_ops = Role.OPS in principal.app_roles
    for name in principal.app_roles:
        domain, _, role = name.rpartition(".")
        if role in _OF_A_DOMAIN and (domain == ANY_DOMAIN or is_slug(domain)):
            held.setdefault(Role(role), set()).add(domain)
    for grant in grants:
        if grant.is_for(principal):
            is_ops = is_ops or Role.OPS in grant.roles
            for one in grant.roles - {Role.OPS}:
                held.setdefault(one, set()).add(grant.domain)
    frozen = {role: frozenset(domains) for role, domains in held.items()}
    return Caller(principal=principal, held=frozen, is_ops=is_ops)


_OF_A_DOMAIN = frozenset({Role.PRODUCER, Role.CONSUMER, Role.OWNER})
