"""Whether the SQL of a contract can be asked at all: it is, of no rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.model.contract import DataContract
from mesh.model.declaration import Declaration
from mesh.model.findings import Finding
from mesh.validation import compile_object, wrong_queries


def query_findings(document: Mapping[str, Any], *, file: str) -> list[Finding]:
    """The queries of a checked contract that are no SQL over its fields.

    Args:
        document: in which `check_contract` found nothing.
        file: name of the document, for the findings.
    """
    return list(_findings(DataContract.from_document(document), file))


def queries_of(declaration: Declaration) -> tuple[Finding, ...]:
    """The queries of a checked declaration that are no SQL over its fields."""
    return tuple(
        finding
        for declared in declaration.contracts
        for finding in query_findings(declared.document, file=declared.file)
    )


def _findings(contract: DataContract, file: str) -> Iterator[Finding]:
    for name in contract.objects:
        for rule, why in wrong_queries(compile_object(contract, name)):
            yield Finding(
                file=file,
                path=f"{rule.pointer}/query",
                rule="contract.query",
                message=f"The query cannot be asked: {why}.",
                remedy="Write one SELECT that gives one number, or true or false, over the object "
                "and its fields as files name them: docs/contract-profile.md.",
            )
