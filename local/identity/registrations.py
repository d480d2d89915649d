"""Which applications there are, and which roles of the API each has."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.process import LocalError

TENANT = "10ca1000-0000-4000-8000-000000000000"
"""The one directory there is. Object ids derive from it, so they are the same everywhere."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """An application that may have a token.

    Attributes:
        app_id, object_id: as the directory would have made them up.
        roles: of the API that tokens are for.
    """

    name: str
    app_id: str
    object_id: str
    roles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Registrations:
    """What tokens are for, and who may have one.

    Attributes:
        audience: of tokens; a client asks for the scope `AUDIENCE/.default`.
        roles: of each application by name; `*` is any other one, and `{client}` in its roles the
            name of that.
    """

    audience: str
    roles: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, path: Path) -> Registrations:
        """Read `{"audience": …, "applications": {NAME: {"roles": […]}}}`.

        Raises:
            LocalError: it cannot be read, or is of another form.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            roles = {
                str(name): tuple(str(role) for role in entry["roles"])
                for name, entry in data["applications"].items()
            }
            return cls(audience=str(data["audience"]), roles=roles)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as wrong:
            message = (
                f"{path} cannot be read as registrations ({type(wrong).__name__}: {wrong}). It "
                'holds {"audience": "api://…", "applications": {"NAME": {"roles": ["…"]}}}.'
            )
            raise LocalError(message) from None

    def find(self, name: str) -> Application | None:
        """The application of this name; None when there cannot be one."""
        roles = self.roles.get(name, self.roles.get("*"))
        if roles is None or not _NAME.fullmatch(name):
            return None
        directory = uuid.UUID(TENANT)
        return Application(
            name=name,
            app_id=str(uuid.uuid5(directory, f"application {name}")),
            object_id=str(uuid.uuid5(directory, f"service principal {name}")),
            roles=tuple(role.replace("{client}", name) for role in roles),
        )
