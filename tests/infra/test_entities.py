"""One list of entities: the app's triggers, the JSON files, the Bicep files and the code agree."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesh.azure.service_bus import FAN_OUT, QUEUES
from mesh.azure.storage import NODE_CONTAINERS
from mesh.azure.topic_subscriptions import TOPIC
from tests.infra.bicep.checking import INFRA, plan, plan_with
from tests.infra.bicep.plan import Plan
from tests.infra.entities import ROOT, bindings, literals, service_bus_entities

NOT_THE_APPS = {"app-package", "undelivered"}
"""Containers that only the platform writes: the package, and Event Grid's dead letters."""

SCENARIOS = ("public", "private", "brownfield")


def _json(name: str) -> Any:
    return json.loads((INFRA / name).read_text(encoding="utf-8"))


def _declared_entities() -> set[str]:
    namespace = _json("service-bus.json")["UserConfig"]["Namespaces"][0]
    queues = {f"queues/{queue['Name']}" for queue in namespace["Queues"]}
    return queues | {
        f"topics/{topic['Name']}/subscriptions/{subscription['Name']}"
        for topic in namespace["Topics"]
        for subscription in topic["Subscriptions"]
    }


def _deployed_entities(scenario: str) -> set[str]:
    return _entities_of(plan(scenario))


def _entities_of(made: Plan) -> set[str]:
    kinds = ("queues", "topics/subscriptions")
    return {
        found.id.partition("/Microsoft.ServiceBus/namespaces/")[2].partition("/")[2]
        for kind in kinds
        for found in made.deployed(f"Microsoft.ServiceBus/namespaces/{kind}")
    }


def _names(scenario: str, kind: str) -> set[str]:
    return {found.name.rpartition("/")[2] for found in plan(scenario).deployed(kind)}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_trigger_has_its_entity_and_each_entity_its_trigger(scenario: str) -> None:
    triggered = service_bus_entities(bindings())

    assert triggered == _declared_entities() == _deployed_entities(scenario)


def test_a_trigger_without_an_entity_would_be_noticed() -> None:
    extra = {"type": "serviceBusTrigger", "queueName": "landed-filez", "function": "planted"}

    assert service_bus_entities([*bindings(), extra]) != _declared_entities()


def test_an_entity_without_a_trigger_would_be_noticed() -> None:
    made = plan_with("public", "service-bus.json", '"notifications"', '"notificationz"')

    assert _entities_of(made) ^ service_bus_entities(bindings()) == {
        "queues/notifications",
        "queues/notificationz",
    }


def test_each_connection_of_a_trigger_is_set() -> None:
    connections = {found["connection"] for found in bindings() if "connection" in found}
    settings = _app_settings()

    assert connections == {"SERVICE_BUS"}
    for connection in connections:
        for member in ("fullyQualifiedNamespace", "credential", "clientId"):
            assert f"{connection}__{member}" in settings
        # A connection string under the bare name would win over the identity.
        assert connection not in settings


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_queues_and_topics_have_the_declared_properties(scenario: str) -> None:
    namespace = _json("service-bus.json")["UserConfig"]["Namespaces"][0]
    declared = {queue["Name"]: queue["Properties"] for queue in namespace["Queues"]}
    for found in plan(scenario).deployed("Microsoft.ServiceBus/namespaces/queues"):
        wanted = declared.pop(found.name.rpartition("/")[2])
        assert found.body["properties"] == {
            name[0].lower() + name[1:]: value for name, value in wanted.items()
        }
    assert not declared
    for topic in namespace["Topics"]:
        [found] = plan(scenario).deployed("Microsoft.ServiceBus/namespaces/topics")
        for name, value in topic["Properties"].items():
            assert found.body["properties"][name[0].lower() + name[1:]] == value


def test_the_code_knows_the_same_names() -> None:
    namespace = _json("service-bus.json")["UserConfig"]["Namespaces"][0]

    assert {queue["Name"] for queue in namespace["Queues"]} == set(QUEUES)
    assert [topic["Name"] for topic in namespace["Topics"]] == [TOPIC]
    assert [one["Name"] for one in namespace["Topics"][0]["Subscriptions"]] == [FAN_OUT]
    assert literals(ROOT / "mesh" / "azure", "table") == set(_json("storage.json")["tables"])
    assert set(_json("node.json")["containers"]) == NODE_CONTAINERS


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_containers_and_tables_are_the_declared_ones(scenario: str) -> None:
    declared = _json("storage.json")
    containers = _names(scenario, "Microsoft.Storage/storageAccounts/blobServices/containers")
    tables = _names(scenario, "Microsoft.Storage/storageAccounts/tableServices/tables")

    assert containers - NOT_THE_APPS == set(declared["containers"])
    assert containers >= NOT_THE_APPS
    assert tables == set(declared["tables"])
    assert set(_json("node.json")["containers"]) < set(declared["containers"])


def test_a_node_has_just_its_containers_and_their_lifecycle() -> None:
    made = plan("node alone")
    containers = _names("node alone", "Microsoft.Storage/storageAccounts/blobServices/containers")
    [policy] = made.deployed("Microsoft.Storage/storageAccounts/managementPolicies")
    prefixes = {
        prefix
        for rule in policy.body["properties"]["policy"]["rules"]
        for prefix in rule["definition"]["filters"]["prefixMatch"]
    }

    assert containers == NODE_CONTAINERS | {"undelivered"}
    assert prefixes == {f"{container}/" for container in NODE_CONTAINERS}


def test_events_of_every_landing_zone_go_to_the_queue() -> None:
    declared = _json("event-grid.json")["systemTopics"][0]["eventSubscriptions"][0]
    kind = "Microsoft.EventGrid/systemTopics/eventSubscriptions"
    found = plan("public").deployed(kind)

    # The hub's own, the node of `geo`, and the adopted account of `market-data`.
    assert len(found) == 3
    for subscription in found:
        held = subscription.body["properties"]
        destination = held["deliveryWithResourceIdentity"]["destination"]
        assert destination["endpointType"] == "ServiceBusQueue"
        assert destination["properties"]["resourceId"].endswith("/queues/landed-files")
        for name in ("filter", "retryPolicy", "eventDeliverySchema"):
            assert held[name] == declared[name]


def test_events_of_products_go_to_the_topic_with_their_attributes() -> None:
    declared = _json("event-grid.json")["topics"][0]["eventSubscriptions"][0]
    [found] = plan("public").deployed("Microsoft.EventGrid/topics/eventSubscriptions")
    destination = found.body["properties"]["deliveryWithResourceIdentity"]["destination"]

    assert destination["properties"]["resourceId"].endswith(f"/topics/{TOPIC}")
    mappings = destination["properties"]["deliveryAttributeMappings"]
    assert mappings == declared["destination"]["properties"]["deliveryAttributeMappings"]


def test_event_grid_may_keep_trying_as_long_as_duplicates_are_known() -> None:
    """Only then does the queue drop what Event Grid delivers twice; the handlers do in any case."""
    namespace = _json("service-bus.json")["UserConfig"]["Namespaces"][0]

    assert all(queue["Properties"]["RequiresDuplicateDetection"] for queue in namespace["Queues"])
    assert not any(queue["Properties"]["RequiresSession"] for queue in namespace["Queues"])


def _app_settings() -> dict[str, Any]:
    return plan("public").config("appsettings")
