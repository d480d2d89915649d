"""Settings, connections, `host.json`, keys: what is read, and every refusal."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.functions_host.clients import Clients
from local.functions_host.expressions import UnknownExpressionError, expand
from local.functions_host.host_json import parse_time_span, read_host_json
from local.functions_host.keys import load_keys
from local.functions_host.logs import Levels
from local.functions_host.retries import RetryPolicy
from local.functions_host.settings import find_connection, read_local_settings, resolve
from local.process import LocalError


class TestLocalSettings:
    def test_values(self, tmp_path: Path) -> None:
        path = tmp_path / "local.settings.json"
        path.write_text('\ufeff{"IsEncrypted": false, "Values": {"A": "1"}}', encoding="utf-8")
        assert read_local_settings(path) == {"A": "1"}

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            (None, "no such settings file. Copy the app's sample to it"),
            ("{", "cannot be read as JSON"),
            ("[]", "must hold a JSON object"),
            ('{"IsEncrypted": true, "Values": {}}', "func settings decrypt"),
            ('{"Values": []}', '"Values" must be an object'),
            ('{"Values": {"A": 1}}', 'the value of "A" must be a string'),
        ],
    )
    def test_refusals(self, tmp_path: Path, text: str | None, says: str) -> None:
        path = tmp_path / "local.settings.json"
        if text is not None:
            path.write_text(text)
        with pytest.raises(LocalError, match=says) as refused:
            read_local_settings(path)
        assert str(path) in str(refused.value)


class TestResolve:
    def test_settings_take_the_place_of_their_names(self) -> None:
        assert resolve("a-%X%-%Y%", {"X": "1", "Y": "2"}, "here") == "a-1-2"
        assert resolve("%A:B%", {"A__B": "nested"}, "here") == "nested"
        assert resolve("100% of % it", {}, "here") == "100% of % it"

    def test_an_unknown_setting_is_named(self) -> None:
        with pytest.raises(LocalError, match=r"here: '%X%' does not resolve.*app setting X"):
            resolve("%X%", {}, "here")


class TestConnections:
    def test_where_a_connection_is_looked_for(self) -> None:
        assert find_connection("X", {"X": "a"}, "").connection_string == "a"
        assert find_connection("X", {"AzureWebJobsX": "b"}, "").connection_string == "b"
        found = find_connection("X", {"X__accountName": "n", "X__clientId": "c"}, "")
        assert found.connection_string is None
        assert found.properties == {"accountName": "n", "clientId": "c"}

    def test_a_missing_connection_is_named(self) -> None:
        with pytest.raises(LocalError, match="'here': the connection 'X' is not configured"):
            find_connection("X", {}, "'here'")

    @pytest.mark.parametrize(
        ("kind", "environ", "says"),
        [
            ("service_bus", {"X": "nonsense"}, "the app setting X cannot be read"),
            ("service_bus", {"X__clientId": "c"}, "X__fullyQualifiedNamespace"),
            ("blobs", {"X": "nonsense"}, "the app setting X cannot be read"),
            ("blobs", {"X__clientId": "c"}, "X__accountName is missing"),
        ],
    )
    def test_connections_no_client_can_use(
        self, kind: str, environ: dict[str, str], says: str
    ) -> None:
        with pytest.raises(LocalError, match=says):
            getattr(Clients(environ), kind)("X", "here")

    @pytest.mark.parametrize("kind", ["queue", "table"])
    def test_clients_of_named_things(self, kind: str) -> None:
        with pytest.raises(LocalError, match="the app setting X cannot be read"):
            getattr(Clients({"X": "nonsense"}), kind)("X", "name", "here")
        assert getattr(Clients({"X": "UseDevelopmentStorage=true"}), kind)("X", "name", "here")

    def test_event_grid_needs_its_settings(self) -> None:
        clients = Clients({"URL": "http://x", "C__clientId": "c"})
        with pytest.raises(LocalError, match="the app setting KEY is missing"):
            clients.event_grid(
                connection="", endpoint_setting="URL", key_setting="KEY", where="here"
            )
        with pytest.raises(LocalError, match="C__topicEndpointUri is missing"):
            clients.event_grid(connection="C", endpoint_setting="", key_setting="", where="here")


class TestTimeSpans:
    @pytest.mark.parametrize(
        ("text", "span"),
        [
            ("00:05:00", timedelta(minutes=5)),
            ("01:02", timedelta(hours=1, minutes=2)),
            ("2.03:00:00.5", timedelta(days=2, hours=3, milliseconds=500)),
            ("-00:00:01", timedelta(seconds=-1)),
        ],
    )
    def test_read(self, text: str, span: timedelta) -> None:
        assert parse_time_span(text) == span

    @pytest.mark.parametrize("text", ["", "5", "24:00:00", "00:60:00", "1:2:3:4", "five"])
    def test_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=f"'{text}'"):
            parse_time_span(text)


class TestHostJson:
    def write(self, folder: Path, **members: Any) -> Path:
        (folder / "host.json").write_text(json.dumps({"version": "2.0", **members}))
        return folder

    def test_defaults_are_azures(self, tmp_path: Path) -> None:
        found = read_host_json(self.write(tmp_path))
        assert found.route_prefix == "api"
        assert found.function_timeout == timedelta(minutes=30)
        assert found.service_bus.auto_complete_messages is True
        assert found.service_bus.max_auto_lock_renewal == timedelta(minutes=5)
        assert found.queues.max_dequeue_count == 5

    def test_what_is_declared_is_read(self, tmp_path: Path) -> None:
        found = read_host_json(
            self.write(
                tmp_path,
                functionTimeout="-1",
                functions=["one"],
                logging={"logLevel": {"default": "Warning"}},
                extensions={
                    "http": {"routePrefix": "/v1/"},
                    "serviceBus": {"maxConcurrentCalls": 3, "prefetchCount": 6},
                    "queues": {"batchSize": 4, "messageEncoding": "none"},
                    "blobs": {"poisonBlobThreshold": 2},
                },
            )
        )
        assert found.function_timeout is None
        assert found.functions == ("one",)
        assert found.route_prefix == "v1"
        assert found.service_bus.max_concurrent_calls == 3
        assert (found.queues.batch_size, found.queues.new_batch_threshold) == (4, 2)
        assert found.blobs.poison_blob_threshold == 2

    @pytest.mark.parametrize(
        ("members", "says"),
        [
            ({"version": "1.0"}, '"version": "2.0"'),
            ({"functionTimeout": "5 minutes"}, "functionTimeout: '5 minutes' is not a time span"),
            ({"functions": "x"}, "functions: must be a list of names"),
            ({"extensions": []}, "must be an object"),
            (
                {"extensions": {"serviceBus": {"maxConcurrentCalls": 0}}},
                "extensions.serviceBus.maxConcurrentCalls: must be at least 1, not 0",
            ),
            (
                {"extensions": {"serviceBus": {"prefetchCount": "1"}}},
                "prefetchCount: must be a whole number",
            ),
            (
                {"extensions": {"serviceBus": {"autoCompleteMessages": "no"}}},
                "autoCompleteMessages: must be true or false",
            ),
            (
                {"extensions": {"queues": {"batchSize": 33}}},
                "batchSize: must be from 1 to 32, not 33",
            ),
            (
                {"extensions": {"queues": {"messageEncoding": "utf8"}}},
                'messageEncoding: must be "base64" or "none"',
            ),
        ],
    )
    def test_refusals_name_the_property(
        self, tmp_path: Path, members: dict[str, Any], says: str
    ) -> None:
        with pytest.raises(LocalError) as refused:
            read_host_json(self.write(tmp_path, **members))
        assert says in str(refused.value)
        assert str(tmp_path / "host.json") in str(refused.value)

    def test_it_must_be_there_and_be_json(self, tmp_path: Path) -> None:
        with pytest.raises(LocalError, match=r"not found\. A function app needs one"):
            read_host_json(tmp_path)
        (tmp_path / "host.json").write_text("{")
        with pytest.raises(LocalError, match="cannot be read as JSON"):
            read_host_json(tmp_path)


class TestKeys:
    def test_they_are_made_once_and_kept(self, tmp_path: Path) -> None:
        first = load_keys(tmp_path / "secrets", ["f"])
        again = load_keys(tmp_path / "secrets", ["f"])
        assert first == again
        assert len({first.master, first.host["default"], first.functions["f"]["default"]}) == 3
        assert (tmp_path / "secrets" / "host.json").stat().st_mode & 0o077 == 0
        stored = json.loads((tmp_path / "secrets" / "host.json").read_text())
        assert stored["masterKey"]["value"] == first.master
        assert {k["name"] for k in stored["systemKeys"]} == set(first.system)

    def test_given_keys_win(self, tmp_path: Path) -> None:
        given = tmp_path / "keys.json"
        given.write_text(json.dumps({"host.master": "m", "functions.f.extra": "e"}))
        keys = load_keys(tmp_path / "secrets", ["f", "g"], given)
        assert keys.opens_admin("m")
        assert not keys.opens_admin(keys.host["default"])
        assert keys.opens_function("f", "e")
        assert not keys.opens_function("g", "e")
        assert keys.opens_function("g", "m")
        assert not keys.opens_function("g", "")
        assert keys.opens_webhook("blobs_extension", "m")

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("{", "cannot be read as keys"),
            ("[]", "must hold a JSON object of keys"),
            ('{"functionKeys": 3}', "is not a list of names and values"),
            ('{"functionKeys": ["x"]}', "is not a list of names and values"),
            (
                '{"functionKeys": [{"name": "a", "value": "b", "encrypted": true}]}',
                "encrypted keys, which only Azure can read",
            ),
        ],
    )
    def test_stored_keys_that_cannot_be_read(self, tmp_path: Path, text: str, says: str) -> None:
        (tmp_path / "host.json").write_text(text)
        with pytest.raises(LocalError, match=says):
            load_keys(tmp_path, [])

    def test_given_keys_that_cannot_be_used(self, tmp_path: Path) -> None:
        given = tmp_path / "keys.json"
        given.write_text('{"host.master": ""}')
        with pytest.raises(LocalError, match="must be a string that is not empty"):
            load_keys(tmp_path / "secrets", [], given)


class TestExpressions:
    def test_what_a_trigger_provides(self) -> None:
        given = {"Name": "n", "data": {"Inner": {"x": 1}}}
        assert expand("a/{name}/{data.inner.x}", given, "here") == "a/n/1"

    def test_what_is_always_there(self) -> None:
        assert len(expand("{rand-guid}", {}, "here")) == 36
        assert len(expand("{rand-guid:N}", {}, "here")) == 32
        assert expand("{DateTime:yyyy-MM}", {}, "here")[4] == "-"
        assert expand("{datetime}", {}, "here").endswith("Z")

    @pytest.mark.parametrize("template", ["{other}", "{name.inner}"])
    def test_what_is_not_there(self, template: str) -> None:
        with pytest.raises(UnknownExpressionError, match=r"here: .* does not resolve"):
            expand(template, {"name": "n"}, "here")


class TestRetryPolicies:
    def test_a_fixed_delay(self) -> None:
        policy = RetryPolicy.from_settings(
            {"strategy": "fixed_delay", "max_retry_count": "2", "delay_interval": "00:00:10"}, "f"
        )
        assert [policy.allows(n) for n in range(3)] == [True, True, False]
        assert policy.delay(0) == policy.delay(1) == timedelta(seconds=10)

    def test_growing_delays_stay_within_their_bounds(self) -> None:
        policy = RetryPolicy.from_settings(
            {
                "strategy": "exponential_backoff",
                "max_retry_count": "-1",
                "minimum_interval": "00:00:02",
                "maximum_interval": "00:00:30",
            },
            "f",
        )
        assert policy.allows(10**6)
        assert policy.delay(0) == timedelta(seconds=2)
        assert timedelta(seconds=6) < policy.delay(3) < timedelta(seconds=10)
        assert policy.delay(60) == timedelta(seconds=30)

    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            ({"strategy": "none"}, "unknown strategy 'none'"),
            ({"strategy": "fixed_delay", "max_retry_count": "2"}, "fixed_delay needs"),
            ({"strategy": "fixed_delay", "max_retry_count": "x"}, "Write intervals as hh:mm:ss"),
        ],
    )
    def test_refusals(self, settings: dict[str, str], says: str) -> None:
        with pytest.raises(LocalError, match=f"Function 'f', retry policy: .*{says}|{says}"):
            RetryPolicy.from_settings(settings, "f")


def test_an_unknown_log_level_is_refused() -> None:
    with pytest.raises(LocalError, match=r"logging\.logLevel\.Function: unknown level 'Loud'"):
        Levels({"Function": "Loud"})
