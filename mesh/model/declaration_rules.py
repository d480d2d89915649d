"""The rules of a declaration, and the sheet on which what breaks them is noted."""

from __future__ import annotations

from collections.abc import Mapping

from mesh.model.findings import Finding

RULES: Mapping[str, str] = {
    "declaration.file-name": "A file is named NAME.odps.yaml or NAME.odcs.yaml, with no path.",
    "declaration.too-many-files": "A declaration has at most 100 files.",
    "declaration.product-file": "A declaration has exactly one product file.",
    "declaration.missing": "A product says its address, domain, version, status and ports.",
    "declaration.variable": "A value the mesh reads holds no unresolved variable.",
    "declaration.address": "A product's id is urn:mesh:DOMAIN:PRODUCT, of names that are slugs.",
    "declaration.domain": "The product's file, address and contracts name the same domain.",
    "declaration.data-product": "A contract that names its product names this one.",
    "declaration.version": "A version is MAJOR.MINOR.PATCH.",
    "declaration.owner": "A product has an owner: a named team, or a member with the role owner.",
    "declaration.support": "A product has a support channel with a URL.",
    "declaration.port-name": "The name of a port is a slug.",
    "declaration.port-twice": "A port's name stands once for each major version.",
    "declaration.deprecation": "When a deprecated port ends is a time; how to move is a URL.",
    "declaration.contract-id": "A port's contract is urn:mesh:DOMAIN:PRODUCT:PORT of that port.",
    "declaration.contract-missing": "Each port's contract, in its version, is in the folder.",
    "declaration.contract-standard": "A contract in a declaration is an ODCS document.",
    "declaration.contract-orphaned": "Each contract in the folder belongs to a port.",
    "declaration.contract-twice": "A version of a contract is in the folder once.",
    "declaration.object-name": "The name of an object can be part of a path.",
    "declaration.object-twice": "An object's name stands once in all ports of a major version.",
    "declaration.input": "An input from the mesh is the port of another product.",
    "declaration.input-twice": "Each input from the mesh has a name of its own.",
    "odps.version": "The apiVersion of a product's file is a supported version of ODPS.",
    "odps.missing": "What the standard requires is there.",
    "odps.unknown-key": "A key is one that the standard knows at that place.",
    "odps.type": "A value is of the type that the standard asks for.",
    "odps.value": "A value is one that the standard allows.",
    "odps.format": "A value has the format that the standard asks for: a URL, a date, a time.",
}
"""What each rule asks. The rules of contracts are told by the contract check."""


class Sheet:
    """Collects findings; one place in a document gets one finding, the first."""

    def __init__(self) -> None:
        self._findings: dict[tuple[str, str], Finding] = {}

    def note(self, file: str, path: str, rule: str, message: str, remedy: str) -> None:
        """Note that `rule` is broken, unless something is noted of the same place."""
        assert rule in RULES, rule
        found = Finding(file=file, path=path, rule=rule, message=message, remedy=remedy)
        self._findings.setdefault((file, path), found)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noted, in that order."""
        return tuple(self._findings.values())
