"""Chunks of any size become blocks of valid UTF-8 of a size worth working on."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterable, Iterator
from typing import Literal

from mesh.validation.report import FileRefusedError
from mesh.validation.signatures import GZIP, ZSTD, refuse_other

BLOCK = 1 << 20
_MOST_EXPANDED = 250
_HARMLESS = 16 << 20
_PACKED_PIECE = 1 << 16
"""So much at a time is unpacked: of a bomb no more than what is harmless, however it comes."""
_ZSTD_PIECE = 1 << 10
"""A block of four bytes may unpack to 128 KiB: 32 MiB at most come out of one piece."""
_UTF8_BOM = b"\xef\xbb\xbf"


def plain_chunks(
    chunks: Iterable[bytes], compression: Literal["none", "gzip", "zstd"]
) -> Iterator[bytes]:
    """The decompressed file, in pieces of bounded size.

    Raises:
        FileRefusedError: The file is not compressed in this way, is cut short, or unpacks to so
            much more than its size that it can only be meant to do harm.
    """
    if compression == "none":
        yield from chunks
        return
    packed = unpacked = 0

    def counted() -> Iterator[bytes]:
        nonlocal packed
        for chunk in chunks:
            for start in range(0, len(chunk), _PACKED_PIECE):
                piece = chunk[start : start + _PACKED_PIECE]
                packed += len(piece)
                yield piece

    for piece in _gunzip(counted()) if compression == "gzip" else _unzstd(counted()):
        unpacked += len(piece)
        if unpacked > _HARMLESS and unpacked > packed * _MOST_EXPANDED:
            raise FileRefusedError(
                "compression",
                f"The file unpacks to more than {_MOST_EXPANDED} times its size, as no records do.",
                "Send the file uncompressed if it is really meant so.",
            )
        yield piece


def text_blocks(chunks: Iterable[bytes], encoding: str, size: int = BLOCK) -> Iterator[bytes]:
    """Blocks of about `size` bytes, which are whole characters of the encoding.

    A UTF-8 byte-order mark is dropped. UTF-16 comes out as UTF-8; other encodings come out as
    they are, for they keep ASCII, and with it separators and line ends, in its place.

    Raises:
        FileRefusedError: A byte that the encoding does not know, and where it stands; or the file
            is no text.
    """
    name = codecs.lookup(encoding).name
    blocks = _looked_at(_coalesced(chunks, size), wide=name.startswith("utf-16"))
    if name.startswith("utf-16"):
        return _recoded(blocks, encoding)
    if name in {"utf-8", "utf-8-sig", "ascii"}:
        return _utf8(blocks)
    return _single_byte(blocks, encoding)


def _coalesced(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Pieces of about so many bytes: many small ones joined, large ones cut."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        for start in range(0, len(chunk), most):
            piece = chunk if len(chunk) <= most else chunk[start : start + most]
            held.append(bytes(piece))
            size += len(piece)
            if size >= most:
                yield b"".join(held)
                held, size = [], 0
    if held:
        yield b"".join(held)


def _looked_at(blocks: Iterator[bytes], *, wide: bool) -> Iterator[bytes]:
    for block in blocks:
        refuse_other(block, wide=wide)
        yield block
        break
    yield from blocks


def _utf8(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    offset = 0
    for block in blocks:
        data = rest + block if rest else block
        rest = b""
        if not data.isascii():
            data, rest = _cut(data, offset)
        offset += len(data)
        yield data
    if rest:
        raise _not_utf8(offset, rest)


def _cut(data: bytes, offset: int) -> tuple[bytes, bytes]:
    """Whole characters, and the beginning of the character that the next block continues."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and len(data) - error.start < 4:
            return data[: error.start], data[error.start :]
        raise _not_utf8(offset + error.start, data[error.start : error.start + 1]) from None
    return data, b""


def _not_utf8(offset: int, byte: bytes) -> FileRefusedError:
    return FileRefusedError(
        "encoding",
        f"The file is not UTF-8: byte {byte[0]:#04x} at offset {offset} starts no character.",
        "Write the file as UTF-8; of delimited text, the contract's fileDialect may say another "
        "encoding.",
    )


def _recoded(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0
    try:
        for block in blocks:
            yield decoder.decode(block).removeprefix("\ufeff").encode()
            offset += len(block)
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise _not_in(encoding, offset + getattr(error, "start", 0)) from None


def _single_byte(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    offset = 0
    for block in blocks:
        try:
            block.decode(encoding)
        except UnicodeDecodeError as error:
            raise _not_in(encoding, offset + error.start) from None
        offset += len(block)
        yield block


def _not_in(encoding: str, offset: int) -> FileRefusedError:
    return FileRefusedError(
        "encoding",
        f"The file is not {encoding}: the byte at offset {offset} stands for no character.",
        "Write the file in the encoding that the contract's fileDialect names, or correct it.",
    )


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    engine = zlib.decompressobj(wbits=31)
    started = False
    try:
        for chunk in _packed(chunks, "gzip", GZIP):
            data = chunk
            while data:
                if engine.eof:  # another member of the same file
                    engine = zlib.decompressobj(wbits=31)
                started = True
                yield engine.decompress(data, BLOCK)
                data = engine.unused_data if engine.eof else engine.unconsumed_tail
        if started and not engine.eof:
            yield engine.flush()
    except zlib.error as error:
        raise FileRefusedError(
            "compression",
            f"The file cannot be decompressed as gzip: {str(error).rpartition(': ')[2]}.",
            "Compress it again, or take .gz off its name when it is not compressed.",
        ) from None
    if started and not engine.eof:
        raise _cut_short("gzip")


def _unzstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError:
        raise FileRefusedError(
            "compression",
            "This installation cannot read zstd files.",
            "Compress with gzip, or install the zstandard package.",
        ) from None
    unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    engine = unpacker.decompressobj()
    started = False
    try:
        for chunk in _packed(chunks, "zstd", ZSTD):
            for start in range(0, len(chunk), _ZSTD_PIECE):
                data = chunk[start : start + _ZSTD_PIECE]
                while data:
                    if engine.eof:  # another frame of the same file
                        engine = unpacker.decompressobj()
                    started = True
                    yield engine.decompress(data)
                    data = engine.unused_data if engine.eof else b""
    except zstandard.ZstdError as error:
        raise FileRefusedError(
            "compression",
            f"The file cannot be decompressed as zstd: {error}.",
            "Compress it again, or take .zst off its name when it is not compressed.",
        ) from None
    if started and not engine.eof:
        raise _cut_short("zstd")


def _is_skippable(head: bytes) -> bool:
    """Whether a zstd file begins with what its readers are to skip, as that of pzstd does."""
    return 0x50 <= head[0] <= 0x5F and head[1:4] == b"\x2a\x4d\x18"


def _packed(chunks: Iterable[bytes], compression: str, mark: bytes) -> Iterator[bytes]:
    """The chunks of a file that begins as packed ones do."""
    head = b""
    for chunk in (pieces := iter(chunks)):
        head += chunk
        if len(head) >= len(mark):
            break
    if head and not (head.startswith(mark[: len(head)]) or _is_skippable(head)):
        raise FileRefusedError(
            "compression",
            f"The file is not compressed with {compression}, as its name or the contract says.",
            "Compress it, or take the ending off its name.",
        )
    if head:
        yield head
    yield from pieces


def _cut_short(compression: str) -> FileRefusedError:
    return FileRefusedError(
        "compression",
        f"The {compression} file is cut short: its end is missing.",
        "Send the whole file again.",
    )
