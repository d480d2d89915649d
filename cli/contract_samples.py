"""`mesh contract test`: the samples beside a contract, and the verdicts they are to get."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.contract_files import Variables, bytes_of, chunks_of, contract_of
from cli.failures import ExitCode, Failed, wrong_call
from cli.known_data import opened, referred_contracts, samples_of
from cli.options import AsJson
from cli.output import plural, say, show, table, write_json

if TYPE_CHECKING:
    from mesh.model.contract import DataContract

EXPECTATIONS = "samples.json"
_CONTRACTS = ("*.odcs.yaml", "*.odcs.yml", "*.odcs.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A sample that was judged.

    Attributes:
        file: relative to the contract's folder.
        rejected: how many of its rows.
        rules: that were broken, by rows or by the file as a whole; sorted.
        wrong: how that differs from what is expected; empty when it does not.
    """

    file: str
    object: str
    verdict: str
    rejected: int
    rules: tuple[str, ...]
    wrong: tuple[str, ...]


def try_samples(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder with contracts (*.odcs.yaml) and samples in good/ and bad/.",
            exists=True,
            file_okay=False,
        ),
    ],
    variables: Variables = None,
    as_json: AsJson = False,
) -> None:
    """Judge the samples beside a contract: good ones must be accepted, bad ones must not.

    Exits with 1 when one gets another verdict, or breaks other rules than samples.json expects.
    """
    samples = list(_samples(folder, variables))
    failed = [sample for sample in samples if sample.wrong]
    if as_json:
        write_json({"samples": [asdict(sample) for sample in samples], "failed": len(failed)})
    else:
        columns = ("sample", "verdict", "bad rows", "rules broken", "expected otherwise")
        rows = (
            (s.file, s.verdict, s.rejected, ", ".join(s.rules), " ".join(s.wrong)) for s in samples
        )
        show(table(columns, rows))
        style = "bold red" if failed else "bold green"
        say(f"{plural(len(samples), 'sample')}, {len(failed)} not as expected", style=style)
    if failed:
        raise typer.Exit(ExitCode.REFUSED)


def _samples(folder: Path, variables: list[str] | None) -> Iterator[Sample]:
    offered = _offered(folder, variables)
    expected = _expectations(folder)
    files = [
        (kind, file)
        for kind in ("good", "bad")
        for file in sorted((folder / kind).rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    ]
    names = {file.relative_to(folder).as_posix() for _, file in files}
    if not files:
        message = f"{folder} has no samples; put files into its folders good and bad."
        raise wrong_call(message, problem="no-samples")
    for name in expected.keys() - names:
        message = f"{folder / EXPECTATIONS} expects something of {name!r}, which is not there."
        raise wrong_call(message, problem="no-samples")
    for kind, file in files:
        name = file.relative_to(folder).as_posix()
        yield _judged(file, folder, name, kind, expected.get(name, {}), offered)


def _offered(folder: Path, variables: list[str] | None) -> dict[str, DataContract]:
    """The contract of each object of the folder."""
    files = sorted(file for pattern in _CONTRACTS for file in folder.glob(pattern))
    if not files:
        message = f"{folder} has no contract (NAME.odcs.yaml)."
        raise wrong_call(message, problem="no-declaration")
    return {
        name: contract
        for file in files
        for contract in [contract_of(file, variables)]
        for name in contract.objects
    }


def _expectations(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    file = folder / EXPECTATIONS
    if not file.exists():
        return {}
    try:
        read = json.loads(bytes_of(file))
        good = {name: dict(entry) for name, entry in read.items()}
    except (ValueError, AttributeError, TypeError):
        message = (
            f'{file} is not of the form {{"bad/a.csv": {{"object": …, "verdict": …, '
            f'"rejected": …, "rules": […]}}}}.'
        )
        raise wrong_call(message, problem="unreadable-file") from None
    return good


def _judged(
    file: Path,
    folder: Path,
    name: str,
    kind: str,
    expected: Mapping[str, Any],
    offered: Mapping[str, DataContract],
) -> Sample:
    from mesh.checking import Check
    from mesh.validation import NullSink

    chosen = _object(file, expected.get("object"), offered)
    contract = offered[chosen]
    contracts = referred_contracts(contract, folder)
    check = Check(
        file=file.name,
        contract=contract,
        object_name=chosen,
        known=samples_of(contract, folder, contracts),
        contracts=contracts,
    )
    receipt = check.run(chunks_of(file), NullSink(), at=datetime.now(UTC), again=opened(file))
    broken = {*receipt["counts"]["byRule"], *(entry["rule"] for entry in receipt["problems"])}
    found = {
        "verdict": receipt["verdict"],
        "rejected": receipt["counts"]["rejected"],
        "rules": tuple(sorted(broken)),
    }
    return Sample(file=name, object=chosen, wrong=tuple(_wrong(kind, expected, found)), **found)


def _object(file: Path, wanted: str | None, offered: Mapping[str, DataContract]) -> str:
    """The object that is expected, the only one, or the one the file or its folder is named by."""
    candidates = [wanted] if wanted else [file.name.partition(".")[0], file.parent.name]
    named = [name for name in candidates if name in offered]
    if named:
        return named[0]
    if len(offered) == 1 and wanted is None:
        return next(iter(offered))
    message = (
        f"Which object {file} holds is not known; the contracts have {', '.join(offered)}. Name "
        f"the file by its object, or say it in {EXPECTATIONS}."
    )
    raise Failed(message, problem="unknown-object", code=ExitCode.USAGE)


def _wrong(kind: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """A contract that takes files with a few bad rows may accept a bad sample, not its bad rows."""
    clean = found["verdict"] == "accepted" and not found["rejected"]
    if clean != (kind == "good"):
        yield "It breaks a rule." if kind == "good" else "It breaks no rule."
    for part in ("verdict", "rejected"):
        if part in expected and expected[part] != found[part]:
            yield f"{part} is to be {expected[part]}."
    if "rules" in expected and tuple(sorted(expected["rules"])) != found["rules"]:
        yield f"The rules are to be {', '.join(sorted(expected['rules'])) or 'none'}."
