"""What the mesh reads of a product's ODPS document, and what it asks beyond the standard.

The document may be anything: whatever is not there, or not of the right type, reads as absent, and
is noted once, by the standard's own check if that has noticed it already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.errors import Rejected
from mesh.model.addresses import PREFIX, PortAddress, parse_product_address
from mesh.model.declaration_rules import Sheet
from mesh.model.names import SLUG_RULE, VERSION_RULE, ProductId, is_slug, major_of
from mesh.model.odps_deprecation import deprecation_of
from mesh.model.pointers import pointer
from mesh.model.product import Deprecation, InputPort, Owner


@dataclass(frozen=True, kw_only=True, slots=True)
class PortEntry:
    """An output port as it is declared; what is wrong with it is noted, and None here.

    Attributes:
        path: of the port in the document.
    """

    path: str
    name: str | None
    version: str | None
    contract_id: str | None
    deprecation: Deprecation | None = None


class ProductReader:
    """Reads one ODPS document, and notes on `sheet` what the mesh cannot take."""

    def __init__(self, document: Mapping[str, Any], *, file: str, sheet: Sheet) -> None:
        self._document = document
        self._file = file
        self._sheet = sheet

    def address(self) -> ProductId | None:
        """The product's address: its `id`, whose domain is also its `domain`."""
        text = self.text(self._document, "", "id", "id: urn:mesh:DOMAIN:PRODUCT")
        domain = self.text(self._document, "", "domain", "domain: the slug of the owning domain")
        if text is None:
            return None
        try:
            address = parse_product_address(text)
        except Rejected as error:
            remedy = "Write id: urn:mesh:DOMAIN:PRODUCT; the title of the product goes into name."
            self._note("/id", "declaration.address", str(error), remedy)
            return None
        if domain is not None and domain != address.domain:
            message = f"The domain is {domain!r}, but the id says {address.domain!r}."
            self._note("/domain", "declaration.domain", message, "Name one domain in both.")
        return address

    def title(self) -> str | None:
        """`name`, for people."""
        return self.text(self._document, "", "name")

    def status(self) -> str | None:
        """`status`; the standard says which words are allowed."""
        return self.text(self._document, "", "status", "status: active, or another of the standard")

    def version(self) -> str | None:
        """`version` of the product."""
        return self._version(self._document, "", "version: 1.0.0")

    def purpose(self) -> str:
        """`description.purpose`, empty when there is none."""
        return self.text(_object(self._document, "description"), "/description", "purpose") or ""

    def tags(self) -> tuple[str, ...]:
        """`tags`."""
        return tuple(tag for tag in _list(self._document, "tags") if isinstance(tag, str))

    def owner(self) -> Owner | None:
        """The team that owns the product, and the first channel where it can be reached."""
        name = self._owner_name()
        if name is None:
            message = "Nobody is named who owns the product."
            remedy = "Add team.name, or a member of the team with role: owner and no dateOut."
            self._note("/team", "declaration.owner", message, remedy)
        channels = (
            self.text(channel, path, "url") for path, channel in _entries(self._document, "support")
        )
        contact = next((url for url in channels if url is not None), None)
        if contact is None:
            message = "There is no way to reach those who support the product."
            remedy = "Add support with a channel and its url, such as mailto:team@example.com."
            self._note("/support", "declaration.support", message, remedy)
        return Owner(name=name, contact=contact) if name and contact else None

    def _owner_name(self) -> str | None:
        team = self._document.get("team")
        if isinstance(team, dict):
            name = self.text(team, "/team", "name")
            if name is not None:
                return name
            members = _list(team, "members")
        else:
            members = _list(self._document, "team")
        for member in (entry for entry in members if isinstance(entry, dict)):
            is_owner = str(member.get("role", "")).strip().casefold() == "owner"
            name = member.get("name") or member.get("username")
            if is_owner and "dateOut" not in member and isinstance(name, str):
                return name
        return None

    def output_ports(self, product: ProductId | None) -> tuple[PortEntry, ...]:
        """`outputPorts`; each is the only one of its name and major version."""
        ports = []
        seen: set[tuple[str, int]] = set()
        for path, entry in _entries(self._document, "outputPorts"):
            port = self._output_port(entry, path, product)
            ports.append(port)
            if port.name is None or port.version is None:
                continue
            key = (port.name, major_of(port.version))
            if key in seen:
                message = f"The port {port.name!r} has version {key[1]} a second time."
                remedy = "Keep the newest version of each major; a new major may stand beside it."
                self._note(path, "declaration.port-twice", message, remedy)
            seen.add(key)
        return tuple(ports)

    def _output_port(
        self, entry: Mapping[str, Any], path: str, product: ProductId | None
    ) -> PortEntry:
        name = self._slug(entry, path, "port")
        wanted = str(PortAddress(product=product, port=name)) if product and name else None
        example = f"contractId: {wanted or 'urn:mesh:DOMAIN:PRODUCT:PORT'}"
        contract_id = self.text(entry, path, "contractId", example)
        if contract_id is not None and wanted is not None and contract_id != wanted:
            message = f"The contract of the port {name!r} is {contract_id!r}, not {wanted!r}."
            remedy = f"Write {example}, and the same as id of the contract."
            place = pointer(path, "contractId")
            self._note(place, "declaration.contract-id", message, remedy)
            contract_id = None
        version = self._version(entry, path, "the version of the port's contract")
        deprecation = deprecation_of(
            entry, path, lambda *said: self._note(said[0], "declaration.deprecation", *said[1:])
        )
        return PortEntry(
            path=path,
            name=name,
            version=version,
            contract_id=contract_id,
            deprecation=deprecation,
        )

    def input_ports(self, product: ProductId | None) -> tuple[InputPort, ...]:
        """The `inputPorts` that read another product of the mesh; others are its own affair."""
        ports: dict[str, InputPort] = {}
        for path, entry in _entries(self._document, "inputPorts"):
            contract_id = self.text(entry, path, "contractId")
            if contract_id is None or not contract_id.startswith(PREFIX):
                continue
            port = self._input_port(entry, path, contract_id, product)
            if port is not None and port.name in ports:
                message = f"A second input is named {port.name!r}."
                place = pointer(path, "name")
                self._note(place, "declaration.input-twice", message, "Give it another name.")
            elif port is not None:
                ports[port.name] = port
        return tuple(ports.values())

    def _input_port(
        self, entry: Mapping[str, Any], path: str, contract_id: str, product: ProductId | None
    ) -> InputPort | None:
        place = pointer(path, "contractId")
        name = self._slug(entry, path, "port")
        version = self._version(entry, path) if "version" in entry else None
        try:
            upstream = PortAddress.parse(contract_id)
        except Rejected as error:
            remedy = "Copy the contractId of the output port that is to be read."
            self._note(place, "declaration.input", str(error), remedy)
            return None
        if upstream.product == product:
            message = f"The product reads its own port {upstream.port!r}."
            remedy = "Name the port of another product, or remove the input."
            self._note(place, "declaration.input", message, remedy)
            return None
        if name is None:
            return None
        return InputPort(
            name=name, product=upstream.product, contract_id=contract_id, version=version
        )

    def _slug(self, entry: Mapping[str, Any], path: str, kind: str) -> str | None:
        name = self.text(entry, path, "name", f"the name of the {kind}")
        if name is None or is_slug(name):
            return name
        message = f"{name!r} cannot name a {kind}."
        remedy = f"Use {SLUG_RULE}."
        self._note(pointer(path, "name"), "declaration.port-name", message, remedy)
        return None

    def _version(self, entry: Mapping[str, Any], path: str, example: str = "") -> str | None:
        version = self.text(entry, path, "version", example)
        if version is None:
            return None
        try:
            major_of(version)
        except Rejected as error:
            remedy = f"Write {VERSION_RULE}, without a v before it."
            self._note(pointer(path, "version"), "declaration.version", str(error), remedy)
            return None
        return version

    def text(self, entry: Mapping[str, Any], path: str, key: str, needed: str = "") -> str | None:
        """A text that is there and says something.

        Args:
            entry: the object it stands in.
            path: of that object.
            key: of the text.
            needed: what to write, if the mesh cannot do without; else absence is not noted.
        """
        value = entry.get(key)
        place = pointer(path, key)
        if isinstance(value, str) and "${" in value:
            message = f"{value!r} holds a variable, and the mesh does not know its value."
            self._note(place, "declaration.variable", message, "Resolve variables before sending.")
            return None
        if isinstance(value, str) and value.strip():
            return value
        if needed:
            message = f"The mesh needs {key!r} here."
            self._note(place, "declaration.missing", message, f"Add {needed}.")
        return None

    def _note(self, path: str, rule: str, message: str, remedy: str) -> None:
        self._sheet.note(self._file, path, rule, message, remedy)


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _entries(holder: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects in the list at `key` of the root, each with its pointer."""
    for index, entry in enumerate(_list(holder, key)):
        if isinstance(entry, dict):
            yield pointer(f"/{key}", index), entry


def _list(holder: Mapping[str, Any], key: str) -> list[Any]:
    found = holder.get(key)
    return found if isinstance(found, list) else []
