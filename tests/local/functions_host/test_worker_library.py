"""Microsoft's own worker library, given what the host gave its functions, does the same.

The library is `azure-functions-runtime`, in this interpreter and in a Python 3.13 where there is
one. It must index the same functions, hand them the same arguments, and give the same results.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.storage.blob import BlobServiceClient

from local.functions_host.settings import read_local_settings
from tests.local.functions_host.calling import event, post_events, put, send, take
from tests.local.functions_host.conftest import Azure
from tests.local.functions_host.hosting import APPS, ROOT, Seen, wait_for
from tests.local.functions_host.worker_library import Interpreter, interpreters

pytestmark = pytest.mark.xdist_group("every_trigger")
RUN = Path(__file__).parent / "worker_run.py"


@pytest.fixture(scope="session")
def libraries() -> list[Interpreter]:
    """The interpreters that have the library; without it the tests are skipped, and say why."""
    try:
        return interpreters()
    except (subprocess.CalledProcessError, OSError) as failed:
        said = getattr(failed, "stderr", "") or failed
        pytest.skip(f"MICROSOFT'S WORKER LIBRARY COULD NOT BE INSTALLED, NOTHING IS PROVEN: {said}")


def replay(library: Interpreter, app: Path, calls: str, **settings: str) -> dict[str, Any]:
    done = subprocess.run(
        [library.python, RUN, app],
        input=calls,
        capture_output=True,
        text=True,
        env=library.environ(**settings),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert "failure" not in answer, answer
    return answer


def settings_of(folder: Path) -> dict[str, str]:
    names = ("SB", "STORAGE", "GRID", "GRID_KEY", "TEXT_QUEUE", "SCHEDULE")
    return {**dict.fromkeys(names, "unused"), "SEEN": str(folder / "seen.jsonl")}


def sorted_lines(lines: list[Any]) -> list[str]:
    return sorted(json.dumps(line, sort_keys=True) for line in lines)


def bindings_of(azure: Azure) -> dict[str, list[dict[str, Any]]]:
    headers = {"x-functions-key": "the-master-key"}
    listed = azure.host.request("/admin/functions", headers=headers).json()
    return {f["name"]: f["config"]["bindings"] for f in listed}


def as_declared(binding: dict[str, Any]) -> dict[str, Any]:
    return {**binding, "direction": binding["direction"].lower()}


def test_the_sample_app_gives_the_same(
    every_trigger: Azure, libraries: list[Interpreter], tmp_path: Path
) -> None:
    call_every_function(every_trigger)
    recorded = every_trigger.recorded.read_text(encoding="utf-8")
    calls = [json.loads(line) for line in recorded.splitlines()]
    ours = every_trigger.seen.lines()
    for library in libraries:
        folder = tmp_path / library.label
        folder.mkdir()
        seen = Seen(folder / "seen.jsonl")
        answer = replay(library, APPS / "every_trigger", recorded, **settings_of(folder))
        indexed = {
            name: [as_declared(b) for b in bindings]
            for name, bindings in answer["functions"].items()
        }
        unresolved = bindings_of(every_trigger)
        for bindings in unresolved.values():
            for binding in bindings:
                _unresolve(binding)
        assert indexed == unresolved
        assert sorted_lines(seen.lines()) == sorted_lines(ours)
        for call, result in zip(calls, answer["results"], strict=True):
            compare(call, result)


EXPECTED = {
    *("http_thing", "http_text", "http_raises", "http_nothing", "http_outputs", "on_timer"),
    *("bus_one", "bus_text", "bus_binary", "bus_many", "bus_topic", "bus_fails"),
    *("queue_message", "queue_text", "blob_scanned", "grid_event", "grid_cloud_event"),
}


def call_every_function(azure: Azure) -> None:
    """Make every kind of call at least once, and wait until all are written down."""
    for path in ("things/1?code=the-host-key", "text", "broken", "empty", "outputs/library"):
        azure.host.request(f"/api/{path}")
    for queue in ("one", "texts", "binary", "failing"):
        send(azure, queue, ServiceBusMessage("poison", application_properties={"q": queue}))
    take(azure, "failing", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    send(azure, "many", *[ServiceBusMessage(str(n), message_id=f"library-{n}") for n in range(3)])
    for queue in ("queue-messages", "queue-texts"):
        put(azure, queue, "library")
    with BlobServiceClient.from_connection_string(azure.storage) as blobs:
        container = blobs.get_container_client("landing")
        if not container.exists():
            container.create_container()
        container.upload_blob("geo/library.csv", b"x", overwrite=True)
    post_events(azure, [event()])
    cloud = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {}}
    post_events(azure, cloud, function="grid_cloud_event")

    def all_done() -> bool:
        recorded = azure.recorded.read_text(encoding="utf-8").splitlines()
        done = [json.loads(line)["function"] for line in recorded]
        started = [line["function"] for line in azure.seen.lines()]
        return set(done) >= EXPECTED and sorted(done) == sorted(started)

    wait_for(all_done, what="every function's call")


def _unresolve(binding: dict[str, Any]) -> None:
    """Put `%NAME%` back where our listing shows the setting's value."""
    if binding.get("queueName") == "texts":
        binding["queueName"] = "%TEXT_QUEUE%"
    if binding["type"] == "timerTrigger":
        binding["schedule"] = "%SCHEDULE%"


def compare(call: dict[str, Any], result: dict[str, Any]) -> None:
    if call["error"] is None:
        assert result["error"] is None, call["function"]
        assert result["outputs"] == call["outputs"], call["function"]
        assert (result["returned"] or [None])[0] == (call["returned"] or [None])[0]
        assert result["returned"] == call["returned"] or result["returned"] == [None, None]
    elif _is_the_functions_own(call["error"]):
        assert result["error"] == call["error"]
    else:
        # Refusals of worker and host have words of their own; a write that failed is the host's.
        assert result["error"] is not None or "Exists" in call["error"]


def _is_the_functions_own(error: str) -> bool:
    own = ("the function says no", "cannot take poison", "RuntimeError('no')")
    return any(part in error for part in own)


def test_our_own_app_is_indexed_alike(libraries: list[Interpreter]) -> None:
    sample = ROOT / "local.settings.sample.json"
    settings = read_local_settings(sample) if sample.exists() else {}
    ours = _index_with_the_host(settings)
    assert ours
    for library in libraries:
        theirs = replay(library, ROOT, "", **settings)["functions"]
        assert {n: [b["type"] for b in bs] for n, bs in theirs.items()} == {
            n: [b["type"] for b in bs] for n, bs in ours.items()
        }
        for name, bindings in theirs.items():
            assert [as_declared(b) for b in bindings] == ours[name], name


def _index_with_the_host(settings: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    program = (
        "import json, os, pathlib\n"
        "from local.functions_host.admin import describe\n"
        "from local.functions_host.indexing import index_app\n"
        "found = index_app(pathlib.Path.cwd(), os.environ)\n"
        "print(json.dumps({f.name: describe(f)['config']['bindings'] for f in found}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, **settings},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    indexed: dict[str, list[dict[str, Any]]] = json.loads(done.stdout.splitlines()[-1])
    return indexed
