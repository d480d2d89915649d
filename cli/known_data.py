"""What the relationships of a checked file point at, where there is no mesh to ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.contract_files import chunks_of, contract_of
from cli.failures import wrong_call

if TYPE_CHECKING:
    from mesh.known_data import KnownData
    from mesh.model.contract import DataContract

With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="DOMAIN/PRODUCT[/OBJECT]=FILE",
        help="What relationships to that product are checked against; may be given several times.",
    ),
]
_GIVEN = re.compile(r"([^/=]+/[^/=]+)(?:/([^/=]+))?=(.+)")


def known_data(given: list[str]) -> list[KnownData]:
    """The data that `--with` gives.

    Raises:
        Failed: one is not of its form, or names no file.
    """
    return [_known(one) for one in given]


def referred_contracts(contract: DataContract, folder: Path) -> dict[str, DataContract]:
    """The contracts that the relationships of a contract lead to, by the file that they name.

    Those that do not lie there, as URLs never do, are left out.

    Args:
        folder: that the contract lies in.
    """
    files = {one.file for item in contract.objects.values() for one in item.relationships}
    return {
        file: contract_of(folder / file)
        for file in sorted(files)
        if file and "://" not in file and (folder / file).is_file()
    }


def samples_of(
    contract: DataContract, folder: Path, contracts: Mapping[str, DataContract]
) -> list[KnownData]:
    """The good samples beside the contracts that relationships lead to, as known data."""
    from mesh.known_data import KnownData
    from mesh.model.relationship_targets import find_target

    found = {}
    for one in (one for item in contract.objects.values() for one in item.relationships):
        if one.file not in contracts or one.product is None:
            continue
        document = contracts[one.file].document
        target = find_target(document, one.object_name, one.properties)
        if target is None:
            continue
        good = ((folder / one.file).parent / "good").rglob("*")
        named = {file.name.partition(".")[0]: file for file in sorted(good, reverse=True)}
        sample = named.get(target.object_name)
        if sample is not None:
            found[one.product, one.object_name] = KnownData(
                product=one.product,
                object_name=one.object_name,
                file=sample.name,
                opened=partial(chunks_of, sample),
            )
    return list(found.values())


def opened(file: Path | None) -> Callable[[], Iterable[bytes]] | None:
    """A file that can be read again; standard input cannot."""
    return None if file is None else partial(chunks_of, file)


def _known(given: str) -> KnownData:
    from mesh.known_data import KnownData

    found = _GIVEN.fullmatch(given)
    if not found:
        raise wrong_call(f"--with {given!r} is not of the form DOMAIN/PRODUCT[/OBJECT]=FILE.")
    file = Path(found[3])
    if not file.is_file():
        raise wrong_call(f"The file {found[3]!r} of --with does not exist.")
    return KnownData(
        product=found[1], object_name=found[2], file=file.name, opened=partial(chunks_of, file)
    )
