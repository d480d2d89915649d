"""What is told of the texts of a dictionary is true; what is not sure is not told."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mesh.validation.parquet_dictionaries import longest_text
from mesh.validation.parquet_pages import page_at
from mesh.validation.spool import SharedFile
from tests.thorough import examples

TEXTS = st.lists(st.text(max_size=300) | st.text("\0\1a", max_size=9), min_size=1, max_size=20)


def told(texts: list[str], **options: Any) -> int | None:
    """What is told of the dictionary of a file with one column."""
    out = io.BytesIO()
    parquet.write_table(pa.table({"a": texts}), out, **options)
    column = parquet.read_metadata(out).row_group(0).column(0)
    return longest_text(SharedFile(out), column)


@settings(max_examples=examples(150))
@given(
    TEXTS,
    st.sampled_from(("none", "snappy", "gzip", "brotli", "zstd", "lz4")),
    st.booleans(),
    st.sampled_from(("1.0", "2.0")),
)
@example(["a", "\1\0\0\0b", ""] * 300, "snappy", False, "1.0")
@example(["x" * 70_000, "y"], "zstd", True, "1.0")
def test_what_is_told_is_true(texts: list[str], codec: str, checked: bool, pages: str) -> None:
    found = told(texts, compression=codec, write_page_checksum=checked, data_page_version=pages)
    assert found is not None
    assert found >= max(len(text.encode()) for text in texts)


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd"])
def test_the_longest_of_many_short_texts_is_told(codec: str) -> None:
    texts = [f"{number:x}" * (number % 9 + 1) for number in range(1_000)] + ["x" * 255]
    assert told(texts, compression=codec, write_page_checksum=codec == "none") == 255


@pytest.mark.parametrize("texts", [["a" * 256, "b"], ["a", "", "b" * 255], ["\0\0\0", "b" * 255]])
def test_of_texts_that_are_not_plain_the_size_of_all_is_told(texts: list[str]) -> None:
    assert told(texts) == sum(map(len, texts))


def test_without_a_dictionary_there_is_no_text() -> None:
    assert told(["abc"], use_dictionary=False) == 0
    assert told(["abc"], use_dictionary=False, data_page_version="2.0") == 0


def test_few_bytes_are_not_looked_at() -> None:
    assert told(["ab", "", "\0\0\0\0"]) == 6


def test_a_damaged_dictionary_tells_no_less() -> None:
    out = io.BytesIO()
    parquet.write_table(pa.table({"a": [f"{number}" * 9 for number in range(99)]}), out)
    column = parquet.read_metadata(out).row_group(0).column(0)
    whole = out.getvalue()
    for place in range(4, 40):
        damaged = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
        found = longest_text(SharedFile(io.BytesIO(damaged)), column)
        assert found is None or found == 0 or found >= 18


@settings(max_examples=examples(200))
@given(st.binary(max_size=80))
@example(b"\x15" + b"\xff" * 99)
@example(b"\x19\xfc\xff\xff\xff\x7f" + b"\x1c" * 99)
@example(b"\x16\x04\x15\x02\x15\x02\x1b\x00")
def test_any_bytes_are_a_header_or_none(data: bytes) -> None:
    page = page_at(SharedFile(io.BytesIO(data)), 0)
    assert page is None or 0 < page.start <= len(data)


def test_pages_without_a_dictionary_are_followed_to_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.BytesIO()
    table = pa.table({"a": [f"{number}" * 20 for number in range(2_000)]})
    parquet.write_table(table, out, use_dictionary=False, data_page_size=99, write_batch_size=9)
    column = parquet.read_metadata(out).row_group(0).column(0)
    assert longest_text(SharedFile(out), column) == 0

    monkeypatch.setattr("mesh.validation.parquet_dictionaries._MOST_PAGES", 20)
    with pytest.raises(ValueError, match="a column has more than 20 pages in a row group"):
        longest_text(SharedFile(out), column)


def test_a_dictionary_behind_values_is_refused() -> None:
    """Arrow would take it."""
    plain, folded = io.BytesIO(), io.BytesIO()
    parquet.write_table(pa.table({"a": ["x"]}), plain, use_dictionary=False)
    parquet.write_table(pa.table({"a": ["y"] * 9}), folded)
    first, second = (parquet.read_metadata(each).row_group(0).column(0) for each in (plain, folded))
    pages = [
        each.getvalue()[4 : 4 + column.total_compressed_size]
        for each, column in ((plain, first), (folded, second))
    ]
    said = SimpleNamespace(
        data_page_offset=4,
        dictionary_page_offset=None,
        total_compressed_size=sum(map(len, pages)),
        compression="SNAPPY",
    )
    with pytest.raises(ValueError, match="a dictionary stands behind its values"):
        longest_text(SharedFile(io.BytesIO(b"PAR1" + b"".join(pages))), said)
