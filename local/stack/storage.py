"""Make the containers, tables and queues that infrastructure would have made."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from local.process import LocalError

KINDS = ("containers", "tables", "queues")


def read_names(path: Path) -> dict[str, list[str]]:
    """The names in the file, by kind.

    Raises:
        LocalError: the file is not of the form `{"containers": [NAME, …], "tables": …}`.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as wrong:
        message = f"{path} cannot be read: {wrong}."
        raise LocalError(message) from None
    good = isinstance(data, dict) and all(
        kind in KINDS and isinstance(names, list) and all(isinstance(name, str) for name in names)
        for kind, names in data.items()
    )
    if not good:
        message = f"{path} must hold lists of names under {', '.join(KINDS)}, and nothing else."
        raise LocalError(message)
    return {kind: data.get(kind, []) for kind in KINDS}


def make(names: dict[str, list[str]], connection_string: str) -> None:
    """Make what is not there yet."""
    _make_containers(names["containers"], connection_string)
    _make_tables(names["tables"], connection_string)
    if names["queues"]:
        _make_queues(names["queues"], connection_string)


def _make_containers(names: Iterable[str], connection_string: str) -> None:
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient.from_connection_string(connection_string) as service:
        there = {container.name for container in service.list_containers()}
        for name in names:
            if name not in there:
                _unless(ResourceExistsError, service.create_container, name)


def _make_tables(names: Iterable[str], connection_string: str) -> None:
    from azure.data.tables import TableServiceClient

    with TableServiceClient.from_connection_string(connection_string) as service:
        there = {table.name for table in service.list_tables()}
        for name in names:
            if name not in there:
                service.create_table_if_not_exists(name)


def _make_queues(names: Iterable[str], connection_string: str) -> None:
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.queue import QueueServiceClient

    with QueueServiceClient.from_connection_string(connection_string) as service:
        for name in names:
            _unless(ResourceExistsError, service.create_queue, name)


def _unless(refusal: type[Exception], call: Any, name: str) -> None:
    try:
        call(name)
    except refusal:
        return
