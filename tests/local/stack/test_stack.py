"""The whole local Azure as one process tree: what it listens on, what it leaves, what it says."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from azure.storage.blob import BlobServiceClient

from local.process import LocalError
from local.stack import parts
from tests.ports.starting import ROOT, token_of
from tests.unit.conftest import declaration

PATIENCE_S = 30.0


@contextmanager
def running(state: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A stack, and what its ready file says."""
    command = [sys.executable, "-m", "local", "--config", "infra/local.json", "--free-ports"]
    with subprocess.Popen(
        [*command, "--state", str(state)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("ready ")
            yield process, json.loads((state / "azure.json").read_text())
        finally:
            if process.poll() is None:
                process.terminate()


def refused(*options: str) -> str:
    """What a stack that cannot start says, in one line, before it exits with 2."""
    command = [sys.executable, "-m", "local", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    return done.stderr


def listening(processes: list[psutil.Process]) -> set[str]:
    """The addresses that they listen on."""
    found = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            connections = process.net_connections("inet")
            found |= {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}
    return found


def gone(processes: list[psutil.Process]) -> bool:
    """Whether all have ended; they are given a moment."""
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    return not alive


def test_it_listens_on_loopback_only_and_stays_small(tmp_path):
    with running(tmp_path / "state") as (process, _):
        tree = psutil.Process(process.pid).children(recursive=True)
        assert listening(tree) == {"127.0.0.1"}
        assert sum(child.memory_info().rss for child in tree if child.is_running()) < 700e6
        assert (tmp_path / "state" / "azure.json").stat().st_mode & 0o077 == 0

        process.terminate()
        assert process.wait(PATIENCE_S) == 0
        assert gone(tree)
        assert not (tmp_path / "state" / "azure.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends orphans by itself")
def test_a_killed_stack_leaves_no_process_behind(tmp_path):
    with running(tmp_path / "state") as (process, _):
        tree = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait(PATIENCE_S)
        assert gone(tree)


def test_when_a_part_dies_the_stack_says_so_and_stops(tmp_path):
    state = tmp_path / "state"
    command = [sys.executable, "-m", "local", "--config", "infra/local.json", "--free-ports"]
    with subprocess.Popen(
        [*command, "--state", str(state)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready ")
        parts = json.loads((state / "azure.json").read_text())["parts"]
        os.kill(parts["event_grid"]["pid"], signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "The part event_grid has ended" in errors


@pytest.mark.asyncio
async def test_a_part_that_is_not_ready_in_time_is_stopped_and_said_to_be_slow(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(parts, "READY_WITHIN_S", 0.0)

    with pytest.raises(LocalError, match=r"The part telemetry was not ready after 0 s, and was"):
        await parts.Part.start("telemetry", "--port=0", log=tmp_path / "logs" / "telemetry.log")


def test_what_was_dropped_before_a_kill_is_judged_after_the_restart(tmp_path):
    state = tmp_path / "state"
    file = f"{uuid.uuid4().hex}.csv"
    with running(state) as (process, ready):
        with api(ready) as client:
            saga = client.post("/onboardings", json={"files": declaration()}).json()
            until(client, f"/onboardings/{saga['id']}", lambda now: now["status"] == "registered")
        tree = psutil.Process(process.pid).children(recursive=True)
        upload(ready, file)
        process.kill()
        assert gone(tree)

    with running(state) as (_, ready), api(ready) as client:
        found = until(client, f"/drops?file={file}", lambda now: bool(now["drops"]))

    assert [drop["verdict"] for drop in found["drops"]] == ["accepted"]


def api(ready: dict[str, Any]) -> httpx.Client:
    settings = ready["settings"]
    key = {"Authorization": f"Bearer {token_of(settings)}"}
    return httpx.Client(base_url=settings["MESH_URL"], headers=key, timeout=30)


def upload(ready: dict[str, Any], file: str) -> None:
    with BlobServiceClient.from_connection_string(ready["settings"]["STORAGE"]) as blobs:
        blobs.get_blob_client("landing", f"geography/countries/v1/countries/{file}").upload_blob(
            b"code,name,area\nCH,Switzerland,41285\n"
        )


def until(client: httpx.Client, path: str, enough: Any) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        data = client.get(path).json()
        if enough(data):
            return data
        assert time.monotonic() < deadline, data
        time.sleep(0.05)


def test_a_port_in_use_is_named_with_what_to_do(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        others = ("blob", "queue", "table", "service-bus-admin", "identity", "telemetry")
        free = [f"--{name}-port=0" for name in others]
        message = refused(
            "--config=infra/local.json",
            f"--state={tmp_path / 'state'}",
            *free,
            f"--service-bus-port={port}",
        )
    assert f"Port {port}" in message
    assert (
        "is in use. Stop the program that listens there, or take free ports with --free" in message
    )


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("keys.json", "{", "does not hold the keys of the functions host. Delete it"),
        ("keys.json", "{}", "does not hold the keys of the functions host. Delete it"),
        ("random.key", "short", "does not hold 32 bytes in base64. Delete it"),
    ],
)
def test_a_damaged_secret_is_named_with_what_to_do(tmp_path, file, content, message):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / file).write_text(content)

    said = refused("--config=infra/local.json", f"--state={tmp_path / 'state'}", "--free-ports")

    assert message in said


@pytest.mark.parametrize("port", [99999, -5])
def test_a_number_that_is_no_port_is_refused(port):
    command = ["--entities=infra/service-bus.json", f"--port={port}", "--admin-port=0"]
    done = subprocess.run(
        [sys.executable, "-m", "local.service_bus", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert f"{port} is no port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_state_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "state").write_text("")
    message = refused("--config=infra/local.json", f"--state={tmp_path / 'state'}", "--free-ports")
    assert "cannot be the state folder" in message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "holds no JSON object"),
        ('{"app": "."}', "serviceBus is missing; eventGrid is missing; storage is missing"),
        (
            '{"app":".","serviceBus":"b","eventGrid":"g","storage":"s","colour":"red"}',
            "colour is unknown",
        ),
        (
            '{"app":".","serviceBus":"b","eventGrid":"g","storage":"s","settings":{"A":1}}',
            "settings holds texts only",
        ),
        (
            '{"app":".","serviceBus":"b","eventGrid":"g","storage":"nowhere.json"}',
            "nowhere.json cannot be read",
        ),
        (
            '{"app": ".", "serviceBus": "a", "eventGrid": "b", "storage": "c", "identity": "d"}',
            "identity and authentication go together",
        ),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(tmp_path, config, message):
    path = tmp_path / "local.json"
    path.write_text(config)
    assert message in refused(f"--config={path}", f"--state={tmp_path / 'state'}", "--free-ports")


def test_a_config_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "nowhere.json"
    assert f"{path} cannot be read" in refused(f"--config={path}", f"--state={tmp_path}")


def test_a_setting_with_an_unknown_placeholder_is_refused(tmp_path):
    config = json.loads((ROOT / "infra" / "local.json").read_text())
    for key in ("serviceBus", "eventGrid", "storage", "identity", "authentication"):
        config[key] = str(ROOT / "infra" / config[key])
    config["settings"] = {"SECRET": "{key_vault}"}
    path = tmp_path / "local.json"
    path.write_text(json.dumps(config))

    message = refused(f"--config={path}", f"--state={tmp_path / 'state'}", "--free-ports")

    assert "The setting SECRET, '{key_vault}', has an unknown 'key_vault'" in message
    assert "{service_bus}" in message
