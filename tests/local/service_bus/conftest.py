"""Fixtures of the local Service Bus' tests."""

from __future__ import annotations

import pytest

from tests.local.service_bus.fake import Bench


@pytest.fixture
def bench() -> Bench:
    """A namespace in memory on a fake clock."""
    return Bench()
