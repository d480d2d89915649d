"""What the first bytes of a file say it is, where its name says that it is text."""

from __future__ import annotations

from mesh.validation.report import FileRefusedError

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_AVRO = b"Obj\x01"
_PARQUET = b"PAR1"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT = 16
"""Blocks of text are longer, so that it does not depend on them what is said."""
_UTF_8 = (
    "Write the file as UTF-8; of delimited text, the contract's fileDialect may say encoding: "
    "utf-16 instead."
)


def refuse_other(data: bytes, *, wide: bool) -> None:
    """Refuse a file that is not text, by its beginning.

    Args:
        data: Its first bytes.
        wide: Whether it is to be UTF-16.

    Raises:
        FileRefusedError: It is packed, of another format, or UTF-16 when it should not be.
    """
    for mark, name, ending in ((GZIP, "gzip", ".gz"), (ZSTD, "zstd", ".zst")):
        if data.startswith(mark):
            raise FileRefusedError(
                "compression",
                f"The file is compressed with {name}, where text is due.",
                f"Give its name the ending {ending}, once for each time that it was compressed, or "
                f"say so in the contract's fileDialect.",
            )
    found = _format(data)
    if found:
        raise FileRefusedError(
            "format",
            f"The file is {found[0]}, and its name says that it is text.",
            f"Name it by its format: {found[1]}.",
        )
    if not wide:
        _refuse_wide(data)


def _format(data: bytes) -> tuple[str, str] | None:
    """What a file is that is no text, and what such a file is called."""
    if data.startswith(_ZIP):
        return "a workbook, or another zip archive", ".xlsx, if it is a workbook"
    if data.startswith(OLE):
        return "a workbook of a format before .xlsx", "save it as .xlsx"
    if data.startswith(_AVRO):
        return "Avro", ".avro"
    if data.startswith(_PARQUET) and not data[4:5].isspace() and data[4:5] < b" ":
        return "Parquet", ".parquet"
    return None


def _refuse_wide(data: bytes) -> None:
    if data[:2] in _WIDE_BOMS:
        said = "The file is UTF-16 (its byte-order mark says so), not UTF-8."
        raise FileRefusedError("encoding", said, _UTF_8)
    head = data[: min(_LOOKED_AT, len(data) // 2 * 2)]
    halves = head[::2], head[1::2]
    if len(head) > 2 and any(not any(a) and all(b) for a, b in (halves, halves[::-1])):
        said = "The file is UTF-16 without a byte-order mark (every second byte is 0), not UTF-8."
        raise FileRefusedError("encoding", said, _UTF_8)
