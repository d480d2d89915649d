"""Published contracts: where they lie, how they are written, and their compiled plans."""

from __future__ import annotations

import json
from functools import lru_cache

from mesh.backbone import Backbone
from mesh.errors import NotFound, Unavailable
from mesh.model.canonical import canonical_json
from mesh.model.contract import DataContract, record_schema
from mesh.model.declaration import DeclaredContract
from mesh.model.names import ProductId, version_order
from mesh.model.product import OutputPort
from mesh.model.record import ContractEntry
from mesh.ports import Storage
from mesh.validation import Plan, compile_object

CONTAINER = "contracts"
PLANS_KEPT = 128


def publish(backbone: Backbone, product: ProductId, declared: DeclaredContract) -> ContractEntry:
    """Write a contract and the JSON Schema of each object's record to the contracts container.

    A contract is immutable, so writing it again writes the same. Whether its version is already
    taken by another document has been checked before.
    """
    port = declared.port
    contract = DataContract.from_document(declared.document)
    folder = _folder(product, port)
    schemas = {}
    for name in contract.objects:
        schemas[name] = f"{folder}/{name}.schema.json"
        schema = canonical_json(record_schema(contract, name)).encode()
        backbone.storage.write(schemas[name], schema, content_type="application/schema+json")
    data = canonical_json(declared.document).encode()
    written = location(product, port)
    backbone.storage.write(written, data, content_type="application/json")
    return ContractEntry(
        port=port.name,
        version=port.version,
        contract_id=port.contract_id,
        digest=declared.digest,
        location=written,
        schemas=schemas,
        published_at=backbone.now(),
    )


def plan(backbone: Backbone, product: ProductId, port: OutputPort, object_name: str) -> Plan:
    """The compiled contract of one object; read from storage once in the life of a process.

    Raises:
        Unavailable: the contract is not in storage, though it is on record.
    """
    return _plan(backbone.storage, location(product, port), object_name)


def document(backbone: Backbone, product: ProductId, key: str, object_name: str | None) -> bytes:
    """The published contract `PORT:VERSION`, or the JSON Schema of a record of one of its objects.

    Raises:
        NotFound: there is no such contract, or it has no such object.
    """
    entry = backbone.registry.contract(product, key)
    if entry is None:
        message = f"{product} has published no contract {key}."
        raise NotFound(message, problem="unknown-contract")
    found = entry.location if object_name is None else entry.schemas.get(object_name)
    if found is None:
        message = (
            f"Contract {key} has no object {object_name!r}; it has {', '.join(entry.schemas)}."
        )
        raise NotFound(message, problem="unknown-object")
    return read(backbone.storage, found)


def read(storage: Storage, where: str) -> bytes:
    """A published document.

    Raises:
        Unavailable: it is on record but not in storage.
    """
    data = storage.read(where)
    if data is None:
        message = f"{where} is on record but not in storage."
        raise Unavailable(message)
    return data


def published(backbone: Backbone, product: ProductId, port: OutputPort) -> bytes:
    """The contract of an output port; read from storage once in the life of a process.

    Raises:
        Unavailable: it is not in storage, though it is on record.
    """
    return _published(backbone.storage, location(product, port))


def versions(backbone: Backbone, product: ProductId, port: str) -> list[ContractEntry]:
    """What is published at an output port, of all its majors, oldest version first."""
    found = [entry for entry in backbone.registry.contracts(product) if entry.port == port]
    return sorted(found, key=lambda entry: version_order(entry.version))


def of_entry(backbone: Backbone, entry: ContractEntry) -> DataContract:
    """A published contract.

    Raises:
        Unavailable: it is on record but not in storage.
    """
    return DataContract.from_document(json.loads(read(backbone.storage, entry.location)))


def location(product: ProductId, port: OutputPort) -> str:
    """Where the contract of an output port is published."""
    return f"{_folder(product, port)}/contract.json"


@lru_cache(maxsize=PLANS_KEPT)
def _plan(storage: Storage, where: str, object_name: str) -> Plan:
    contract = DataContract.from_document(json.loads(read(storage, where)))
    return compile_object(contract, object_name)


@lru_cache(maxsize=PLANS_KEPT)
def _published(storage: Storage, where: str) -> bytes:
    return read(storage, where)


def _folder(product: ProductId, port: OutputPort) -> str:
    return f"{CONTAINER}/{product}/{port.name}/{port.version}"
