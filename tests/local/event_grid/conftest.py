"""Azurite and a webhook for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.local.azurite.running import azurite
from tests.local.event_grid.receivers import Webhook

__all__ = ["azurite", "hook"]


@pytest_asyncio.fixture
async def hook() -> AsyncIterator[Webhook]:
    """A webhook that agrees to be told."""
    async with Webhook() as hook:
        yield hook
