"""A domain says that a destination is its own, and proves it by a token delivered there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mesh.model.subscription import Channel

TOKEN_LASTS = timedelta(hours=24)
"""How long a token proves."""

PAUSE = timedelta(minutes=10)
"""Between two tokens to one resource for one domain: whoever aims at another's queue puts no more
than that into it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """That a queue, topic or folders of a container belong to a domain; one per such resource.

    Several domains may prove the same destination: each of them can read what comes there. Who can
    read one folder of a container may not be able to read another, so each is proven; but tokens
    are counted by container, or a thief could fill it folder by folder.

    Attributes:
        resource: queue, topic or container (`mesh.model.destination.resource_of`).
        tokens: how many were made; only the last one proves.
        sent_to: the target that it was delivered to, and that it proves.
        sent_at: when it was; None when it is known not to have arrived, or came back.
        proven: targets of which one came back.
    """

    domain: str
    channel: Channel
    resource: str
    tokens: int = 0
    sent_to: str = ""
    sent_at: datetime | None = None
    proven: tuple[str, ...] = ()

    @property
    def secret_name(self) -> str:
        """What the token is derived from. No two claims, nor two tokens of one, share it."""
        return "\n".join((str(self.tokens), self.domain, self.channel, self.resource))

    def is_awaited(self, target: str, now: datetime) -> bool:
        """Whether the last token still proves a target."""
        return (
            self.sent_at is not None and self.sent_to == target and now - self.sent_at < TOKEN_LASTS
        )

    def may_be_sent(self, now: datetime) -> bool:
        """Whether another token may be sent; a clock that ran ahead holds nobody up."""
        return self.sent_at is None or not timedelta(0) <= now - self.sent_at < PAUSE
