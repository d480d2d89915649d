"""A host that runs one function of each kind on real parts of the local Azure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.azurite import Endpoints
from tests.local.azurite.running import azurite, running
from tests.local.event_grid.bus import service_bus
from tests.local.functions_host.hosting import APPS, HostProcess, Seen, running_host

__all__ = ["azurite"]

_QUEUES = {
    "one": {},
    "texts": {},
    "binary": {},
    "many": {},
    "sessions": {"RequiresSession": True},
    "failing": {"MaxDeliveryCount": 3},
    "returning": {"MaxDeliveryCount": 1},
    "from-output": {},
    "from-return": {},
}


@dataclass(frozen=True, kw_only=True)
class Azure:
    """Everything that the sample app talks to, and the app."""

    host: HostProcess
    seen: Seen
    recorded: Path
    service_bus: str
    storage: str
    event_grid: str


def _entities() -> str:
    namespace = {
        "Name": "n",
        "Queues": [{"Name": name, "Properties": values} for name, values in _QUEUES.items()],
        "Topics": [
            {
                "Name": "news",
                "Properties": {},
                "Subscriptions": [{"Name": name, "Properties": {}} for name in ("all", "test")],
            }
        ],
    }
    return json.dumps({"UserConfig": {"Namespaces": [namespace]}})


@pytest.fixture(scope="session")
def every_trigger(
    tmp_path_factory: pytest.TempPathFactory,
    azurite: Endpoints,
) -> Iterator[Azure]:
    """The sample app of `apps/every_trigger`, its invocations recorded."""
    folder = tmp_path_factory.mktemp("functions_host")
    topology = folder / "topology.json"
    topology.write_text(
        json.dumps({"topics": [{"name": "made", "inputSchema": "EventGridSchema"}]})
    )
    seen, recorded = Seen(folder / "seen.jsonl"), folder / "recorded.jsonl"
    with (
        service_bus(folder, _entities()) as bus,
        running("local.event_grid", "--topology", topology, "--port=0") as grid,
        running_host(
            APPS / "every_trigger",
            folder,
            runner=("-m", "tests.local.functions_host.recording_host", str(recorded)),
            SEEN=str(seen.path),
            SB=bus.ready["connection_string"],
            STORAGE=azurite.connection_string,
            GRID=f"{grid.ready['url']}/made/api/events",
            GRID_KEY=grid.ready["key"],
            SCHEDULE="0 0 0 1 1 *",
            TEXT_QUEUE="texts",
        ) as host,
    ):
        yield Azure(
            host=host,
            seen=seen,
            recorded=recorded,
            service_bus=bus.ready["connection_string"],
            storage=azurite.connection_string,
            event_grid=grid.ready["url"],
        )
