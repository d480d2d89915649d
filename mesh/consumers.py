"""Can I publish? What a version of a contract means to each of those who consume the product."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mesh import contracts
from mesh.backbone import Backbone
from mesh.catalogue import find_product
from mesh.checking import read_contract
from mesh.errors import Rejected
from mesh.model.addresses import PortAddress
from mesh.model.canonical import digest_of
from mesh.model.compatibility import Change, Mode, compare_all
from mesh.model.consumers import Consumer, ConsumerVerdict, consumers_of, verdict_of
from mesh.model.contract import DataContract
from mesh.model.names import ProductId, major_of, version_order
from mesh.model.product import DataProduct
from mesh.model.record import ContractEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What publishing a contract would change, and for whom. Nothing has been published.

    Attributes:
        port, version: what it would be published as.
        compared_with: the published versions that it was compared with: in a transitive mode all
            those of its major, else the newest; of a new major, the newest before it.
        verdict: `compatible`, or `breaking`, and then onboarding refuses it; `new-major` if it
            would stand beside what is published, whatever it changes.
        notice_days: how long before the end of what it was compared with its consumers are told.
        consumers: everybody who relies on the product, in the order of their names.
    """

    product: ProductId
    port: str
    version: str
    compared_with: tuple[str, ...]
    mode: Mode
    verdict: Literal["compatible", "new-major", "breaking"]
    changes: tuple[Change, ...]
    notice_days: int
    consumers: tuple[ConsumerVerdict, ...]


def preview(backbone: Backbone, product: ProductId, *, file: str, text: str) -> Preview:
    """Compare a contract with what is published under its id, and ask what each consumer relies on.

    Args:
        file: its name; `.json` says that it is JSON, else it is YAML.

    Raises:
        NotFound: there is no such product.
        Rejected: it is no contract, not one of this product, or its version is published with
            another content.
    """
    find_product(backbone, product)
    contract = read_contract(file, text.encode(), variables=backbone.policy.variables)
    port = _port(product, contract)
    published = contracts.versions(backbone, product, port)
    _check_version(port, contract, published)
    mode = backbone.policy.compatibility
    olds = _compared_with(contract, published, mode)
    before = [contracts.of_entry(backbone, entry) for entry in olds]
    changes = compare_all(before, contract, mode)
    newest = (before or [contract])[-1]
    is_new_major = contract.major not in {major_of(entry.version) for entry in published}
    breaks = any(change.verdict == "breaking" for change in changes)
    return Preview(
        product=product,
        port=port,
        version=contract.version,
        compared_with=tuple(entry.version for entry in olds),
        mode=mode,
        verdict="new-major" if is_new_major else "breaking" if breaks else "compatible",
        changes=tuple(changes),
        notice_days=backbone.policy.notices.of_contract(newest.document).days,
        consumers=tuple(
            verdict_of(consumer, changes) for consumer in of_product(backbone, product)
        ),
    )


def of_product(backbone: Backbone, product: ProductId) -> list[Consumer]:
    """All who rely on a product, in the order of their names."""
    now = backbone.now()
    return consumers_of(
        backbone.subscriptions.of_product(product),
        [one for one in backbone.registry.agreements(product) if one.is_in_force(now)],
    )


def checked_uses(
    backbone: Backbone, address: ProductId, product: DataProduct | None, uses: Sequence[str]
) -> tuple[str, ...]:
    """What a consumer says that it relies on, in order and once each.

    Args:
        uses: each `OBJECT`, or `OBJECT.FIELD` with a field of the object's records.

    Raises:
        Rejected: no output port of the product has such an object, or field.
    """
    wanted = sorted(set(uses))
    if not wanted:
        return ()
    offered: dict[str, set[str]] = {}
    for port in () if product is None else product.output_ports:
        document = json.loads(contracts.published(backbone, address, port))
        for name, item in DataContract.from_document(document).objects.items():
            offered.setdefault(name, set()).update(field.name for field in item.fields)
    for use in wanted:
        name, dot, field = use.partition(".")
        if name not in offered:
            has = ", ".join(sorted(offered)) or "none"
            message = f"{address} has no object {name!r}; it has {has}."
            raise Rejected(message, problem="unknown-object")
        if dot and field not in offered[name]:
            has = ", ".join(sorted(offered[name]))
            message = f"{name} of {address} has no field {field!r}; it has {has}."
            raise Rejected(message, problem="unknown-field")
    return tuple(wanted)


def _port(product: ProductId, contract: DataContract) -> str:
    address = PortAddress.parse(contract.id)
    if address.product != product:
        message = f"The contract {contract.id!r} is one of {address.product}, not of {product}."
        raise Rejected(message, problem="another-product", status=422)
    return address.port


def _check_version(port: str, contract: DataContract, published: Sequence[ContractEntry]) -> None:
    major_of(contract.version)
    for entry in published:
        if entry.version == contract.version and entry.digest != digest_of(contract.document):
            message = (
                f"Version {entry.version} of {port!r} is published with another content, and a "
                "published contract never changes: raise the version."
            )
            raise Rejected(message, problem="version-published", status=409)


def _compared_with(
    contract: DataContract, published: Sequence[ContractEntry], mode: Mode
) -> Sequence[ContractEntry]:
    if any(entry.version == contract.version for entry in published):
        return [entry for entry in published if entry.version == contract.version]
    same = [entry for entry in published if major_of(entry.version) == contract.major]
    if same:
        return same if mode.endswith("_transitive") else same[-1:]
    wanted = version_order(contract.version)
    return [entry for entry in published if version_order(entry.version) < wanted][-1:]
