"""Azurite for the tests of this folder."""

from tests.local.azurite.running import azurite

__all__ = ["azurite"]
