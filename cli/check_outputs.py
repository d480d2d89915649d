"""What `mesh check --out` writes: receipt, violations, good and bad rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from cli.failures import wrong_call
from cli.output import write_json

if TYPE_CHECKING:
    from mesh.checking import Check
    from mesh.validation import RejectFile, Sink


PARQUET = "accepted.parquet"
"""The file, or the folder of data that the contract parts."""


RECEIPT = "receipt.json"


class Part:
    """A part of the good rows."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file.open("wb")

    def write(self, data: bytes, /) -> None:
        self._file.write(data)

    def commit(self) -> None:
        self._file.close()


class CheckOutputs:
    """The files that `--out` asks for; the good rows stay only if the file is accepted.

    Of a check that does not come to its receipt, nothing stays.

    Args:
        folder: Where they go; None for nowhere.
        asked: What is checked.
        read: The files that the check reads, none of which may be written over.
    """

    def __init__(self, folder: Path | None, asked: Check, *, read: Iterable[Path]) -> None:
        self._folder, self._asked, self._read = folder, asked, read
        self._exit, self._kept = ExitStack(), False
        records, whole = _endings(asked.file)
        self._names = {
            "published": f"accepted{records}",
            "parquet": PARQUET,
            "rejects": f"rejected{whole}",
            "rejects-lines": f"rejected{whole}.jsonl",
            "violations": "violations.jsonl",
        }
        if asked.is_parted:
            del self._names["parquet"]
        self._rejects: RejectFile | None = None
        self.sink: Sink
        self.parquet: IO[bytes] | None = None

    def __enter__(self) -> Self:
        from mesh.validation import NullSink, StreamSink

        if self._folder is None:
            self.sink = NullSink()
            return self
        self._spare_what_is_read(self._folder)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _remove_earlier(self._folder)
            streams = {
                key: self._exit.enter_context((self._folder / name).open("wb"))
                for key, name in self._names.items()
            }
        except OSError as wrong:
            self._exit.close()
            message = (
                f"{self._folder} cannot be written to: {wrong.strerror}. Choose another --out."
            )
            raise wrong_call(message, problem="unwritable-folder") from None
        self.parquet = streams.get("parquet")
        self._rejects = self._asked.rejects(
            native=streams["rejects"], lines=streams["rejects-lines"]
        )
        self.sink = StreamSink(
            accepted=streams["published"],
            rejects=self._rejects,
            violations=streams["violations"],
        )
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._rejects is not None:
                self._rejects.close()
            self._exit.close()
        finally:
            if self._folder is not None and not self._kept:
                for name in (*self._names.values(), RECEIPT):
                    (self._folder / name).unlink(missing_ok=True)
                if self._asked.is_parted:
                    shutil.rmtree(self._folder / PARQUET, ignore_errors=True)

    def _spare_what_is_read(self, folder: Path) -> None:
        written = folder.resolve()
        for file in self._read:
            place = file.resolve()
            beside = place.parent == written and (
                place.name in self._names.values()
                or place.name.startswith(("accepted.", "rejected."))
            )
            if beside or written / PARQUET in place.parents:
                message = f"{file} is read, and would be written over in --out. Choose another."
                raise wrong_call(message)

    @property
    def parts(self) -> Callable[[str], Part] | None:
        """Opens a file of Parquet in parts; None without a folder."""
        folder = self._folder
        return None if folder is None else lambda path: Part(folder / PARQUET / path)

    def keep(self, receipt: dict[str, Any]) -> None:
        """Remove what the verdict has no use for, and write down the rest in the receipt."""
        if self._folder is None:
            return
        wanted = ["published", "parquet"] if receipt["verdict"] == "accepted" else []
        if self._rejects is not None and receipt["counts"]["rejected"]:
            native = self._rejects.finish() == "native"
            wanted += ["rejects" if native else "rejects-lines", "violations"]
        self._exit.close()
        for key, name in self._names.items():
            if key in wanted:
                receipt["locations"][key.partition("-")[0]] = str(self._folder / name)
            else:
                (self._folder / name).unlink()
        if self._asked.is_parted and receipt["verdict"] == "accepted":
            receipt["locations"]["parquet"] = str(self._folder / PARQUET)
        write_receipt(self._folder / RECEIPT, receipt)
        self._kept = True


def _remove_earlier(folder: Path) -> None:
    """Remove what a check of a file of another format has left beside its receipt."""
    from mesh.validation import FileFormat

    if not (folder / RECEIPT).exists():
        return
    for path in (*folder.glob("accepted.*"), *folder.glob("rejected.*")):
        if path.is_dir() and path.name == PARQUET:
            shutil.rmtree(path)
        elif isinstance(FileFormat.from_name(path.name), FileFormat):
            path.unlink()
    (folder / RECEIPT).unlink()


def _endings(file: str) -> tuple[str, str]:
    """Of the file with good rows, and of the one with bad rows, which is written as the file is."""
    from mesh.validation import FileFormat

    file_format = FileFormat.from_name(file)
    if not isinstance(file_format, FileFormat):
        return Path(file).suffix, Path(file).suffix
    whole = file.split(".")[-2:] if file_format.compression != "none" else file.split(".")[-1:]
    return Path(file_format.records_name(file)).suffix, f".{'.'.join(whole)}"


def write_receipt(file: Path, receipt: dict[str, Any]) -> None:
    """The receipt as a file of its own."""
    with file.open("w", encoding="utf-8") as stream:
        write_json(receipt, to=stream)
