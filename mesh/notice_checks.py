"""Whether a declaration lets an output port end as its consumers have been told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mesh import consumers
from mesh.backbone import Backbone
from mesh.endings import ending_of
from mesh.model.declaration import Declaration, DeclaredContract
from mesh.model.findings import Finding
from mesh.model.notice import MOST_DAYS, NOTICE_DAYS, NoticeStanding, is_days, notice_entries
from mesh.model.product import OutputPort
from mesh.notices import as_declared, ended, outstanding


def wrong_endings(backbone: Backbone, declaration: Declaration) -> list[Finding]:
    """What is wrong with the ends of ports.

    A sunset that was told may come later, or not at all, but not earlier. It leaves consumers their
    notice. A port may be taken out earlier once all whom that affects have acknowledged it.
    """
    product = declaration.product
    before = backbone.registry.head(product.id).product
    live = {} if before is None else before.newest_ports
    places = {key: f"/outputPorts/{place}" for place, key in enumerate(product.newest_ports)}
    found = [_removed(backbone, declaration, port) for port in ended(before, product).values()]
    for key, port in product.newest_ports.items():
        finding = _shortened(backbone, declaration, live.get(key), port, places[key])
        found.append(finding or _short(backbone, declaration, live.get(key), port, places[key]))
    return [finding for finding in found if finding is not None]


def wrong_notice(declared: DeclaredContract) -> list[Finding]:
    """What of the notice that a contract promises is no number of days."""
    return [
        Finding(
            file=declared.file,
            path=f"/customProperties/{place}/value",
            rule="contract.notice",
            message=f"{NOTICE_DAYS} is {value!r}, not a number of days from 1 to {MOST_DAYS}.",
            remedy="Write it as 180, or leave it out: the policy says it then.",
        )
        for place, value in notice_entries(declared.document)
        if not is_days(value)
    ]


def _removed(backbone: Backbone, declaration: Declaration, port: OutputPort) -> Finding | None:
    """A port that is no longer there, although somebody has not been told, or not agreed."""
    product, now = declaration.product.id, backbone.now()
    notice = backbone.registry.notice(product, port.name, port.major)
    named = f"Version {port.major} of {port.name!r}"
    if notice is not None and notice.standing is NoticeStanding.OPEN:
        waited_for = outstanding(backbone, notice)
        if now >= notice.until or not waited_for:
            return None
        return _early(
            declaration,
            f"{named} ends before {_names(waited_for)} acknowledged it; they have until "
            f"{notice.until.isoformat()}.",
            "Keep the port until then, or ask them: mesh notice acknowledge "
            f"{product} {port.name} {port.major} --as DOMAIN.",
        )
    if port.deprecation is not None:  # as it was told before there were notices
        sunset = port.deprecation.sunset
        if sunset is None or sunset <= now:
            return None
        known = _names([one.domain for one in consumers.of_product(backbone, product)])
        return _early(
            declaration,
            f"{named} ends on {sunset.isoformat()}, as consumers of {product} have been told "
            f"({known}).",
            "Keep the port until then; its end may be put off, not brought forward.",
        )
    asked = [one.domain for one in ending_of(backbone, declaration, port).asked]
    if not asked:
        return None
    return _early(
        declaration,
        f"{named} is gone without notice, and {_names(asked)} rely on it.",
        "Keep the port and deprecate it first (docs/compatibility.md, when a port ends).",
    )


def _shortened(
    backbone: Backbone,
    declaration: Declaration,
    was: OutputPort | None,
    port: OutputPort,
    path: str,
) -> Finding | None:
    told, wanted = _sunset(was), _sunset(port)
    if told is None or wanted is None or wanted >= told:
        return None
    known = _names([one.domain for one in consumers.of_product(backbone, declaration.product.id)])
    return _early(
        declaration,
        f"Version {port.major} of {port.name!r} ends on {told.isoformat()}, as consumers of "
        f"{declaration.product.id} have been told ({known}).",
        "A sunset may be put off, not brought forward. Once all whom it affects have "
        "acknowledged it, the port may be taken out earlier.",
        path,
    )


def _short(
    backbone: Backbone,
    declaration: Declaration,
    was: OutputPort | None,
    port: OutputPort,
    path: str,
) -> Finding | None:
    """A sunset that leaves consumers less than their notice; one told before stays."""
    sunset = _sunset(port)
    if sunset is None or sunset == _sunset(was):
        return None
    known = backbone.registry.notice(declaration.product.id, port.name, port.major)
    notice = as_declared(backbone, declaration, port, known)
    if notice is None or sunset >= notice.until:
        return None
    waited_for = outstanding(backbone, notice)
    if not waited_for:
        return None
    return Finding(
        file=declaration.file,
        path=path,
        rule="product.short-notice",
        message=f"Version {port.major} of {port.name!r} ends on {sunset.isoformat()}, and "
        f"{_names(waited_for)} have notice until {notice.until.isoformat()}.",
        remedy="Let the sunset be then, or later, or leave it out until they have acknowledged.",
    )


def _sunset(port: OutputPort | None) -> datetime | None:
    return None if port is None or port.deprecation is None else port.deprecation.sunset


def _early(
    declaration: Declaration, message: str, remedy: str, path: str = "/outputPorts"
) -> Finding:
    return Finding(
        file=declaration.file, path=path, rule="product.ends-early", message=message, remedy=remedy
    )


def _names(domains: Sequence[str]) -> str:
    return ", ".join(domains) or "there is none now"
