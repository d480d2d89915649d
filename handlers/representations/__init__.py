"""The mesh's nouns as the HTTP API tells of them; `schemas/openapi.json` says the same."""

from handlers.representations.access import agreement, audit_entry, caller, read_access
from handlers.representations.drops import drop, file_set, journey
from handlers.representations.notices import notice
from handlers.representations.products import onboarding, product, profile, summary, template
from handlers.representations.subscriptions import (
    attempt,
    dead_letter,
    settled_letter,
    subscribed,
    subscription,
)

__all__ = [
    "agreement",
    "attempt",
    "audit_entry",
    "caller",
    "dead_letter",
    "drop",
    "file_set",
    "journey",
    "notice",
    "onboarding",
    "product",
    "profile",
    "read_access",
    "settled_letter",
    "subscribed",
    "subscription",
    "summary",
    "template",
]
