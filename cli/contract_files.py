"""Contracts that a command is given as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.failures import ExitCode, Failed, wrong_call

if TYPE_CHECKING:
    from mesh.errors import Rejected
    from mesh.model.contract import DataContract

CHUNK = 1024 * 1024


Variables = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar="NAME=VALUE",
        help="Value of a variable that the contract uses; may be given several times.",
    ),
]


def values_of(variables: list[str] | None) -> dict[str, str]:
    """The values that `--var` gives, by name.

    Raises:
        Failed: one is not of its form.
    """
    found = {}
    for given in variables or ():
        name, equals, value = given.partition("=")
        if not equals or not name.isidentifier():
            raise wrong_call(f"--var {given!r} is not of the form NAME=VALUE.")
        found[name] = value
    return found


def contract_of(file: Path, variables: list[str] | None = None) -> DataContract:
    """The contract in a file: ODCS, or the JSON Schema of one record.

    Args:
        variables: as `--var` gives them.

    Raises:
        Failed: it cannot be read, or is no contract; all findings are given.
    """
    from mesh.checking import read_contract
    from mesh.errors import Rejected

    try:
        return read_contract(file.name, bytes_of(file), variables=values_of(variables))
    except Rejected as wrong:
        raise refused(wrong) from None


def object_of(contract: DataContract, wanted: str | None) -> str:
    """The object to work with: the one that is wanted, or the only one.

    Raises:
        Failed: there is no such object, or several to choose from.
    """
    from mesh.checking import choose_object
    from mesh.errors import Rejected

    try:
        return choose_object(contract, wanted)
    except Rejected as wrong:
        raise refused(wrong) from None


def refused(wrong: Rejected) -> Failed:
    """What is wrong with a contract as the end of a command."""
    document: dict[str, Any] = {
        "type": f"urn:mesh:problems:{wrong.problem}",
        "title": wrong.problem.replace("-", " ").capitalize(),
        "detail": str(wrong),
    }
    findings = [asdict(found) for found in wrong.findings]
    if findings:
        document["findings"] = findings
    return Failed(str(wrong), problem=wrong.problem, code=ExitCode.USAGE, document=document)


def bytes_of(file: Path) -> bytes:
    """A small file whole.

    Raises:
        Failed: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as wrong:
        raise unreadable(file, wrong) from None


def chunks_of(file: Path) -> Iterator[bytes]:
    """The bytes of a file of any size.

    Raises:
        Failed: it cannot be read.
    """
    try:
        with file.open("rb") as data:
            yield from iter(lambda: data.read(CHUNK), b"")
    except OSError as wrong:
        raise unreadable(file, wrong) from None


def unreadable(file: Path, wrong: OSError) -> Failed:
    """A file that cannot be read, and why."""
    return wrong_call(f"{file} cannot be read: {wrong.strerror}.", problem="unreadable-file")
