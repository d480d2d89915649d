"""What of a declaration can only be checked against what the mesh already knows."""

from __future__ import annotations

from mesh import consuming, contracts
from mesh.backbone import Backbone
from mesh.model.compatibility import compare_all
from mesh.model.contract import DataContract
from mesh.model.declaration import Declaration, DeclaredContract
from mesh.model.dropped_file import UNPLACED
from mesh.model.findings import Finding
from mesh.model.names import ProductId, major_of
from mesh.model.product import InputPort
from mesh.model.subscription_events import OWN_STREAM, is_own_stream
from mesh.model.template import UNCLASSIFIED
from mesh.notice_checks import wrong_endings, wrong_notice
from mesh.query_checks import queries_of
from mesh.reference_checks import referred_classifications, wrong_references
from mesh.service_checks import service_findings


def check_against_record(backbone: Backbone, declaration: Declaration) -> tuple[Finding, ...]:
    """All that speaks against a declaration which is good by itself."""
    findings = [_reserved(declaration)]
    findings += [_taken(backbone, declaration, declared) for declared in declaration.contracts]
    findings += [
        _unknown(backbone, declaration.file, port)
        or _not_agreed(backbone, declaration.file, port, declaration.product.id.domain)
        for port in declaration.product.input_ports
    ]
    findings += wrong_endings(backbone, declaration)
    for declared in declaration.contracts:
        findings += service_findings(declared.document, file=declared.file)
        findings += wrong_notice(declared)
        findings += wrong_references(backbone, declaration, declared)
        findings += _breaking(backbone, declaration.product.id, declared)
    return tuple(finding for finding in findings if finding is not None)


def check_declaration(backbone: Backbone, declaration: Declaration) -> tuple[Finding, ...]:
    """The same, and what takes time and no record: whether queries of contracts can be asked."""
    return check_against_record(backbone, declaration) or queries_of(declaration)


def to_approve(backbone: Backbone, declaration: Declaration) -> frozenset[str]:
    """The classifications that policy wants approved, of its fields and of those they point at."""
    found = classifications(declaration) | referred_classifications(backbone, declaration)
    return found & backbone.policy.approval_classifications


def classifications(declaration: Declaration) -> frozenset[str]:
    """The classifications of all fields of all contracts, in lower case; `unclassified` is one."""
    return frozenset(
        (field.classification or UNCLASSIFIED).lower()
        for declared in declaration.contracts
        for item in DataContract.from_document(declared.document).objects.values()
        for field in item.fields
    )


def _reserved(declaration: Declaration) -> Finding | None:
    if is_own_stream(declaration.product.id):
        return Finding(
            file=declaration.file,
            path="/id",
            rule="product.reserved",
            message=f"DOMAIN/{OWN_STREAM} is where a domain is told of its own subscriptions.",
            remedy="Choose another name for the product.",
        )
    if declaration.product.id.domain != UNPLACED.domain:
        return None
    return Finding(
        file=declaration.file,
        path="/id",
        rule="product.reserved",
        message=f"The domain {UNPLACED.domain!r} is the mesh's own: its record is of lost files.",
        remedy="Choose another name for the domain.",
    )


def _taken(
    backbone: Backbone, declaration: Declaration, declared: DeclaredContract
) -> Finding | None:
    port = declared.port
    entry = backbone.registry.contract(declaration.product.id, f"{port.name}:{port.version}")
    if entry is None or entry.digest == declared.digest:
        return None
    return Finding(
        file=declared.file,
        path="/version",
        rule="contract.immutable",
        message=f"Version {port.version} of {port.name!r} is published with another content.",
        remedy="A published contract never changes: raise its version, here and in the product.",
    )


def _breaking(backbone: Backbone, product: ProductId, declared: DeclaredContract) -> list[Finding]:
    """What a new version takes away from those who rely on the ones published under its major."""
    port, mode = declared.port, backbone.policy.compatibility
    published = [
        entry
        for entry in contracts.versions(backbone, product, port.name)
        if major_of(entry.version) == port.major
    ]
    if port.version in {entry.version for entry in published}:
        return []
    olds = [contracts.of_entry(backbone, entry) for entry in published]
    remedy = (
        f"Publish it as {port.major + 1}.0.0 in an output port of its own, beside the old one, or "
        f"take the change back."
    )
    return [
        Finding(
            file=declared.file,
            path=change.pointer,
            rule="contract.breaking",
            message=f"{change.message} That breaks {change.breaks} of version {port.major} "
            f"of {port.name!r} ({mode.upper()}).",
            remedy=remedy,
        )
        for change in compare_all(olds, DataContract.from_document(declared.document), mode)
        if change.verdict == "breaking"
    ]


def _not_agreed(backbone: Backbone, file: str, port: InputPort, domain: str) -> Finding | None:
    if consuming.may_consume(backbone, port.product, domain):
        return None
    return Finding(
        file=file,
        path="/inputPorts",
        rule="product.no-agreement",
        message=f"{domain} has no agreement about {port.product}, the input {port.name!r}.",
        remedy=f"Ask for one: mesh agreement request {port.product} --as {domain} --purpose ….",
    )


def _unknown(backbone: Backbone, file: str, port: InputPort) -> Finding | None:
    product = backbone.registry.head(port.product).product
    known = [] if product is None else [offered.contract_id for offered in product.output_ports]
    if port.contract_id in known:
        return None
    offers = f"offers {', '.join(known)}" if known else "is not onboarded"
    return Finding(
        file=file,
        path="/inputPorts",
        rule="product.unknown-input",
        message=f"The input {port.name!r} reads {port.contract_id}, but {port.product} {offers}.",
        remedy="Onboard the inputs of a composite before the composite, or correct the contractId.",
    )
