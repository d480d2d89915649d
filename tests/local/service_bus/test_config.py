"""The entities file: what it may say, and where it is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.process import LocalError
from local.service_bus.config import Declaration, load_declaration, read_declaration
from local.service_bus.core.entities import (
    CorrelationFilter,
    QueueSpec,
    RuleSpec,
    SqlAction,
    SqlFilter,
    SubscriptionSpec,
    TopicSpec,
)

MICROSOFTS_SAMPLE = {
    "UserConfig": {
        "Namespaces": [
            {
                "Name": "sbemulatorns",
                "Queues": [
                    {
                        "Name": "queue.1",
                        "Properties": {
                            "DeadLetteringOnMessageExpiration": False,
                            "DefaultMessageTimeToLive": "PT1H",
                            "DuplicateDetectionHistoryTimeWindow": "PT20S",
                            "ForwardDeadLetteredMessagesTo": "",
                            "ForwardTo": "",
                            "LockDuration": "PT1M",
                            "MaxDeliveryCount": 3,
                            "RequiresDuplicateDetection": False,
                            "RequiresSession": False,
                        },
                    }
                ],
                "Topics": [
                    {
                        "Name": "topic.1",
                        "Properties": {
                            "DefaultMessageTimeToLive": "PT1H",
                            "DuplicateDetectionHistoryTimeWindow": "PT20S",
                            "RequiresDuplicateDetection": False,
                        },
                        "Subscriptions": [
                            {
                                "Name": "subscription.1",
                                "Properties": {"LockDuration": "PT1M", "MaxDeliveryCount": 3},
                                "Rules": [
                                    {
                                        "Name": "app-prop-filter-1",
                                        "Properties": {
                                            "FilterType": "Correlation",
                                            "CorrelationFilter": {
                                                "ContentType": "application/text",
                                                "CorrelationId": "id1",
                                                "Label": "subject1",
                                                "MessageId": "msgid1",
                                                "ReplyTo": "someQueue",
                                                "ReplyToSessionId": "sessionId",
                                                "SessionId": "session1",
                                                "To": "xyz",
                                                "Properties": {"prop1": "value1"},
                                            },
                                        },
                                    },
                                    {
                                        "Name": "sql",
                                        "Properties": {
                                            "FilterType": "Sql",
                                            "SqlFilter": {"SqlExpression": "sys.MessageId = '1'"},
                                            "Action": {"SqlExpression": "SET sys.To = 'Entity'"},
                                        },
                                    },
                                ],
                            },
                            {"Name": "subscription.2"},
                        ],
                    }
                ],
            }
        ],
        "Logging": {"Type": "File"},
    }
}


def test_the_form_of_microsofts_emulator_is_read() -> None:
    declaration = read_declaration(MICROSOFTS_SAMPLE)
    assert declaration.queues == (
        QueueSpec(
            name="queue.1",
            max_delivery_count=3,
            default_message_time_to_live=3600.0,
            duplicate_detection_history_time_window=20.0,
        ),
    )
    assert declaration.topics == (
        TopicSpec(
            name="topic.1",
            default_message_time_to_live=3600.0,
            duplicate_detection_history_time_window=20.0,
        ),
    )
    first, second = declaration.subscriptions
    assert first.spec == SubscriptionSpec(
        topic="topic.1", name="subscription.1", max_delivery_count=3
    )
    assert first.rules == (
        RuleSpec(
            name="app-prop-filter-1",
            filter=CorrelationFilter(
                content_type="application/text",
                correlation_id="id1",
                label="subject1",
                message_id="msgid1",
                reply_to="someQueue",
                reply_to_session_id="sessionId",
                session_id="session1",
                to="xyz",
                properties={"prop1": "value1"},
            ),
        ),
        RuleSpec(
            name="sql",
            filter=SqlFilter(expression="sys.MessageId = '1'"),
            action=SqlAction(expression="SET sys.To = 'Entity'"),
        ),
    )
    assert (second.spec.name, second.rules) == ("subscription.2", ())


def test_an_empty_namespace_is_fine() -> None:
    document = {"UserConfig": {"Namespaces": [{"Name": "n"}]}}
    assert read_declaration(document) == Declaration()


def _with(*, queues: Any = (), topics: Any = ()) -> dict[str, Any]:
    namespace = {"Name": "n", "Queues": list(queues), "Topics": list(topics)}
    return {"UserConfig": {"Namespaces": [namespace]}}


def _queue(**properties: Any) -> dict[str, Any]:
    return _with(queues=[{"Name": "ok"}, {"Name": "q", "Properties": properties}])


def _rule(**properties: Any) -> dict[str, Any]:
    rule = {"Name": "r", "Properties": properties}
    return _with(topics=[{"Name": "t", "Subscriptions": [{"Name": "s", "Rules": [rule]}]}])


NAMESPACE = "UserConfig.Namespaces[0]"
RULE = f"{NAMESPACE}.Topics[0].Subscriptions[0].Rules[0].Properties"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "the top: an object is expected."),
        ({}, "UserConfig: is missing."),
        ({"UserConfig": {}}, "UserConfig.Namespaces: is missing."),
        ({"UserConfig": {"Namespaces": {}}}, "UserConfig.Namespaces: a list is expected."),
        (
            {"UserConfig": {"Namespaces": [{}, {}]}},
            "UserConfig.Namespaces: exactly one namespace is expected, 2 are there.",
        ),
        (_with(queues=[{}]), f"{NAMESPACE}.Queues[0].Name: a name is expected."),
        (_with(queues=["q"]), f"{NAMESPACE}.Queues[0]: an object is expected."),
        (_with(queues=[{"Name": "a b"}]), f"{NAMESPACE}.Queues[0]: 'a b' is no queue name"),
        (
            _with(queues=[{"Name": "a"}, {"Name": "A"}]),
            f"{NAMESPACE}: the name 'A' is declared twice.",
        ),
        (
            _with(queues=[{"Name": "a"}], topics=[{"Name": "a"}]),
            f"{NAMESPACE}: the name 'a' is declared twice.",
        ),
        (
            _queue(LockDuration="1 minute"),
            f"{NAMESPACE}.Queues[1].Properties.LockDuration: '1 minute' is no ISO 8601 duration",
        ),
        (
            _queue(LockDuration="P1M"),
            f"{NAMESPACE}.Queues[1].Properties.LockDuration: 'P1M' has months or years",
        ),
        (
            _queue(LockDuration="P10675199DT2H48M5.4775807S"),
            f"{NAMESPACE}.Queues[1].Properties.LockDuration: 'P10675199DT2H48M5.4775807S' is too",
        ),
        (
            _queue(LockDuration=60),
            f"{NAMESPACE}.Queues[1].Properties.LockDuration: an ISO 8601 duration such as PT1M",
        ),
        (
            _queue(LockDuration="PT6M"),
            f"{NAMESPACE}.Queues[1]: LockDuration of 'q' must be over 0 and at most 5 minutes.",
        ),
        (
            _queue(MaxDeliveryCount="3"),
            f"{NAMESPACE}.Queues[1].Properties.MaxDeliveryCount: a whole number is expected.",
        ),
        (
            _queue(RequiresSession="yes"),
            f"{NAMESPACE}.Queues[1].Properties.RequiresSession: true or false is expected.",
        ),
        (
            _queue(ForwardTo=1),
            f"{NAMESPACE}.Queues[1].Properties.ForwardTo: a string is expected.",
        ),
        (
            _queue(Status="Off"),
            f"{NAMESPACE}.Queues[1].Properties.Status: one of Active, Disabled, SendDisabled,",
        ),
        (
            _queue(LockDurations="PT1M"),
            f"{NAMESPACE}.Queues[1].Properties.LockDurations: is not known; known are AutoDelete",
        ),
        (_rule(), f"{RULE}.FilterType: 'Sql' or 'Correlation' is expected."),
        (_rule(FilterType="Sql"), f"{RULE}.SqlFilter: is missing."),
        (
            _rule(FilterType="Sql", SqlFilter={}),
            f"{RULE}.SqlFilter.SqlExpression: an SQL expression is expected.",
        ),
        (
            _rule(FilterType="Sql", SqlFilter={"SqlExpression": "a ="}),
            f"{RULE}: SQL error at character 4 of `a =`",
        ),
        (
            _rule(FilterType="Correlation", CorrelationFilter={}),
            f"{RULE}: A correlation filter needs at least one property to match.",
        ),
        (
            _rule(FilterType="Correlation", CorrelationFilter={"Lable": "x"}),
            f"{RULE}.CorrelationFilter.Lable: a string under one of ContentType,",
        ),
        (
            _rule(FilterType="Correlation", CorrelationFilter={"Properties": {"a": []}}),
            f"{RULE}.CorrelationFilter.Properties.a: a string, a number, true or false",
        ),
        (
            _with(
                topics=[
                    {
                        "Name": "t",
                        "Subscriptions": [
                            {
                                "Name": "s",
                                "Rules": [
                                    {
                                        "Name": name,
                                        "Properties": {
                                            "FilterType": "Sql",
                                            "SqlFilter": {"SqlExpression": "1=1"},
                                        },
                                    }
                                    for name in ("r", "R")
                                ],
                            }
                        ],
                    }
                ]
            ),
            f"{NAMESPACE}.Topics[0].Subscriptions[0].Rules: two rules have the same name.",
        ),
        (
            _with(topics=[{"Name": "t", "Subscriptions": [{"Name": "s"}, {"Name": "S"}]}]),
            f"{NAMESPACE}: the name 't/Subscriptions/S' is declared twice.",
        ),
    ],
)
def test_errors_name_the_place_and_what_is_expected(document: Any, message: str) -> None:
    with pytest.raises(LocalError) as refused:
        read_declaration(document)
    assert str(refused.value).startswith(message)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "entities.json"
    file.write_text(json.dumps(MICROSOFTS_SAMPLE))
    assert load_declaration(file) == read_declaration(MICROSOFTS_SAMPLE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"UserConfig": }', r"entities.json is no JSON: Expecting value at line 1, column 16\."),
        (b"\xff\xfe", r"entities.json is not UTF-8 \(byte 0\)\."),
        (b"{}", r"entities.json is wrong at UserConfig: is missing\."),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "entities.json"
    file.write_bytes(content)
    with pytest.raises(LocalError, match=message):
        load_declaration(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"nowhere\.json cannot be read: No such file"):
        load_declaration(tmp_path / "nowhere.json")
