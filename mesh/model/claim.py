"""A domain says that a destination is its own, and proves it by a token delivered there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mesh.model.subscription import Channel

TOKEN_LASTS = timedelta(hours=24)
"""How long a token proves."""

PAUSE = timedelta(minutes=10)
"""Between two tokens to one destination for one domain: whoever aims at another's queue puts no
more than that into it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """That a destination belongs to a domain; there is one per pair.

    Several domains may prove the same destination: each of them can read what comes there.

    Attributes:
        target: as `mesh.model.destination` writes it.
        tokens: how many were made; only the last one proves.
        sent_at: when that one was; None when it is known not to have arrived.
        proven_at: when it came back; None until then.
    """

    domain: str
    channel: Channel
    target: str
    tokens: int = 0
    sent_at: datetime | None = None
    proven_at: datetime | None = None

    @property
    def secret_name(self) -> str:
        """What the token is derived from. No two claims, nor two tokens of one, share it."""
        return "\n".join((str(self.tokens), self.domain, self.channel, self.target))

    def is_awaited(self, now: datetime) -> bool:
        """Whether the last token still proves."""
        return self.sent_at is not None and now - self.sent_at < TOKEN_LASTS

    def may_be_sent(self, now: datetime) -> bool:
        """Whether another token may be sent; a clock that ran ahead holds nobody up."""
        return self.sent_at is None or not timedelta(0) <= now - self.sent_at < PAUSE
