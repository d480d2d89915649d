"""The registry of an organisation's own templates of infrastructure.

Nothing here deploys: pipelines do, and the mesh records which template a product's infrastructure
is deployed from, and whether that satisfies what the product's data ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mesh.backbone import Backbone
from mesh.errors import NotFound, Rejected
from mesh.model.declaration import Declaration
from mesh.model.findings import Finding
from mesh.model.names import ProductId, version_order
from mesh.model.principal import Caller, Role
from mesh.model.template import (
    Parameter,
    Template,
    TemplateName,
    TemplateUse,
    Waiver,
    profiles_of,
)
from mesh.onboarding_checks import classifications


def register(backbone: Backbone, asked: Mapping[str, Any], *, registered_by: str) -> Template:
    """Register a template, or find that it is registered just so.

    Args:
        asked: as `schemas/requests/template.v1.json` says.

    Raises:
        Rejected: it says that it satisfies a profile which the policy does not have, or another
            template is registered under this name and version.
    """
    template = Template(
        id=TemplateName(name=asked["name"], version=asked["version"]),
        kind=asked["kind"],
        description=asked["description"],
        source=asked["source"],
        parameters=tuple(
            Parameter(
                name=name, description=told["description"], required=told.get("required", False)
            )
            for name, told in asked.get("parameters", {}).items()
        ),
        satisfies=tuple(sorted(set(asked["satisfies"]))),
        registered_by=registered_by,
        registered_at=backbone.now(),
    )
    _check_profiles(backbone, template)
    there = backbone.templates.add(template)
    if not there.says_the_same(template):
        message = (
            f"{template.id} is registered with another content. A registered template never "
            f"changes: raise its version."
        )
        raise Rejected(message, problem="template-immutable", status=409)
    return there


def find(backbone: Backbone, name: TemplateName) -> Template:
    """A registered template.

    Raises:
        NotFound: there is none of this name and version.
    """
    found = backbone.templates.get(name)
    if found is None:
        message = f"There is no template {name}. `mesh template list` lists those there are."
        raise NotFound(message, problem="unknown-template")
    return found


def registered(backbone: Backbone) -> list[Template]:
    """All templates, by name, the newest version first."""
    found = sorted(backbone.templates.all(), key=_newest_last, reverse=True)
    return sorted(found, key=lambda template: template.id.name)


def asked_for(request: Mapping[str, Any], *, by: str) -> TemplateUse | None:
    """The template that the request of an onboarding names."""
    named = request.get("template")
    if named is None:
        return None
    waiver = named.get("waiver")
    return TemplateUse(
        template=TemplateName(name=named["name"], version=named["version"]),
        waiver=None if waiver is None else Waiver(reason=waiver["reason"], by=by),
    )


def settle(
    backbone: Backbone, declaration: Declaration, asked: TemplateUse | None
) -> tuple[TemplateUse | None, tuple[Finding, ...]]:
    """The template that holds for a product once it is registered, and what speaks against it.

    Where none is asked for, the product keeps the one it has, which has to satisfy what the new
    declaration asks for. A waiver holds for the profiles it was needed for until its end, and is
    dropped where none is.
    """
    before = backbone.registry.head(declaration.product.id).product
    use = asked or (before.template if before else None)
    if use is None:
        return None, ()
    template = backbone.templates.get(use.template)
    if template is None:
        return use, (_unknown(backbone, use.template),)
    wanted = profiles_of(backbone.policy.profiles, classifications(declaration))
    homeless = [_homeless(name) for name, profile in wanted.items() if profile is None]
    missing = tuple(
        sorted({profile.name for profile in wanted.values() if profile} - set(template.satisfies))
    )
    settled = TemplateUse(template=template.id)
    if not missing:
        return settled, tuple(homeless)
    waived = replace(settled, waiver=use.waiver and replace(use.waiver, profiles=missing))
    granted = _granted(backbone, before.template if before else None, waived)
    if granted is not None:
        return granted, tuple(homeless)
    if asked is None or waived.waiver is None:
        unmet = _unsatisfied(backbone, template, declaration, missing)
        return settled, (*homeless, unmet)
    return waived, tuple(homeless)


def _granted(
    backbone: Backbone, before: TemplateUse | None, use: TemplateUse
) -> TemplateUse | None:
    """`use` as it was granted to the product before, and still is; None when it was not."""
    if before is None or before.waiver is None or use.waiver is None:
        return None
    if not before.covers(use) or not before.waiver.holds(backbone.now()):
        return None
    return replace(use, waiver=replace(before.waiver, profiles=use.waiver.profiles))


def waits_for_a_grant(use: TemplateUse | None) -> bool:
    """Whether `use` carries a waiver that nobody has granted."""
    return use is not None and use.waiver is not None and use.waiver.until is None


def grant(
    backbone: Backbone, use: TemplateUse, product: ProductId, *, asker: str, caller: Caller
) -> TemplateUse:
    """Grant the waiver that `use` asks for, for as long as the policy says.

    It takes somebody else than who asked, and another role than the product's owner.

    Args:
        asker: object id of who asked; empty when that is not known.

    Raises:
        Rejected: the caller is not one who grants waivers, or asked for this one.
    """
    policy = backbone.policy.waivers
    by_ops = policy.granted_by in {Role.OPS, product.domain}
    may = caller.is_ops if by_ops else caller.holds({Role.OWNER}, policy.granted_by)
    if not may:
        role = "the role ops" if by_ops else f"the role owner of {policy.granted_by}"
        message = (
            f"{caller.principal.name} may not grant a waiver to {product}: it takes {role}, as "
            "security.waivers in policy.json says. Who owns a product does not waive for it."
        )
        raise Rejected(message, problem="not-entitled", status=403)
    if asker and asker == caller.principal.id:
        message = (
            f"{caller.principal.name} asked for this waiver, and cannot grant it too: somebody "
            "else has to."
        )
        raise Rejected(message, problem="own-waiver", status=403)
    assert use.waiver is not None, "there is one to grant"
    until = backbone.now() + policy.lifetime
    return replace(use, waiver=replace(use.waiver, granted_by=caller.principal.name, until=until))


def in_words(use: TemplateUse | None) -> str:
    """What a step says of the template."""
    if use is None:
        return ""
    waived = "" if use.waiver is None else f", waived for {', '.join(use.waiver.profiles)}"
    return f", template {use.template}{waived}"


def _newest_last(template: Template) -> tuple[int, ...]:
    return version_order(template.id.version)


def _check_profiles(backbone: Backbone, template: Template) -> None:
    known = sorted(profile.name for profile in backbone.policy.profiles)
    unknown = [name for name in template.satisfies if name not in known]
    if unknown:
        message = (
            f"{template.id} says that it satisfies {', '.join(unknown)}; the policy has the "
            f"profiles {', '.join(known)}."
        )
        raise Rejected(message, problem="unknown-profile", status=422)


def _finding(rule: str, message: str, remedy: str) -> Finding:
    return Finding(
        file="", path="/template", rule=f"template.{rule}", message=message, remedy=remedy
    )


def _unknown(backbone: Backbone, name: TemplateName) -> Finding:
    versions = [one.id.version for one in registered(backbone) if one.id.name == name.name]
    there = f"; {name.name} is registered as {', '.join(versions)}" if versions else ""
    return _finding(
        "unknown",
        f"The template {name} is not registered{there}.",
        "Register it with `mesh template register FILE`, or name one that `mesh template list` "
        "lists.",
    )


def _homeless(classification: str) -> Finding:
    return _finding(
        "no-profile",
        f"The policy has no security profile for data that are {classification}.",
        "Correct the classification in the contract, or add it to a profile of policy.json.",
    )


def _unsatisfied(
    backbone: Backbone, template: Template, declaration: Declaration, missing: tuple[str, ...]
) -> Finding:
    wanted = profiles_of(backbone.policy.profiles, classifications(declaration))
    data = [name for name, profile in wanted.items() if profile and profile.name in missing]
    needed = {profile.name for profile in wanted.values() if profile}
    good = [str(one.id) for one in registered(backbone) if needed <= set(one.satisfies)]
    instead = f"Name a template that does ({', '.join(good)})" if good else "Register one that does"
    return _finding(
        "profile",
        f"{template.id} does not satisfy the profile {', '.join(missing)}, which data that are "
        f"{', '.join(data)} ask for.",
        f"{instead}, or ask for a waiver and give its reason: it waits for an approval.",
    )
