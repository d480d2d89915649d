"""Hold a call against the rule of its operation, before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from mesh import consuming, schemas, subscriptions, templates, tracking
from mesh.backbone import Backbone
from mesh.documents import read_declaration
from mesh.errors import Rejected
from mesh.model.agreement import Agreement
from mesh.model.audit import MESH
from mesh.model.declaration import Declaration
from mesh.model.dropped_file import UNPLACED
from mesh.model.entitlement import RULES, Need, Of, Rule
from mesh.model.names import ProductId, is_slug
from mesh.model.notice import Asked, Notice
from mesh.model.principal import ANY_DOMAIN, Caller, Principal, Role, caller_of
from mesh.model.subscription import Subscription


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What is asked for, as far as it says whom it is about.

    Attributes:
        parts: of the path, by name.
    """

    operation: str
    parts: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def identify(backbone: Backbone, principal: Principal | None) -> Caller:
    """Who calls, and what they may do.

    Args:
        principal: None when the call carries no identity.

    Raises:
        Rejected: it carries none, or nobody has checked the one that it carries.
    """
    if not backbone.easy_auth:
        message = (
            "This app takes no identity from anybody, for App Service authentication is not on. "
            "Configure it, then set EASY_AUTH to true (docs/security.md)."
        )
        raise Rejected(message, problem="not-signed-in", status=401)
    if principal is None:
        message = "The call carries no identity. Send a token of Microsoft Entra for this API."
        raise Rejected(message, problem="not-signed-in", status=401)
    return caller_of(principal, backbone.policy.grants)


def check(backbone: Backbone, caller: Caller, call: Call) -> None:
    """Let a call through that its rule allows.

    Raises:
        Rejected: the rule does not, or the body is not as its schema says.
        NotFound: what the call is about does not exist.
    """
    rule = RULES[call.operation]
    if caller.is_stranger:
        raise _stranger(caller.principal)
    if (rule.ops and caller.is_ops) or any(
        _fulfils(backbone, caller, need, call) for need in rule.needs
    ):
        return
    if rule.asker and _began(backbone, caller, call):
        return
    raise _refused(caller, rule, call)


TEAM = frozenset({Role.PRODUCER, Role.OWNER})
"""Who sees what becomes of a product's files."""


def seen_by(caller: Caller, roles: AbstractSet[Role]) -> AbstractSet[str] | None:
    """The domains of which a caller may see what is not everybody's; None for all."""
    domains = frozenset[str]().union(*(caller.held.get(role, frozenset()) for role in roles))
    return None if caller.is_ops or ANY_DOMAIN in domains else domains


def shown_to(
    caller: Caller, product: ProductId, found: Iterable[Subscription]
) -> list[Subscription]:
    """The subscriptions to a product that a caller may see: its domains' own, or all of them."""
    if caller.is_ops or caller.holds(TEAM, product.domain):
        return list(found)
    return [one for one in found if caller.holds({Role.CONSUMER}, one.subscriber)]


def check_shown(backbone: Backbone, caller: Caller, product: ProductId, subscription: str) -> None:
    """Let a caller name a subscription to a product.

    Raises:
        NotFound: there is none with this id, as far as the caller may see.
    """
    found = subscriptions.find(backbone, product, subscription)
    if not shown_to(caller, product, [found]):
        raise subscriptions.unknown(product, subscription)


def agreements_shown_to(
    caller: Caller, product: ProductId, found: Iterable[Agreement]
) -> list[Agreement]:
    """The agreements about a product that a caller may see: its domains' own, or all of them."""
    if caller.is_ops or caller.holds(TEAM, product.domain):
        return list(found)
    return [one for one in found if caller.holds({Role.CONSUMER}, one.consumer)]


def asked_shown_to(caller: Caller, notice: Notice) -> list[Asked]:
    """Who is asked by a notice, as far as a caller may see: its domains, or all of them."""
    if caller.is_ops or caller.holds(TEAM, notice.product.domain):
        return list(notice.asked)
    return [one for one in notice.asked if caller.holds({Role.CONSUMER}, one.domain)]


def concerned(backbone: Backbone, call: Call, product: ProductId | None) -> str:
    """The domain in whose audit log a call belongs; `mesh` when it concerns no one domain.

    Args:
        product: that is to be onboarded, if that is what is asked for.
    """
    domain = call.parts.get("domain", "") if product is None else product.domain
    if "onboarding" in call.parts:
        domain = _domain(backbone, Of.ONBOARDING, call) or ""
    return domain if is_slug(domain) else MESH


def declared(backbone: Backbone, call: Call) -> ProductId | None:
    """The product whose onboarding is asked for; None when its declaration cannot be read.

    Raises:
        Rejected: the body is not as its schema says.
    """
    asked = schemas.parse(call.body, "requests/onboarding.v1")
    declaration = read_declaration(asked["files"], variables=backbone.policy.variables)
    return declaration.product.id if isinstance(declaration, Declaration) else None


def _fulfils(backbone: Backbone, caller: Caller, need: Need, call: Call) -> bool:
    if not caller.holds_anywhere(need.roles):
        return False
    if need.of is Of.ANY:
        return True
    if need.of is Of.ENTITLED:
        return _is_entitled(backbone, caller, need, call)
    domain = _domain(backbone, need.of, call)
    return domain is None or caller.holds(need.roles, domain)


def _domain(backbone: Backbone, of: Of, call: Call) -> str | None:
    """The domain that a call is about; None when there is none to protect (a bad declaration).

    Empty, and so nobody's, for what is the mesh's own.
    """
    if of is Of.PRODUCT:
        return _of_product(backbone, call)
    if of is Of.DECLARATION:
        product = declared(backbone, call)
        return None if product is None else product.domain
    if of is Of.ONBOARDING:
        saga = backbone.onboardings.get(call.parts["onboarding"])
        return "" if saga is None or saga.product is None else saga.product.domain
    if of is Of.WAIVER:
        saga = backbone.onboardings.get(call.parts["onboarding"])
        waits = saga is not None and templates.waits_for_a_grant(saga.template)
        return backbone.policy.waivers.granted_by if waits else ""
    if of is Of.LOG:
        return "" if call.parts["log"] == MESH else call.parts["log"]
    if of is Of.CONSUMER:
        asked = call.parts.get("consumer")
        return asked or str(schemas.parse(call.body, "requests/agreement.v1")["consumer"])
    if "subscription" in call.parts:
        product = ProductId(domain=call.parts["domain"], product=call.parts["product"])
        return subscriptions.subscriber_of(backbone, product, call.parts["subscription"])
    subscriber: str = schemas.parse(call.body, "requests/subscription.v1")["subscriber"]
    return subscriber


def _is_entitled(backbone: Backbone, caller: Caller, need: Need, call: Call) -> bool:
    product = ProductId(domain=call.parts["domain"], product=call.parts["product"])
    domains = {domain for role in need.roles for domain in caller.held.get(role, frozenset())}
    return ANY_DOMAIN in domains or any(
        consuming.may_consume(backbone, product, domain) for domain in sorted(domains)
    )


def _of_product(backbone: Backbone, call: Call) -> str:
    product = ProductId(domain=call.parts["domain"], product=call.parts["product"])
    if product != UNPLACED:
        return product.domain
    drop = call.parts.get("drop")
    entry = None if drop is None else backbone.registry.entry(product, drop)
    return "" if entry is None else tracking.domain_of(product, entry)


def _began(backbone: Backbone, caller: Caller, call: Call) -> bool:
    saga = backbone.onboardings.get(call.parts["onboarding"])
    return saga is not None and saga.asker == caller.principal.id


def _stranger(principal: Principal) -> Rejected:
    message = (
        f"{principal.name} (object id {principal.id}) has no role in this mesh. Ask whoever runs "
        "it for an app role such as DOMAIN.producer, or an entry in policy.json."
    )
    return Rejected(message, problem="not-entitled", status=403)


def _refused(caller: Caller, rule: Rule, call: Call) -> Rejected:
    message = (
        f"{caller.principal.name} may not {call.operation.replace('_', ' ')} here: it takes "
        f"{rule.in_words}."
    )
    return Rejected(message, problem="not-entitled", status=403)
