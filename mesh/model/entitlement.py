"""Who may do what: one rule per operation of the HTTP API, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mesh.model.principal import Role


class Of(StrEnum):
    """Of which domain a caller has to have the role."""

    ANY = "any domain"
    PRODUCT = "the product's domain"
    SUBSCRIBER = "the subscriber's domain"
    CONSUMER = "the consumer's domain"
    LOG = "the domain whose log it is"
    ENTITLED = "a domain that may consume the product"
    DECLARATION = "the declared product's domain"
    ONBOARDING = "the onboarded product's domain"
    WAIVER = "the domain that grants the waiver it waits for"


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """One of these roles, of this domain."""

    roles: frozenset[Role]
    of: Of


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Who may call an operation: whoever fulfils one of the needs.

    Attributes:
        needs: any of them is enough.
        ops: whether those who run the mesh may too.
        asker: whether whoever began it may too (an onboarding).
    """

    needs: tuple[Need, ...] = ()
    ops: bool = False
    asker: bool = False

    @property
    def in_words(self) -> str:
        """What it takes, for people."""
        ways = [f"the role {' or '.join(sorted(need.roles))} of {need.of}" for need in self.needs]
        if self.asker:
            ways.append("having begun it")
        if self.ops:
            ways.append("the role ops")
        return ", or ".join(ways)


def _need(of: Of, *roles: Role) -> Need:
    return Need(roles=frozenset(roles), of=of)


_MEMBER = _need(Of.ANY, Role.PRODUCER, Role.CONSUMER, Role.OWNER)
_TEAM = _need(Of.PRODUCT, Role.PRODUCER, Role.OWNER)
_CONSUMER = _need(Of.SUBSCRIBER, Role.CONSUMER)

_ANYBODY_HERE = Rule(needs=(_MEMBER,), ops=True)
_OF_THE_PRODUCT = Rule(needs=(_TEAM,), ops=True)
_OF_THE_SUBSCRIBER = Rule(needs=(_CONSUMER,))
_SUBSCRIBER_OR_OPS = Rule(needs=(_CONSUMER,), ops=True)
_OPS = Rule(ops=True)
_ENTITLED = Rule(needs=(_TEAM, _need(Of.ENTITLED, Role.CONSUMER)), ops=True)

OPEN = frozenset({"health", "openapi"})
"""Operations that take no identity."""

RULES: Mapping[str, Rule] = {
    "whoami": _ANYBODY_HERE,
    "request_onboarding": Rule(needs=(_need(Of.DECLARATION, Role.PRODUCER),)),
    "get_onboarding": Rule(
        needs=(_need(Of.ONBOARDING, Role.PRODUCER, Role.OWNER), _need(Of.WAIVER, Role.OWNER)),
        ops=True,
        asker=True,
    ),
    "decide_onboarding": Rule(
        needs=(_need(Of.ONBOARDING, Role.OWNER), _need(Of.WAIVER, Role.OWNER)), ops=True
    ),
    "list_products": _ANYBODY_HERE,
    "get_product": _ANYBODY_HERE,
    "get_contract": _ANYBODY_HERE,
    "get_schema": _ANYBODY_HERE,
    "preview_contract": _OF_THE_PRODUCT,
    "register_template": _OPS,
    "list_templates": _ANYBODY_HERE,
    "get_template": _ANYBODY_HERE,
    "find_drops": Rule(needs=(_need(Of.ANY, Role.PRODUCER, Role.OWNER),), ops=True),
    "list_drops": _OF_THE_PRODUCT,
    "list_sets": _OF_THE_PRODUCT,
    "get_drop": _OF_THE_PRODUCT,
    "get_receipt": _OF_THE_PRODUCT,
    "list_events": _ENTITLED,
    "subscribe": _OF_THE_SUBSCRIBER,
    "list_subscriptions": _ANYBODY_HERE,
    "get_subscription": Rule(needs=(_CONSUMER, _TEAM), ops=True),
    "unsubscribe": _SUBSCRIBER_OR_OPS,
    "rotate_secret": _OF_THE_SUBSCRIBER,
    "suspend": _SUBSCRIBER_OR_OPS,
    "resume": _SUBSCRIBER_OR_OPS,
    "replay": _SUBSCRIBER_OR_OPS,
    "acknowledge": _OF_THE_SUBSCRIBER,
    "request_agreement": Rule(needs=(_need(Of.CONSUMER, Role.CONSUMER),)),
    "list_agreements": _ANYBODY_HERE,
    "get_agreement": Rule(needs=(_need(Of.CONSUMER, Role.CONSUMER), _TEAM), ops=True),
    "decide_agreement": Rule(needs=(_need(Of.PRODUCT, Role.OWNER),)),
    "list_notices": _ANYBODY_HERE,
    "acknowledge_notice": Rule(needs=(_need(Of.CONSUMER, Role.CONSUMER),)),
    "read_snapshot": Rule(needs=(_TEAM, _need(Of.ENTITLED, Role.CONSUMER))),
    "list_audit": Rule(needs=(_need(Of.LOG, Role.OWNER),), ops=True),
    "list_dead_letters": _OPS,
    "resubmit_dead_letter": _OPS,
    "discard_dead_letter": _OPS,
}
"""The rule of each operation; one that is not here cannot be called by anybody.

What lists answer with is narrowed to what the caller may see of each entry: drops to those of its
domains, subscriptions, agreements and who is asked by a notice to its own and those of its
products.
"""

DECISIONS: Mapping[str, tuple[str, ...]] = {
    "request_onboarding": (),
    "decide_onboarding": ("decision", "approver"),
    "register_template": ("name", "version"),
    "subscribe": (
        *("subscriber", "webhook", "event_grid", "service_bus", "inbox"),
        *("copies", "ordered", "signature"),
    ),
    "unsubscribe": (),
    "rotate_secret": (),
    "suspend": (),
    "resume": ("held",),
    "replay": ("sequence", "time", "event", "last"),
    "request_agreement": ("consumer",),
    "decide_agreement": ("decision", "days"),
    "acknowledge_notice": (),
    "read_snapshot": (),
    "resubmit_dead_letter": ("source", "number"),
    "discard_dead_letter": ("source", "number"),
}
"""Operations that are put into the audit log when they are done; what a rule refuses always is.

Of each, the members of its body that say what is decided, and about what; never a secret.
"""
