"""A declaration that is right, and a way to add to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.declaration.building import CONTRACT, PRODUCT, Files, contract, product


@pytest.fixture
def files() -> Files:
    """The documents of a declaration in which nothing is wrong."""
    return {PRODUCT: product(), CONTRACT: contract()}


@pytest.fixture
def add_port(files: Files) -> Callable[..., dict[str, Any]]:
    """Add an output port and its contract; returns the port."""

    def add(name: str, version: str = "1.0.0") -> dict[str, Any]:
        document = contract(version, name)
        files[f"{name}-{version}.odcs.json"] = document
        port = {"name": name, "version": version, "contractId": document["id"]}
        files[PRODUCT]["outputPorts"].append(port)
        return port

    return add
