"""A declaration: the documents with which a producer brings a data product into the mesh.

A folder with one file of the Open Data Product Standard (`product.odps.yaml`), and one file of the
Open Data Contract Standard for each output port (`countries.odcs.yaml`). What is asked of them is
told rule by rule in `docs/declaration-profile.md`; whatever breaks a rule is said at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.model.canonical import digest_of
from mesh.model.contract_check import check_contract, is_record_schema
from mesh.model.declaration_rules import Sheet
from mesh.model.findings import Finding
from mesh.model.names import OBJECT_RULE, ProductId, is_object_name, major_of
from mesh.model.odps import check_odps
from mesh.model.odps_product import PortEntry, ProductReader
from mesh.model.pointers import pointer
from mesh.model.product import DataProduct, OutputPort

MAX_FILES = 100
_FILE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,87}\.(odps|odcs)\.(?:yaml|yml|json)")

Documents = Mapping[str, Mapping[str, Any] | Finding]
"""By file name, the documents of a declaration, or why one could not be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredContract:
    """The contract of an output port.

    Attributes:
        document: the ODCS document, plain data.
        digest: SHA-256 of its canonical JSON text.
    """

    port: OutputPort
    file: str
    document: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
    """A checked declaration.

    Attributes:
        file: name of the product's file.
        document: the ODPS document, plain data.
        contracts: one for each output port of the product, in the same order.
    """

    product: DataProduct
    file: str
    document: Mapping[str, Any]
    contracts: tuple[DeclaredContract, ...]


def is_declaration_file(name: str) -> bool:
    """Whether a file of this name in a product's folder belongs to its declaration."""
    return _FILE.fullmatch(name) is not None


def check_file_names(names: Sequence[str]) -> tuple[Finding, ...]:
    """What is wrong with the files of a declaration before one of them is read."""
    sheet = Sheet()
    if len(names) > MAX_FILES:
        message = f"There are {len(names)} files; a declaration has at most {MAX_FILES}."
        sheet.note("", "", "declaration.too-many-files", message, "Split the product.")
        return sheet.findings
    for name in names:
        if not is_declaration_file(name):
            message = f"{name!r} is not the name of a file of a declaration."
            remedy = "Name it NAME.odps.yaml or NAME.odcs.yaml (or .yml, .json), without a folder."
            sheet.note(name, "", "declaration.file-name", message, remedy)
    return sheet.findings


def check_declaration(documents: Documents) -> Declaration | tuple[Finding, ...]:
    """Check the documents of a declaration, each by itself and all against each other.

    Returns:
        The declaration, or everything that is wrong with it, in the order of the files.
    """
    findings = check_file_names(tuple(documents))
    if findings:
        return findings
    check = _Check(documents)
    declaration = check.run()
    return declaration or tuple(sorted(check.findings, key=lambda found: found.file))


def _is_product(name: str) -> bool:
    found = _FILE.fullmatch(name)
    return found is not None and found[1] == "odps"


class _Check:
    """One run of the checks; the findings gather on the way."""

    def __init__(self, documents: Documents) -> None:
        self._sheet = Sheet()
        self._unread = [found for found in documents.values() if isinstance(found, Finding)]
        self._contract_findings: list[Finding] = []
        read = {name: doc for name, doc in documents.items() if not isinstance(doc, Finding)}
        self._contracts = {name: doc for name, doc in read.items() if not _is_product(name)}
        self._products = {name: doc for name, doc in read.items() if _is_product(name)}
        self._product_files = [name for name in documents if _is_product(name)]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self._unread, *self._sheet.findings, *self._contract_findings)

    def run(self) -> Declaration | None:
        for file, document in self._contracts.items():
            if is_record_schema(document):
                self._note_record_schema(file)
            else:
                self._contract_findings += check_contract(document, file=file)
        self._check_product_files()
        for file, document in self._products.items():
            check_odps(document, file=file, sheet=self._sheet)
        if len(self._product_files) != 1 or not self._products:
            return None
        [(file, document)] = self._products.items()
        return self._read(file, document)

    def _note_record_schema(self, file: str) -> None:
        message = "The file is a JSON Schema of a record, which has no version and no owner."
        remedy = "Write an ODCS contract; the mesh publishes the JSON Schema of its records."
        self._sheet.note(file, "", "declaration.contract-standard", message, remedy)

    def _check_product_files(self) -> None:
        if not self._product_files:
            message = "No file describes the product."
            remedy = "Add product.odps.yaml, after the Open Data Product Standard."
            self._sheet.note("", "", "declaration.product-file", message, remedy)
        for file in self._product_files[1:]:
            message = f"A second file describes a product; {self._product_files[0]} is the first."
            remedy = "Keep one; each product has a folder of its own."
            self._sheet.note(file, "", "declaration.product-file", message, remedy)

    def _read(self, file: str, document: Mapping[str, Any]) -> Declaration | None:
        reader = ProductReader(document, file=file, sheet=self._sheet)
        address = reader.address()
        version, status, owner = reader.version(), reader.status(), reader.owner()
        entries = reader.output_ports(address)
        inputs = reader.input_ports(address)
        title, purpose = reader.title(), reader.purpose()
        files = self._match(file, entries)
        if address is not None:
            self._check_ownership(address, title)
        ports = self._ports(files)
        if self.findings or address is None or version is None or status is None or owner is None:
            return None
        product = DataProduct(
            id=address,
            name=title or address.product,
            version=version,
            status=status,
            purpose=purpose,
            tags=reader.tags(),
            owner=owner,
            output_ports=tuple(ports.values()),
            input_ports=inputs,
            digest=self._digest(document),
        )
        return Declaration(
            product=product, file=file, document=document, contracts=tuple(self._declared(ports))
        )

    def _match(self, file: str, entries: Sequence[PortEntry]) -> dict[str, PortEntry]:
        """The port that each contract file belongs to, in the order of the ports."""
        by_key = self._by_key()
        files: dict[str, PortEntry] = {}
        told: set[str] = set()
        for entry in entries:
            if entry.contract_id is None or entry.version is None:
                continue
            found = by_key.get((entry.contract_id, entry.version))
            if found is not None:
                files[found] = entry
                continue
            others = {key[1]: name for key, name in by_key.items() if key[0] == entry.contract_id}
            told |= set(others.values())
            self._note_missing(file, entry, sorted(others))
        if entries and all(entry.contract_id and entry.version for entry in entries):
            self._note_orphans(set(by_key.values()) - files.keys() - told)
        return files

    def _by_key(self) -> dict[tuple[str, str], str]:
        """Contract files by the contract's id and version."""
        by_key: dict[tuple[str, str], str] = {}
        for file, document in self._contracts.items():
            identity, version = document.get("id"), document.get("version")
            if not isinstance(identity, str) or not isinstance(version, str):
                continue
            first = by_key.setdefault((identity, version), file)
            if first != file:
                message = f"{first} is version {version} of this contract already."
                remedy = "Remove one of the two files, or correct its id or version."
                self._sheet.note(file, "/id", "declaration.contract-twice", message, remedy)
        return by_key

    def _note_missing(self, file: str, entry: PortEntry, others: Sequence[str]) -> None:
        path = pointer(entry.path, "version" if others else "contractId")
        if others:
            message = (
                f"The folder has the contract in version {', '.join(others)}, not {entry.version}."
            )
            remedy = "Name the same version in the port and in its contract."
        elif self._unread:
            return  # it may be the one that could not be read
        else:
            message = f"The folder has no contract {entry.contract_id}, version {entry.version}."
            remedy = "Add the file NAME.odcs.yaml with that id and version."
        self._sheet.note(file, path, "declaration.contract-missing", message, remedy)

    def _note_orphans(self, files: set[str]) -> None:
        for file in sorted(files):
            message = "No output port of the product names this contract."
            remedy = "Add an output port with its id as contractId and its version, or remove it."
            self._sheet.note(file, "/id", "declaration.contract-orphaned", message, remedy)

    def _check_ownership(self, address: ProductId, title: str | None) -> None:
        """Check that contracts that say whose they are say the same as the product."""
        allowed = {"domain": (address.domain,), "dataProduct": (address.product, title)}
        rules = {"domain": "declaration.domain", "dataProduct": "declaration.data-product"}
        for file, document in self._contracts.items():
            for key, names in allowed.items():
                said = document.get(key)
                if isinstance(said, str) and said not in names:
                    message = f"The contract says {key}: {said!r}; the product is {address}."
                    remedy = f"Write {key}: {names[0]}."
                    self._sheet.note(file, f"/{key}", rules[key], message, remedy)

    def _ports(self, files: Mapping[str, PortEntry]) -> dict[str, OutputPort]:
        """The output ports by contract file, in the order of the product's document."""
        ports: dict[str, OutputPort] = {}
        seen: dict[tuple[int, str], str] = {}
        for file, entry in files.items():
            if entry.name and entry.version and entry.contract_id:
                objects = self._objects(file, major_of(entry.version), seen)
                ports[file] = OutputPort(
                    name=entry.name,
                    version=entry.version,
                    contract_id=entry.contract_id,
                    objects=objects,
                    deprecation=entry.deprecation,
                )
        return ports

    def _objects(self, file: str, major: int, seen: dict[tuple[int, str], str]) -> tuple[str, ...]:
        """The names of a contract's objects; `seen` are those of the ports before it."""
        names = []
        elements = self._contracts[file].get("schema")
        for index, element in enumerate(elements if isinstance(elements, list) else ()):
            name = element.get("name") if isinstance(element, dict) else None
            if not isinstance(name, str):
                continue
            path = f"/schema/{index}/name"
            if not is_object_name(name):
                message = f"{name!r} cannot name an object."
                remedy = f"Use {OBJECT_RULE}; the name in the source goes into physicalName."
                self._sheet.note(file, path, "declaration.object-name", message, remedy)
            # Names that differ only in case would be one and the same in event filters.
            first = seen.setdefault((major, name.casefold()), file)
            if name in names or first != file:
                message = (
                    f"The object {name!r} is in version {major} of the product already: {first}."
                )
                remedy = "Give each object of a major version a name of its own."
                self._sheet.note(file, path, "declaration.object-twice", message, remedy)
            names.append(name)
        return tuple(names)

    def _declared(self, ports: Mapping[str, OutputPort]) -> list[DeclaredContract]:
        return [
            DeclaredContract(
                port=port,
                file=file,
                document=self._contracts[file],
                digest=digest_of(self._contracts[file]),
            )
            for file, port in ports.items()
        ]

    def _digest(self, product: Mapping[str, Any]) -> str:
        contracts = sorted(digest_of(document) for document in self._contracts.values())
        return digest_of({"product": product, "contracts": contracts})
