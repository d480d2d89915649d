"""How the host runs functions: concurrency, locks, time limits, stops, reload, logs."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from tests.local.azurite.running import Part
from tests.local.event_grid.bus import entities, service_bus
from tests.local.functions_host.hosting import HostProcess, Seen, running_host, wait_for, write_app

TRIGGER = "@app.service_bus_queue_trigger(arg_name='m', queue_name='q', connection='SB')\n"


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Part]:
    queues = {"q": {"LockDuration": "PT2S", "MaxDeliveryCount": 5}}
    with service_bus(tmp_path, entities(queues=queues)) as part:
        yield part


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    return Seen(tmp_path / "seen.jsonl")


def send(bus: Part, *bodies: str) -> None:
    with (
        ServiceBusClient.from_connection_string(bus.ready["connection_string"]) as client,
        client.get_queue_sender("q") as sender,
    ):
        sender.send_messages([ServiceBusMessage(body) for body in bodies])


def waiting(bus: Part) -> list[tuple[str, int]]:
    """What is in the queue: bodies, and how often each was delivered before."""
    with (
        ServiceBusClient.from_connection_string(bus.ready["connection_string"]) as client,
        client.get_queue_receiver("q") as receiver,
    ):
        found = receiver.peek_messages(max_message_count=50)
        return [(b"".join(m.body).decode(), m.delivery_count or 0) for m in found]


def host_json(**service_bus: Any) -> dict[str, Any]:
    return {"extensions": {"serviceBus": service_bus}}


def run(app: Path, bus: Part, seen: Seen, tmp_path: Path, *options: str, **environ: str) -> Any:
    return running_host(
        app,
        tmp_path,
        *options,
        SB=bus.ready["connection_string"],
        SEEN=str(seen.path),
        PYTHON_THREADPOOL_THREAD_COUNT="40",
        **environ,
    )


GATED = """
gate = threading.Event()

@app.route(route='open')
def open_gate(req):
    gate.set()
    return func.HttpResponse()
"""


def test_as_many_run_at_once_as_host_json_allows(tmp_path: Path, bus: Part, seen: Seen) -> None:
    source = GATED + TRIGGER + "def f(m: str):\n    seen('start', m)\n    gate.wait(20)\n"
    app = write_app(tmp_path, source, host_json(maxConcurrentCalls=7))
    with run(app, bus, seen, tmp_path) as host:
        send(bus, *[str(n) for n in range(20)])
        wait_for(lambda: len(seen.lines()) == 7, what="seven at once")
        assert len(seen.lines()) == 7
        host.request("/api/open")
        wait_for(lambda: len(seen.lines()) == 20, what="all twenty")
        wait_for(lambda: not waiting(bus), what="all to be completed")
    assert sorted(int(m) for _, m in seen.lines()) == list(range(20))


def test_a_lock_is_renewed_while_the_function_runs(tmp_path: Path, bus: Part, seen: Seen) -> None:
    # The lock lasts 2 s: without renewal the message would come again.
    source = TRIGGER + "def f(m: str):\n    seen(m)\n    time.sleep(3)\n    seen('done')\n"
    with run(write_app(tmp_path, source), bus, seen, tmp_path):
        send(bus, "long")
        wait_for(lambda: seen.lines()[-1:] == [["done"]], what="the function")
        wait_for(lambda: not waiting(bus), what="the message to be completed")
    assert seen.lines() == [["long"], ["done"]]


def test_without_auto_complete_success_leaves_the_message(
    tmp_path: Path, bus: Part, seen: Seen
) -> None:
    source = TRIGGER + "def f(m: func.ServiceBusMessage):\n    seen(m.delivery_count)\n"
    app = write_app(tmp_path, source, host_json(autoCompleteMessages=False))
    with run(app, bus, seen, tmp_path):
        send(bus, "kept")
        wait_for(lambda: len(seen.lines()) >= 2, what="the lock to expire and a second delivery")
    assert seen.lines()[:2] == [[1], [2]]
    assert [body for body, _ in waiting(bus)] == ["kept"]


def test_a_function_that_takes_too_long_fails(tmp_path: Path, bus: Part, seen: Seen) -> None:
    source = (
        "import asyncio\n"
        + TRIGGER
        + "async def f(m: func.ServiceBusMessage):\n"
        + "    seen(m.delivery_count)\n"
        + "    if m.delivery_count == 1:\n"
        + "        await asyncio.sleep(60)\n"
    )
    app = write_app(tmp_path, source, {"functionTimeout": "00:00:00.5"})
    with run(app, bus, seen, tmp_path) as host:
        send(bus, "slow")
        wait_for(lambda: seen.lines() == [[1], [2]], what="a second delivery")
        (failed,) = host.logged("Executed 'f' (Failed")
    assert "ran longer than 0.5 s, the functionTimeout of host.json" in failed["exception"]


def test_a_blocked_event_loop_stops_neither_http_nor_locks(
    tmp_path: Path, bus: Part, seen: Seen
) -> None:
    source = GATED + TRIGGER + "async def f(m: str):\n    seen(m)\n    gate.wait(20)\n"
    with run(write_app(tmp_path, source), bus, seen, tmp_path) as host:
        send(bus, "blocks")
        wait_for(lambda: seen.lines() == [["blocks"]])
        assert host.request("/api/open").status == 200
        wait_for(lambda: not waiting(bus), what="the message to be completed")


class TestStop:
    def test_running_functions_finish(self, tmp_path: Path, bus: Part, seen: Seen) -> None:
        source = TRIGGER + "def f(m: str):\n    seen(m)\n    time.sleep(1)\n    seen('done')\n"
        with run(write_app(tmp_path, source), bus, seen, tmp_path) as host:
            send(bus, "one")
            wait_for(lambda: seen.lines() == [["one"]])
            assert host.end() == 0
        assert seen.lines() == [["one"], ["done"]]
        assert waiting(bus) == []

    @pytest.mark.parametrize("kind", ["", "async "])
    def test_after_the_grace_the_rest_goes_back(
        self, tmp_path: Path, bus: Part, seen: Seen, kind: str
    ) -> None:
        source = (
            "import asyncio\n" + TRIGGER + f"{kind}def f(m: str):\n    seen(m)\n"
            + ("    await asyncio.sleep(3600)\n" if kind else "    threading.Event().wait(3600)\n")
        )  # fmt: skip
        with run(write_app(tmp_path, source), bus, seen, tmp_path, "--grace=0.2") as host:
            send(bus, "stuck")
            wait_for(lambda: seen.lines() == [["stuck"]])
            assert host.end() == 0
            assert host.logged("1 invocation(s) still run after 0.2 s and are abandoned")
            assert host.logged("stopped while it ran; 1 message(s) go back")
        assert waiting(bus) == [("stuck", 1)]

    def test_it_goes_with_its_parent(self, tmp_path: Path) -> None:
        app = write_app(tmp_path, "@app.route(route='x')\ndef f(req): ...\n")
        import subprocess
        import sys

        program = (
            "import subprocess, sys\n"
            "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)\n"
            "print(child.stdout.readline(), flush=True)\n"
            "sys.stdin.read()\n"
        )
        command = [sys.executable, "-m", "local.functions_host", "--app", str(app), "--port=0"]
        with subprocess.Popen(
            [sys.executable, "-c", program, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as parent:
            assert parent.stdout is not None
            ready = json.loads(parent.stdout.readline().removeprefix("ready "))
            host = psutil.Process(ready["pid"])
            parent.kill()
        assert host.wait(timeout=20) is not False
        assert not host.is_running()


def test_an_entity_that_is_missing_is_named_and_waited_for(tmp_path: Path, seen: Seen) -> None:
    source = (
        TRIGGER
        + "def f(m: str):\n    seen(m)\n"
        + "@app.route(route='x')\ndef x(req) -> str:\n    return 'up'\n"
    )
    app = write_app(tmp_path, source)
    with service_bus(tmp_path, entities()) as bus, run(app, bus, seen, tmp_path) as host:
        (said,) = wait_for(lambda: host.logged("'q' does not exist"))
        assert "Function 'f'" in said["message"]
        assert "Create it" in said["message"]
        assert host.request("/api/x").body == b"up"


def test_a_broker_that_comes_back_is_found(tmp_path: Path, seen: Seen) -> None:
    source = TRIGGER + "def f(m: str):\n    seen(m)\n"
    app = write_app(tmp_path, source)
    declared, state = entities(queues={"q": {}}), str(tmp_path / "bus")
    with service_bus(tmp_path, declared, "--state", state) as bus:
        port = bus.ready["port"]
        with run(app, bus, seen, tmp_path) as host:
            send(bus, "before")
            wait_for(lambda: seen.lines() == [["before"]])
            bus.end()
            wait_for(lambda: host.logged("no connection to 'q'"), what="a warning")
            with service_bus(tmp_path, declared, "--state", state, f"--port={port}") as again:
                send(again, "after")
                wait_for(lambda: seen.lines()[-1] == ["after"], what="the broker's return")
                assert host.logged("connected to 'q'")


def test_settings_and_disabled_functions(tmp_path: Path, seen: Seen) -> None:
    source = (
        "@app.route(route='one')\ndef one(req) -> str:\n    return os.environ['GREETING']\n"
        "@app.route(route='two')\ndef two(req) -> str:\n    return 'two'\n"
        "@app.route(route='three')\ndef three(req) -> str:\n    return 'three'\n"
    )
    app = write_app(tmp_path, source, {"functions": ["one", "two"]})
    values = {"GREETING": "from the file", "AzureWebJobs.two.Disabled": "true"}
    (app / "local.settings.json").write_text(json.dumps({"Values": values}))
    with running_host(app, tmp_path, SEEN=str(seen.path)) as host:
        assert host.request("/api/one").body == b"from the file"
        assert host.request("/api/two").status == 404
        assert host.request("/api/three").status == 404
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"Values": {"GREETING": "from another"}}))
    with running_host(app, tmp_path, "--settings", other) as host:
        assert host.request("/api/one").body == b"from another"
    with running_host(app, tmp_path, GREETING="from the environment") as host:
        assert host.request("/api/one").body == b"from the environment"


def test_levels_of_host_json_decide_what_is_logged(tmp_path: Path) -> None:
    source = (
        "import logging\n"
        "@app.route(route='x')\ndef f(req) -> str:\n"
        "    logging.info('quiet')\n    logging.warning('loud %s', 1)\n"
        "    logging.getLogger('azure.core').info('chatter')\n    return ''\n"
    )
    levels = {"default": "Information", "Function": "Warning", "Host.Results": "Error"}
    app = write_app(tmp_path, source, {"logging": {"logLevel": levels}})
    with running_host(app, tmp_path) as host:
        host.request("/api/x")
        (line,) = wait_for(lambda: host.logged("loud 1"))
        assert line["category"] == "Function.f.User"
        assert line["function"] == "f"
        assert line["level"] == "Warning"
        assert not host.logged("quiet")
        assert not host.logged("chatter")
        assert not host.logged("Executed")


def test_logs_of_threads_of_async_functions_and_of_results(tmp_path: Path) -> None:
    source = (
        "import logging, asyncio\n"
        "@app.route(route='x')\nasync def f(req, context) -> str:\n"
        "    await asyncio.to_thread(logging.info, 'from a thread')\n"
        "    return context.invocation_id\n"
    )
    with running_host(write_app(tmp_path, source), tmp_path) as host:
        invocation = host.request("/api/x").body.decode()
        (line,) = wait_for(lambda: host.logged("from a thread"))
        assert (line["invocation"], line["function"]) == (invocation, "f")
        (done,) = wait_for(lambda: host.logged("Executed 'f' (Succeeded"))
        assert done["outcome"] == "Succeeded"
        assert done["duration_ms"] >= 0


@pytest.mark.parametrize("kind", ["", "async "])
def test_opentelemetry_spans_continue_the_trace(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("opentelemetry.trace")
    source = (
        "from opentelemetry import trace\n"
        f"@app.route(route='x')\n{kind}def f(req, context) -> str:\n"
        "    span = trace.get_current_span().get_span_context()\n"
        "    return f'{span.trace_id:032x} {context.trace_context.trace_parent}'\n"
    )
    app, headers = write_app(tmp_path, source), {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    with running_host(app, tmp_path, PYTHON_ENABLE_OPENTELEMETRY="true") as host:
        current, parent = host.request("/api/x", headers=headers).body.decode().split()
        assert current == "a" * 32
        assert parent.startswith(f"00-{'a' * 32}-")
        assert "b" * 16 not in parent
    with running_host(app, tmp_path) as host:
        assert host.request("/api/x", headers=headers).body.startswith(b"0" * 32)


def test_sessions_beyond_the_limit_get_their_turn(tmp_path: Path, seen: Seen) -> None:
    source = (
        TRIGGER.replace(")\n", ", is_sessions_enabled=True)\n")
        + "def f(m: func.ServiceBusMessage):\n    seen(m.session_id)\n"
    )
    options = host_json(maxConcurrentSessions=2, sessionIdleTimeout="00:00:00.5")
    app = write_app(tmp_path, source, options)
    queues = {"q": {"RequiresSession": True}}
    with service_bus(tmp_path, entities(queues=queues)) as bus, run(app, bus, seen, tmp_path):
        connection = bus.ready["connection_string"]
        with (
            ServiceBusClient.from_connection_string(connection) as client,
            client.get_queue_sender("q") as sender,
        ):
            for turn in range(2):
                sender.send_messages(
                    [ServiceBusMessage("", session_id=f"{turn}{name}") for name in "abcde"]
                )
                wait_for(lambda turn=turn: len(seen.lines()) == 5 * (turn + 1), what="all")
    assert sorted(line for [line] in seen.lines()) == [f"{t}{n}" for t in "01" for n in "abcde"]


class TestReload:
    def test_a_change_starts_the_app_anew_at_the_same_port(
        self, tmp_path: Path, seen: Seen
    ) -> None:
        source = "@app.route(route='x')\ndef f(req) -> str:\n    return '{}'\n"
        app = write_app(tmp_path, source.format("first"))
        with running_host(app, tmp_path, "--reload", SEEN=str(seen.path)) as host:
            assert host.request("/api/x").body == b"first"
            write_app(tmp_path, source.format("second"))
            wait_for(lambda: host.request("/api/x").body == b"second", what="the new app")
            (app / "function_app.py").write_text("x = (")
            said = "The app cannot be served; waiting for a change"
            wait_for(lambda: said in host.log.read_text(), what="a word about the wrong app")
            assert "was never closed" in host.log.read_text()
            package = app / "package"
            package.mkdir()
            (package / "part.py").write_text("WORD = 'third'")
            write_app(tmp_path, "from package.part import WORD\n" + source.replace("'{}'", "WORD"))
            wait_for(lambda: host.request("/api/x").body == b"third", what="the corrected app")
            (package / "part.py").write_text("WORD = 'fourth'")
            wait_for(lambda: host.request("/api/x").body == b"fourth", what="a changed module")
            children = host.children()
            assert host.end() == 0
        assert not [child for child in children if child.is_running()]

    def test_a_wrong_app_is_waited_for(self, tmp_path: Path) -> None:
        app = write_app(tmp_path, "")
        started: list[HostProcess] = []

        def correct() -> None:
            log = tmp_path / "host.log"
            wait_for(lambda: log.exists() and "declares no function" in log.read_text())
            write_app(tmp_path, "@app.route(route='x')\ndef f(req) -> str:\n    return 'ok'\n")

        correcting = threading.Thread(target=correct)
        correcting.start()
        with running_host(app, tmp_path, "--reload") as host:
            started.append(host)
            assert host.request("/api/x").body == b"ok"
            assert host.ready["pid"] == host.process.pid
            host.process.send_signal(signal.SIGINT)
            assert host.process.wait(timeout=20) == 0
        correcting.join()
