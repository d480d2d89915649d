"""The help of `mesh`: its commands by who needs them, each with a whole sentence."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperGroup

SECTIONS: dict[str, tuple[str, ...]] = {
    "A mesh on this machine": ("demo", "up"),
    "Producers": ("onboard", "onboarding", "check", "contract", "drop", "where", "receipt"),
    "Consumers": (
        "products",
        "product",
        "subscribe",
        "subscriptions",
        "unsubscribe",
        "rotate-secret",
        "events",
        "access",
        "suspend",
        "resume",
        "replay",
        "ack",
    ),
    "Owners": ("agreement", "notice", "approve", "refuse", "audit"),
    "Operations and platform": ("dlq", "template"),
    "Who you are": ("whoami", "token"),
}
"""Every command, once."""


class SectionedGroup(TyperGroup):
    """Lists its commands by section."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the sections; the first sentence of each command's help, and no part of one."""
        for title, names in SECTIONS.items():
            rows = [
                (name, _sentence(command.help or ""))
                for name in names
                if (command := self.get_command(ctx, name)) is not None
            ]
            with formatter.section(title):
                formatter.write_dl(rows)


def _sentence(text: str) -> str:
    return re.split(r"[.;](?:\s|$)", " ".join(text.split()), maxsplit=1)[0]
