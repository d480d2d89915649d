"""Allocators that give back what large files had."""

from __future__ import annotations

import sys

import pyarrow as pa
import pytest

from mesh.validation.allocators import give_blocks_back, give_columns_back


def test_arrow_takes_an_allocator_that_gives_back() -> None:
    assert give_columns_back() in {"jemalloc", "system"}
    assert pa.default_memory_pool().backend_name == give_columns_back()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library of Linux")
def test_the_c_library_is_told() -> None:
    assert give_blocks_back()
