"""Azurite, Microsoft's storage emulator, as a part of the local Azure: blobs, queues, tables.

`install` puts the pinned version into a folder, `Azurite` runs it, `python -m local.azurite` does
both from a command line.
"""

from local.azurite.install import DEFAULT_FOLDER, install, is_installed
from local.azurite.server import ACCOUNT_KEY, ACCOUNT_NAME, Azurite, Endpoints

__all__ = [
    "ACCOUNT_KEY",
    "ACCOUNT_NAME",
    "DEFAULT_FOLDER",
    "Azurite",
    "Endpoints",
    "install",
    "is_installed",
]
