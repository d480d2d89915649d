"""What a receiver's answer means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from mesh.model.delivery import Outcome

LONGEST_RETRY_AFTER = timedelta(days=365)
"""Where `Retry-After` is cut before it becomes a pause; the schedule bounds it further."""

_SECONDS = re.compile(r"\d+", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Status and headers of a response; its body is nobody's business."""

    status: int
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)

    def values(self, name: bytes) -> list[str]:
        """The values of a header (`name` in lower case), one per line that it came in."""
        return [
            value.decode("latin-1").strip() for key, value in self.headers if key.lower() == name
        ]

    def __str__(self) -> str:
        """`503 Service Unavailable`, in our words: the phrase that was sent is not shown."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)

    @property
    def is_redirect(self) -> bool:
        return 300 <= self.status < 400


def judge(answer: Answer) -> tuple[Outcome, str]:
    """The outcome, and the reason in one sentence (Standard Webhooks 1.0, "Delivery success")."""
    if 200 <= answer.status < 300:
        return "delivered", f"The receiver answered {answer}."
    if answer.is_redirect:
        return "refused", f"The receiver answered {answer}; redirects are never followed."
    if answer.status == HTTPStatus.GONE:
        return "gone", f"The receiver answered {answer}: it wants no more notifications."
    return "retry", f"The receiver answered {answer}."


def retry_after(answer: Answer, *, now: datetime) -> timedelta | None:
    """The pause that the receiver asks for: seconds or a date (RFC 9110, 10.2.3).

    None when it asks for none, or in no form that can be read. A date in the past is no pause.
    """
    text = next(iter(answer.values(b"retry-after")), "")
    if _SECONDS.fullmatch(text):
        # Ten digits reach beyond the bound; more could be too many for a timedelta, or for int.
        seconds = int(text) if len(text) <= 10 else 10**10
        return timedelta(seconds=min(seconds, LONGEST_RETRY_AFTER.total_seconds()))
    if not text:
        return None
    from email.utils import parsedate_to_datetime

    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)  # "-0000", which HTTP does not have
    return min(max(until - now, timedelta(0)), LONGEST_RETRY_AFTER)
