"""Each kind of trigger and binding, over the real protocols of the local Azure."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from azure.data.tables import TableClient
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.storage.blob import BlobServiceClient, ContentSettings

from tests.local.functions_host.calling import (
    EVENT_GRID,
    event,
    got,
    peek,
    post_events,
    put,
    send,
    storage_queue,
    take,
)
from tests.local.functions_host.conftest import Azure
from tests.local.functions_host.hosting import wait_for

pytestmark = pytest.mark.xdist_group("every_trigger")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class TestHttp:
    def test_a_request_arrives_as_the_host_sends_it(self, every_trigger: Azure) -> None:
        host = every_trigger.host
        answer = host.request(
            "/api/things/7/a%20b?x=1&empty=&x=2&code=the-host-key",
            method="POST",
            body={"n": 1},
            headers={"X-Upper": "Value"},
        )
        assert answer.status == 201
        assert answer.json() == {"id": "7"}
        assert answer.headers["X-Made"] == "here"
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers.get_all("Set-Cookie") == ["first=1; Path=/", "second=2; HttpOnly"]
        call = every_trigger.seen.of("http_thing")[-1]
        assert call["method"] == "POST"
        assert call["headers"] == {"x-upper": "Value"}
        assert call["params"] == {"x": "1,2", "code": "the-host-key"}
        assert call["route"] == {"id": "7", "part": "a b"}
        assert call["json"] == {"n": 1}
        assert call["url"].startswith(host.url + "/api/things/7/a%20b?x=1")

    def test_an_optional_part_may_be_absent(self, every_trigger: Azure) -> None:
        answer = every_trigger.host.request(
            "/API/Things/8", headers={"x-functions-key": "the-key-of-one"}
        )
        assert answer.status == 201
        call = every_trigger.seen.of("http_thing")[-1]
        assert call["route"] == {"id": "8"}
        assert call["body"] == {"bytes": ""}

    @pytest.mark.parametrize(
        ("path", "method", "headers", "status"),
        [
            ("/api/things/x", "GET", {"x-functions-key": "the-host-key"}, 404),
            ("/api/things/1", "PUT", {"x-functions-key": "the-host-key"}, 404),
            ("/api/things/1", "GET", {}, 401),
            ("/api/things/1", "GET", {"x-functions-key": "wrong"}, 401),
            ("/api/things/1?code=the-host-key", "GET", {"x-functions-key": "wrong"}, 401),
            ("/api/things/1?code=the-master-key", "GET", {}, 201),
            ("/api/things/1?code=the-key-of-one", "GET", {}, 201),
            ("/api/admin-only?code=the-host-key", "GET", {}, 401),
            ("/api/admin-only?code=the-master-key", "GET", {}, 204),
            ("/api/text", "GET", {}, 200),
            ("/api/broken", "GET", {}, 500),
            ("/api/empty", "GET", {}, 500),
            ("/things/1", "GET", {}, 404),
        ],
    )
    def test_routes_methods_and_keys(
        self, every_trigger: Azure, path: str, method: str, headers: dict[str, str], status: int
    ) -> None:
        answer = every_trigger.host.request(path, method=method, headers=headers)
        assert answer.status == status
        if status >= 400:
            assert answer.body == b""

    def test_text_bytes_and_the_rest_of_a_path(self, every_trigger: Azure) -> None:
        answer = every_trigger.host.request("/api/text")
        assert answer.body == b"just text"
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        answer = every_trigger.host.request("/api/files/a/b%2Fc/d.txt")
        assert answer.body == b"\x00\xff"
        assert every_trigger.seen.of("http_rest")[-1]["route"] == {"path": "a/b%2Fc/d.txt"}


class TestServiceBus:
    def test_a_message_arrives_with_its_properties(self, every_trigger: Azure) -> None:
        message = ServiceBusMessage(
            "héllo",
            application_properties={"n": 1, "traceparent": TRACE},
            message_id="m-1",
            correlation_id="c-1",
            subject="s",
            content_type="text/plain",
        )
        send(every_trigger, "one", message)
        (call,) = [c for c in got(every_trigger, "bus_one") if c["message"]["message_id"] == "m-1"]
        arrived = call["message"]
        assert call["name"] == "bus_one"
        assert arrived["body"] == {"bytes": "héllo".encode().decode("latin-1")}
        assert arrived["application_properties"] == {"n": 1, "traceparent": TRACE}
        assert arrived["user_properties"] == arrived["application_properties"]
        assert (arrived["correlation_id"], arrived["label"]) == ("c-1", "s")
        assert arrived["content_type"] == "text/plain"
        assert arrived["delivery_count"] == 1
        assert arrived["sequence_number"] >= 1
        assert "+" not in arrived["enqueued_time_utc"]["datetime"]
        assert arrived["time_to_live"] is None
        logged = every_trigger.host.logged("one message")[-1]
        assert logged["category"] == "Function.bus_one.User"
        assert logged["trace_id"] == TRACE.split("-")[1]

    def test_text_and_the_trace_of_the_sender(self, every_trigger: Azure) -> None:
        send(
            every_trigger,
            "texts",
            ServiceBusMessage("words", application_properties={"Diagnostic-Id": TRACE}),
        )
        (call,) = wait_for(
            lambda: [c for c in every_trigger.seen.of("bus_text") if c["message"] == "words"]
        )
        assert call["trace"] == TRACE.split("-")[1]

    def test_binary(self, every_trigger: Azure) -> None:
        send(every_trigger, "binary", ServiceBusMessage(b"\xff\x00"))
        wait_for(
            lambda: (
                {"bytes": "\xff\x00"} in [c["body"] for c in every_trigger.seen.of("bus_binary")]
            )
        )

    def test_many(self, every_trigger: Azure) -> None:
        names = [f"m{n}" for n in range(5)]
        send(every_trigger, "many", *[ServiceBusMessage(n, message_id=n) for n in names])

        def arrived() -> list[str]:
            calls = every_trigger.seen.of("bus_many")
            ids = [m["message_id"] for call in calls for m in call["messages"]]
            return [i for i in ids if i in names]

        wait_for(lambda: len(arrived()) == 5, what="five messages in batches")
        assert arrived() == names

    def test_a_session_is_taken_in_order(self, every_trigger: Azure) -> None:
        messages = [
            ServiceBusMessage(f"{session}{n}", session_id=session)
            for n in range(3)
            for session in ("a", "b")
        ]
        send(every_trigger, "sessions", *messages)
        calls = got(every_trigger, "bus_session", 6)
        for session in ("a", "b"):
            bodies = [c["body"]["bytes"] for c in calls if c["session"] == session]
            assert bodies == [f"{session}0", f"{session}1", f"{session}2"]

    def test_a_failing_message_is_dead_lettered_after_its_deliveries(
        self, every_trigger: Azure
    ) -> None:
        before = len(every_trigger.seen.of("bus_fails"))
        send(every_trigger, "failing", ServiceBusMessage("poison"))
        dead = take(every_trigger, "failing", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
        assert dead == [b"poison"]
        calls = [c["count"] for c in every_trigger.seen.of("bus_fails")]
        assert calls[before:] == [1, 2, 3]
        failed = every_trigger.host.logged("Executed 'bus_fails' (Failed")[-1]
        assert "RuntimeError: cannot take poison" in failed["exception"]
        assert failed["level"] == "Error"

    def test_a_value_that_nobody_takes_is_a_failure(self, every_trigger: Azure) -> None:
        send(every_trigger, "returning", ServiceBusMessage("x"))
        assert take(every_trigger, "returning", sub_queue=ServiceBusSubQueue.DEAD_LETTER) == [b"x"]
        failed = wait_for(lambda: every_trigger.host.logged("Executed 'bus_returns' (Failed"))[-1]
        assert "has no binding for a return value and returned str" in failed["exception"]


class TestOutputs:
    def test_every_output_is_written(self, every_trigger: Azure) -> None:
        assert every_trigger.host.request("/api/outputs/ann").body == b"set"
        assert take(every_trigger, "from-output") == [b'{"name": "ann"}']
        (call,) = [c for c in got(every_trigger, "bus_topic") if c["body"]["bytes"] == "\x01ann"]
        assert call
        assert take(every_trigger, "from-return") == [b"returned \x01ann"]
        with storage_queue(every_trigger, "from-output") as queue:
            content = wait_for(queue.receive_message).content
        assert json.loads(base64.b64decode(content))["body"] == "ann"
        with storage_queue(every_trigger, "several") as queue:
            texts = [base64.b64decode(m.content) for m in queue.receive_messages()]
        assert texts == [b"one", b"two"]
        with BlobServiceClient.from_connection_string(every_trigger.storage) as blobs:
            made = blobs.get_blob_client("made", "ann.txt").download_blob().readall()
        assert made == b"annann"
        with TableClient.from_connection_string(every_trigger.storage, "rows") as table:
            assert table.get_entity("p", "ann")["value"] == 3

    def test_nothing_is_written_where_nothing_was_set(self, every_trigger: Azure) -> None:
        answer = every_trigger.host.request("/api/outputs/nobody?nothing=1")
        assert answer.body == b"nothing was set"
        with BlobServiceClient.from_connection_string(every_trigger.storage) as blobs:
            assert not blobs.get_blob_client("made", "nobody.txt").exists()

    def test_an_output_that_cannot_be_written_fails_the_function(
        self, every_trigger: Azure
    ) -> None:
        assert every_trigger.host.request("/api/outputs/twice").status == 200
        # The table binding only inserts, so the same row again is refused.
        assert every_trigger.host.request("/api/outputs/twice").status == 500


class TestStorageQueues:
    def test_a_message_with_its_metadata(self, every_trigger: Azure) -> None:
        put(every_trigger, "queue-messages", "hello")
        (message,) = wait_for(
            lambda: [
                c["message"]
                for c in every_trigger.seen.of("queue_message")
                if c["message"]["body"] == {"bytes": "hello"}
            ]
        )
        assert message["dequeue_count"] == 1
        assert message["insertion_time"] is not None
        with storage_queue(every_trigger, "queue-messages") as queue:
            wait_for(lambda: not queue.peek_messages(), what="the message to be deleted")

    def test_inputs_are_read_by_expression(self, every_trigger: Azure) -> None:
        with BlobServiceClient.from_connection_string(every_trigger.storage) as blobs:
            container = blobs.get_container_client("made")
            if not container.exists():
                container.create_container()
            container.upload_blob("known", b"content", overwrite=True)
        put(every_trigger, "queue-texts", "known")
        put(every_trigger, "queue-texts", "unknown")
        calls = wait_for(
            lambda: (
                calls
                if (calls := {c["message"]: c for c in every_trigger.seen.of("queue_text")}).keys()
                >= {"known", "unknown"}
                else None
            )
        )
        assert calls["known"]["named"] == {"bytes": "content"}
        assert calls["unknown"]["named"] is None
        assert calls["unknown"]["row"] is None

    def test_a_failing_message_goes_to_the_poison_queue(self, every_trigger: Azure) -> None:
        put(every_trigger, "queue-failing", "bad")
        with storage_queue(every_trigger, "queue-failing-poison") as queue:
            wait_for(lambda: peek(queue), what="the poison queue")
            assert [base64.b64decode(m.content) for m in queue.peek_messages()] == [b"bad"]
        assert [c["count"] for c in every_trigger.seen.of("queue_fails")] == [1, 2]


class TestBlobs:
    def test_a_blob_is_found_once(self, every_trigger: Azure) -> None:
        with BlobServiceClient.from_connection_string(every_trigger.storage) as blobs:
            container = blobs.get_container_client("landing")
            if not container.exists():
                container.create_container()
            for name in ("geo/countries.csv", "geo/readme.txt", "plain.csv"):
                settings = ContentSettings(content_type="text/csv")
                container.upload_blob(name, b"a,b\n", content_settings=settings)

        def found() -> list[Any]:
            calls = every_trigger.seen.of("blob_scanned")
            return [c for c in calls if c["name"] == "landing/geo/countries.csv"]

        (call,) = wait_for(found, what="the blob to be found")
        assert (call["length"], call["body"]) == (4, {"bytes": "a,b\n"})
        assert call["kind"] == "text/csv"
        assert call["uri"].endswith("/landing/geo/countries.csv")
        with BlobServiceClient.from_connection_string(every_trigger.storage) as blobs:
            container = blobs.get_container_client("landing")
            container.upload_blob("geo/countries.csv", b"c\n", overwrite=True)
        wait_for(lambda: len(found()) == 2, what="the new version")
        assert [c["body"]["bytes"] for c in found()] == ["a,b\n", "c\n"]
        assert not [c for c in every_trigger.seen.of("blob_scanned") if "readme" in c["name"]]

    def test_event_grid_tells_of_a_blob(self, every_trigger: Azure) -> None:
        with BlobServiceClient.from_connection_string(every_trigger.storage) as blobs:
            blobs.create_container("told").upload_blob("n e w", b"told")
        event = {
            "id": "1",
            "topic": "/t",
            "subject": "/blobServices/default/containers/told/blobs/n e w",
            "eventType": "Microsoft.Storage.BlobCreated",
            "eventTime": "2026-01-01T00:00:00Z",
            "data": {"eTag": "0x1"},
        }
        path = "/runtime/webhooks/blobs?functionName=Host.Functions.blob_told&code=the-blobs-key"
        answer = every_trigger.host.request(
            path, method="POST", body=[event], headers={"aeg-event-type": "Notification"}
        )
        assert answer.status == 202
        (call,) = got(every_trigger, "blob_told")
        assert call["body"] == {"bytes": "told"}

    def test_a_failing_blob_goes_to_the_poison_queue(self, every_trigger: Azure) -> None:
        with BlobServiceClient.from_connection_string(every_trigger.storage) as blobs:
            blobs.create_container("poisoned").upload_blob("bad", b"")
        with storage_queue(every_trigger, "webjobs-blobtrigger-poison") as queue:
            wait_for(lambda: peek(queue), what="the poison queue of blobs")
            (message,) = queue.peek_messages()
        entry = json.loads(base64.b64decode(message.content))
        assert entry["FunctionId"] == "Host.Functions.blob_fails"
        assert (entry["ContainerName"], entry["BlobName"]) == ("poisoned", "bad")
        assert len(every_trigger.seen.of("blob_fails")) == 2


class TestEventGrid:
    def test_the_function_is_called_for_each_event(self, every_trigger: Azure) -> None:
        before = len(every_trigger.seen.of("grid_event"))
        events = [event(id="x1"), event(id="x2")]
        assert post_events(every_trigger, events).status == 202
        calls = every_trigger.seen.of("grid_event")[before:]
        assert {c["event"]["id"] for c in calls} == {"x1", "x2"}
        assert calls[0]["data"] == {"n": 1}

    def test_one_failure_fails_the_delivery(self, every_trigger: Azure) -> None:
        events = [event(id="y1"), event(id="y2", subject="fail")]
        assert post_events(every_trigger, events).status == 500

    def test_a_cloud_event(self, every_trigger: Azure) -> None:
        event = {
            "specversion": "1.0",
            "id": "c1",
            "source": "/s",
            "type": "t",
            "data": {"n": 2},
            "sequence": "0007",
        }
        assert post_events(every_trigger, event, function="grid_cloud_event").status == 202
        call = every_trigger.seen.of("grid_cloud_event")[-1]
        assert (call["id"], call["data"]) == ("c1", {"n": 2})
        assert call["more"] == {"sequence": "0007"}

    def test_handshakes(self, every_trigger: Azure) -> None:
        asked = [event(data={"validationCode": "abc"})]
        answer = post_events(every_trigger, asked, kind="SubscriptionValidation")
        assert (answer.status, answer.json()) == (200, {"validationResponse": "abc"})
        answer = every_trigger.host.request(
            EVENT_GRID.format("grid_event", "the-event-grid-key"),
            method="OPTIONS",
            headers={"WebHook-Request-Origin": "eventgrid.azure.net"},
        )
        assert answer.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
        assert post_events(every_trigger, [], kind="Unsubscribe").status == 202

    @pytest.mark.parametrize(
        ("changes", "body", "status", "says"),
        [
            ({"code": "wrong"}, [], 401, ""),
            ({"code": "the-host-key"}, [], 401, ""),
            ({"function": "nobody"}, [], 404, "cannot find function: 'nobody'"),
            ({"kind": "Other"}, [], 400, "aeg-event-type is absent or unknown"),
            ({}, b"not json", 400, "cannot be read as events"),
            ({}, [1], 400, "an event must be a JSON object"),
        ],
    )
    def test_refusals(
        self, every_trigger: Azure, changes: dict[str, str], body: Any, status: int, says: str
    ) -> None:
        answer = post_events(every_trigger, body, **changes)
        assert answer.status == status
        assert says in answer.body.decode()

    def test_the_local_event_grid_delivers_what_an_output_published(
        self, every_trigger: Azure
    ) -> None:
        import httpx

        hook = every_trigger.host.url + EVENT_GRID.format("grid_event", "the-event-grid-key")
        declared = {
            "destination": {"endpointType": "WebHook", "properties": {"endpointUrl": hook}},
            "eventDeliverySchema": "EventGridSchema",
        }
        subscriptions = f"{every_trigger.event_grid}/management/topics/made/eventSubscriptions"
        made = httpx.put(f"{subscriptions}/host", json=declared, timeout=20)
        assert made.status_code == 201, made.text
        assert every_trigger.host.request("/api/outputs/through-grid?event=1").status == 200

        def arrived() -> list[Any]:
            return [
                c
                for c in every_trigger.seen.of("grid_event")
                if c["data"] == {"name": "through-grid"}
            ]

        (call,) = wait_for(arrived, what="the event through Event Grid")
        assert call["event"]["event_type"] == "made"


class TestAdmin:
    MASTER = {"x-functions-key": "the-master-key"}  # noqa: RUF012 (never changed)

    def test_status_and_functions(self, every_trigger: Azure) -> None:
        host = every_trigger.host
        status = host.request("/admin/host/status", headers=self.MASTER).json()
        assert status["state"] == "Running"
        listed = host.request("/admin/functions", headers=self.MASTER).json()
        assert len(listed) == host.ready["functions"] == status["functions"]
        one = host.request("/admin/functions/BUS_ONE", headers=self.MASTER).json()
        assert one["config"]["bindings"][0]["queueName"] == "one"
        assert host.request("/admin/functions/nobody", headers=self.MASTER).status == 404
        assert host.request("/admin/host/ping").status == 200

    @pytest.mark.parametrize(
        ("function", "given", "seen"),
        [
            ("bus_text", "by hand", {"message": "by hand"}),
            ("on_timer", "", {"past_due": False}),
            ("queue_message", "q", {}),
            ("grid_cloud_event", {"specversion": "1.0", "id": "hand", "data": {}}, {"id": "hand"}),
        ],
    )
    def test_a_function_is_called_by_hand(
        self, every_trigger: Azure, function: str, given: Any, seen: dict[str, Any]
    ) -> None:
        before = len(every_trigger.seen.of(function))
        answer = every_trigger.host.request(
            f"/admin/functions/{function}",
            method="POST",
            body={"input": given},
            headers=self.MASTER,
        )
        assert answer.status == 202
        call = got(every_trigger, function, before + 1)[-1]
        assert {name: call[name] for name in seen} == seen

    @pytest.mark.parametrize(
        ("path", "body", "key", "status", "says"),
        [
            ("bus_one", {}, "the-host-key", 401, ""),
            ("nobody", {}, "the-master-key", 404, ""),
            ("http_text", {}, "the-master-key", 400, "is called at its own route"),
            ("bus_one", b"{", "the-master-key", 400, "The body must be JSON"),
        ],
    )
    def test_refusals(
        self, every_trigger: Azure, path: str, body: Any, key: str, status: int, says: str
    ) -> None:
        answer = every_trigger.host.request(
            f"/admin/functions/{path}",
            method="POST",
            body=body,
            headers={"x-functions-key": key},
        )
        assert answer.status == status
        assert says in answer.body.decode()


def test_a_timer_that_runs_on_startup(every_trigger: Azure) -> None:
    call = got(every_trigger, "on_timer")[0]
    assert call["past_due"] is False
    assert call["schedule"] == {"AdjustForDST": True}
