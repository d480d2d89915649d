"""Who may do what: each SDK call of the app is covered by a role, and each role by a call."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.infra.bicep.checking import INFRA, bicep_files, plan, sources
from tests.infra.bicep.plan import Plan
from tests.infra.entities import ROOT

ROLES: dict[str, str] = json.loads((INFRA / "modules" / "roles.json").read_text())
OWNER, RECEIVER = "serviceBusDataOwner", "serviceBusDataReceiver"

CALLS = {
    # Blobs; which containers, `CONTAINERS` says.
    "download_blob": "blob read",
    "exists": "blob read",
    "upload_blob": "blob write",
    "stage_block": "blob write",
    "commit_block_list": "blob write",
    "get_user_delegation_key": "blob delegation",
    # Tables
    "get_entity": "table",
    "query_entities": "table",
    "create_entity": "table",
    "update_entity": "table",
    "upsert_entity": "table",
    "delete_entity": "table",
    "submit_transaction": "table",
    # Event Grid
    "send": "publish",
    # Service Bus, queues
    "send_messages": "queue send",
    "create_message_batch": "queue send",
    "get_queue_runtime_properties": "queue manage",
    "get_queue_receiver": "queue manage",  # of dead letters; Manage includes Listen
    # Service Bus, the topic's subscriptions
    "get_subscription_receiver": "topic manage",
    "create_subscription": "topic manage",
    "delete_subscription": "topic manage",
    "update_subscription": "topic manage",
    "get_subscription": "topic manage",
    "list_subscriptions": "topic manage",
    "list_subscriptions_runtime_properties": "topic manage",
    "list_rules": "topic manage",
    "create_rule": "topic manage",
    "delete_rule": "topic manage",
    "update_rule": "topic manage",
}
"""What each SDK method that the app calls asks of Azure."""

HARMLESS = {
    # Make a client, or work on what has been fetched; none of them sends anything.
    "get_blob_client",
    "url",
    "get_container_client",
    "get_table_client",
    "get_queue_sender",
    "from_connection_string",
    "from_dict",
    "add_message",
    "chunks",
    "close",
}

READ = {"landing"}
WRITTEN = {"published", "quarantine", "receipts", "contracts", "declarations"}
"""Containers by what the app does with them."""

NEEDS = (
    ("Microsoft.ServiceBus/namespaces/queues", {"queue send", "queue manage"}, OWNER),
    ("Microsoft.ServiceBus/namespaces/topics", {"topic manage"}, OWNER),
    ("Microsoft.EventGrid/topics", {"publish"}, "eventGridDataSender"),
    ("Microsoft.Storage/storageAccounts/tableServices/tables", {"table"}, "tableDataContributor"),
)
"""On which resources which of these asks for which role."""

SCENARIOS = ("public", "private", "brownfield")


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """A role that an identity has on a resource, and on all that is in it."""

    principal: str
    role: str
    scope: str


def grants(made: Plan) -> list[Grant]:
    names = {identity: name for name, identity in ROLES.items()}
    return [
        Grant(
            principal=str(found.body["properties"]["principalId"]),
            role=names[found.body["properties"]["roleDefinitionId"].rpartition("/")[2]],
            scope=found.scope,
        )
        for found in made.deployed("Microsoft.Authorization/roleAssignments")
    ]


def app_of(made: Plan) -> str:
    [identity] = made.deployed("Microsoft.ManagedIdentity/userAssignedIdentities")
    return f"{identity.id}#properties.principalId"


def may(found: list[Grant], principal: str, role: str, resource: str) -> bool:
    return any(
        grant.principal == principal
        and grant.role == role
        and (resource == grant.scope or resource.startswith(f"{grant.scope}/"))
        for grant in found
    )


def sdk_calls(text: str) -> set[str]:
    """Names of the methods that a module calls on anything but itself and plain Python values."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found.add(node.func.attr)
    return found


def methods_of_the_sdk() -> set[str]:
    """Every public method of the clients that the app uses."""
    from azure.data.tables import TableClient, TableServiceClient
    from azure.eventgrid import EventGridPublisherClient
    from azure.servicebus import ServiceBusClient, ServiceBusSender
    from azure.servicebus.management import ServiceBusAdministrationClient
    from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient

    clients = (
        TableClient,
        TableServiceClient,
        EventGridPublisherClient,
        ServiceBusClient,
        ServiceBusSender,
        ServiceBusAdministrationClient,
        BlobClient,
        BlobServiceClient,
        ContainerClient,
    )
    return {name for client in clients for name in dir(client) if not name.startswith("_")}


def asked_of_azure() -> set[str]:
    texts = (file.read_text("utf-8") for file in sorted((ROOT / "mesh/azure").glob("*.py")))
    called = set().union(*map(sdk_calls, texts))
    return (called & methods_of_the_sdk()) - HARMLESS


def needs(made: Plan) -> Iterator[tuple[str, str]]:
    """Roles that the app needs, and on what, for what its code and its triggers do."""
    wanted = {CALLS[call] for call in asked_of_azure()}
    for kind, asked, role in NEEDS:
        if asked & wanted:
            for found in made.deployed(kind):
                yield role, found.id
    for container in made.deployed("Microsoft.Storage/storageAccounts/blobServices/containers"):
        name = container.name.rpartition("/")[2]
        if name in READ and "blob read" in wanted:
            yield "blobDataReader", container.id
        if name == "published" and "blob delegation" in wanted:
            yield "blobDelegator", container.id.partition("/blobServices/")[0]
        if name in WRITTEN and "blob write" in wanted:
            yield "blobDataContributor", container.id
    yield from _of_the_host(made)


def _of_the_host(made: Plan) -> Iterator[tuple[str, str]]:
    """What triggers, the Functions host, the exporter and the platform do in the app's name."""
    host = made.config("appsettings")["AzureWebJobsStorage__accountName"]
    for account in made.deployed("Microsoft.Storage/storageAccounts"):
        if account.name == host:
            yield "blobDataOwner", account.id
            yield "tableDataContributor", account.id
    for subscription in made.deployed("Microsoft.ServiceBus/namespaces/topics/subscriptions"):
        yield RECEIVER, subscription.id
    for insights in made.deployed("Microsoft.Insights/components"):
        yield "monitoringMetricsPublisher", insights.id
    vaults = [found for found in made.resources if found.kind == "Microsoft.KeyVault/vaults"]
    yield "keyVaultSecretsUser", vaults[-1].id


def test_each_call_to_azure_is_known() -> None:
    assert asked_of_azure() - set(CALLS) == set()


def test_each_known_container_is_declared() -> None:
    declared = json.loads((INFRA / "storage.json").read_text())["containers"]

    assert set(declared) == READ | WRITTEN


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_app_may_do_what_its_code_does(scenario: str) -> None:
    made = plan(scenario)
    found, app = grants(made), app_of(made)

    assert [need for need in needs(made) if not may(found, app, *need)] == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_app_may_do_nothing_else(scenario: str) -> None:
    made = plan(scenario)
    app = app_of(made)
    wanted = list(needs(made))
    idle = [
        grant
        for grant in grants(made)
        if grant.principal == app
        and not any(
            role == grant.role and (what == grant.scope or what.startswith(f"{grant.scope}/"))
            for role, what in wanted
        )
    ]

    assert idle == []


def test_a_call_without_a_role_would_be_noticed() -> None:
    called = sdk_calls("def f(clients):\n    clients.blobs().delete_container('landing')\n")

    assert (called & methods_of_the_sdk()) - HARMLESS - set(CALLS) == {"delete_container"}


def test_a_missing_role_would_be_noticed() -> None:
    made = plan("public")
    app = app_of(made)
    found = grants(made)
    for gone in (grant for grant in found if grant.principal == app):
        rest = [grant for grant in found if grant is not gone]
        assert not all(may(rest, app, *need) for need in needs(made)), gone


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_event_grid_may_deliver_and_bury(scenario: str) -> None:
    made = plan(scenario)
    found = grants(made)
    subscriptions = [
        *made.deployed("Microsoft.EventGrid/topics/eventSubscriptions"),
        *made.deployed("Microsoft.EventGrid/systemTopics/eventSubscriptions"),
    ]
    for subscription in subscriptions:
        topic = subscription.id.partition("/eventSubscriptions/")[0]
        held = subscription.body["properties"]
        delivery = held["deliveryWithResourceIdentity"]
        dead = held["deadLetterWithResourceIdentity"]["deadLetterDestination"]["properties"]
        container = f"{dead['resourceId']}/blobServices/default/containers/undelivered"
        principal = f"{topic}#identity.principalId"
        target = delivery["destination"]["properties"]["resourceId"]
        assert may(found, principal, "serviceBusDataSender", target)
        assert dead["blobContainerName"] == "undelivered"
        assert may(found, principal, "blobDataContributor", container)


def test_roles_are_assigned_before_event_grid_tries_them() -> None:
    subscriptions = [
        declared
        for path in bicep_files()
        for declared in sources().file(path).of("resource")
        if "/eventSubscriptions@" in str(declared.target)
    ]
    assert len(subscriptions) == 2
    for declared in subscriptions:
        entries = {str(key.value): value for key, value in declared.body.entries}
        awaited = {node.value for node in entries["dependsOn"].walk() if node.kind == "name"}
        used = {node.value for node in entries["properties"].walk() if node.kind == "name"}
        assert "sender" in awaited
        # Its outputs are used, and so it is awaited too.
        assert "undelivered" in used


def test_nobody_else_has_more_than_containers() -> None:
    made = plan("public")
    app = app_of(made)
    for grant in grants(made):
        if grant.principal != app and "#identity.principalId" not in grant.principal:
            assert "/containers/" in grant.scope
            assert grant.scope.rpartition("/")[2] in {"landing", "published"}
