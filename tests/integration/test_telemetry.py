"""A demo run's telemetry, against the run's own ledger, and against every cell it has seen."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime, timedelta

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from cli.demo import reference
from cli.telemetry import hops_of
from mesh.model.events import trace_id_of
from tests.infra.queries import Query, files, workbook
from tests.integration import expected
from tests.integration.demo_run import (
    Run,
    about,
    all_exported,
    cells,
    filled,
    leaked,
    named,
    planted,
    run,
    summed,
    template,
    until,
)

__all__ = ["run"]

pytestmark = pytest.mark.xdist_group("demo")

OF_THE_PRODUCT = ' and tostring(Properties["mesh.product"]) == "{Product}"'
"""Where a query asks for a product and not for all of its domain."""

MOST_DELIVERIES = 10
"""Of a message, before it is given up."""


def test_the_overview_says_what_the_ledger_says(run: Run) -> None:
    found = {f"{row['Domain']}/{row['Product']}": row for row in run.rows(about(named("products")))}

    for product, drops in run.drops.items():
        row = found[product]
        assert row["Drops"] == len(drops)
        assert row["Rejected"] == sum(drop["verdict"] == "rejected" for drop in drops)
        assert row["Rows"] == sum(drop["rows"] for drop in drops)
        assert row["RejectedRows"] == sum(drop["rejected"] for drop in drops)
        assert row["Backlog"] == 0
        assert 0 <= row["AgeHours"] < 1


def test_the_drops_of_each_product_are_listed_with_their_verdicts(run: Run) -> None:
    for product, drops in run.drops.items():
        domain, _, name = product.partition("/")
        query = about(named("product-recent"), Domain=domain, Product=name)
        found = {(row["Drop"], row["Verdict"], row["Rows"]) for row in run.rows(query)}
        assert found == {(drop["drop"], drop["verdict"], drop["rows"]) for drop in drops}


def test_drops_by_verdict_are_those_of_the_ledger(run: Run) -> None:
    every = Counter[str]()
    for product, drops in run.drops.items():
        domain, _, name = product.partition("/")
        verdicts = Counter(str(drop["verdict"]) for drop in drops)
        query = about(named("product-drops"), Domain=domain, Product=name)
        assert summed(run.rows(query), "Verdict", "Drops") == verdicts
        every += verdicts

    # A file that found no product is the mesh's own.
    found = summed(run.rows(about(named("drops"))), "Verdict", "Drops")
    every += Counter(str(drop["verdict"]) for drop in run.mesh.drops(product="unplaced/files"))
    assert found == every


def test_attempts_by_outcome_are_those_on_record(run: Run) -> None:
    recorded = Counter(
        attempt["outcome"]
        for product, drops in run.drops.items()
        for drop in drops
        for event in run.journeys[drop["drop"]]["events"]
        for told in event["subscribers"]
        for attempt in told["attempts"]
    )
    found = summed(run.rows(about(named("notifications"))), "Outcome", "Attempts")

    # Events that no drop is behind (a product came, its inputs are ready) are told too.
    assert recorded
    assert found >= recorded
    assert set(found) == set(recorded)


def test_each_hop_is_an_execution(run: Run) -> None:
    def counted() -> tuple[dict[str, int], dict[str, int]]:
        spans = run.rows(
            "union AppRequests, AppDependencies "
            '| summarize Hops = sum(ItemCount) by Step = tostring(Properties["mesh.step"])'
        )
        found = run.rows(about(named("cost-executions")))
        return (
            {row["Step"]: row["Hops"] for row in spans if row["Step"]},
            {row["Step"]: row["Executions"] for row in found},
        )

    # The last hop's duration may come two seconds after its span.
    until(lambda: len({tuple(sorted(one.items())) for one in counted()}) == 1)
    assert {"land", "publish", "fan-out", "notify"} <= set(counted()[0])


def test_nothing_failed_and_nothing_was_given_up(run: Run) -> None:
    dead = run.rows(about(named("dead-letters")))

    assert {row["Queue"] for row in dead} >= {"landed-files", "onboarding", "notifications"}
    assert {row["DeadLetters"] for row in dead} == {0}
    assert run.rows(about(named("errors"))) == []
    assert run.rows(about(named("event-grid"))) == []


def test_files_are_notified_within_what_their_spans_say(run: Run) -> None:
    slowest = max(
        row["Slowest"]
        for product in run.drops
        for row in run.rows(
            about(
                named("product-latency"),
                Domain=product.partition("/")[0],
                Product=product.partition("/")[2],
            )
        )
    )
    [spans] = run.rows(
        'AppRequests | where tostring(Properties["mesh.step"]) == "notify" '
        '| summarize Slowest = max(todouble(Properties["mesh.since_landing_s"]))'
    )
    assert slowest == pytest.approx(spans["Slowest"])


def test_the_age_of_a_product_is_what_its_files_say(run: Run) -> None:
    assert expected.wrong_ages(run, template("product-age")) == set()

    assert expected.wrong_ages(run, planted("product-age", OF_THE_PRODUCT, ""))
    assert expected.wrong_ages(run, planted("product-age", "max(Sum)", "count()")) == {*run.drops}


def test_hops_take_what_the_record_and_the_host_say(run: Run) -> None:
    assert expected.wrong_hops(run, template("product-hops")) == set()

    assert expected.wrong_hops(run, planted("product-hops", " / sum(ItemCount)", ""))
    assert expected.wrong_hops(run, planted("product-hops", "sum(Sum) /", "min(Min) /"))
    assert expected.wrong_hops(run, planted("product-hops", OF_THE_PRODUCT, ""))


def test_the_logs_of_a_drop_are_those_that_the_host_wrote(run: Run) -> None:
    wrong = planted("delivery-logs", '["mesh.drop"]', '["mesh.event"]')
    for drops in run.drops.values():
        for drop in drops:
            logged = expected.logs(run, drop["drop"])
            assert logged
            until(lambda drop=drop, logged=logged: expected.logged(run, drop) == logged)
            assert run.rows(filled(wrong, Drop=drop["drop"])) == []


def test_gigabytes_of_logs_are_what_was_stored(run: Run) -> None:
    assert expected.wrong_gigabytes(run, template("cost-logs")) == set()

    assert expected.wrong_gigabytes(run, planted("cost-logs", "/ 1000", "/ 1024 / 1024"))
    assert expected.wrong_gigabytes(run, planted("cost-logs", "sum(Quantity)", "1000.0 * count()"))


def test_who_was_told_is_what_the_receiver_counted(run: Run) -> None:
    told = Counter(
        note.event["source"].removeprefix("urn:mesh:") for note in run.consumer.told.values()
    )
    found = {
        f"{row['Domain']}:{row['Product']}": row["Notifications"]
        for row in run.rows(about(named("crossing")))
        if row["Subscriber"] == "flight-planning"
    }

    assert found == dict(told)


def test_events_by_domain_are_those_of_the_log(run: Run) -> None:
    events: Counter[str] = Counter()
    for product, told in run.events.items():
        events[product.partition("/")[0]] += len(told)

    found = {row["Domain"]: row["Events"] for row in run.rows(about(named("cost-share")))}
    assert {domain: found[domain] for domain in events} == dict(events)


def test_the_way_of_each_drop_has_every_hop(run: Run) -> None:
    for drops in run.drops.values():
        for drop in drops:
            hops = run.rows(about(named("delivery-hops"), Drop=drop["drop"]))
            steps = {hop["Step"] for hop in hops}
            assert {"land", "publish", "fan-out", "notify", "deliver"} <= steps
            assert {hop["OperationId"] for hop in hops} == {trace_id_of(drop["drop"])}
            assert hops[0]["Step"] == "land"


def test_telemetry_and_the_record_tell_the_same_of_each_drop(run: Run) -> None:
    """`mesh where DROP --telemetry` against `mesh where DROP`."""
    for drops in run.drops.values():
        for drop in drops:
            journey = run.journeys[drop["drop"]]
            [landed, *later] = hops_of(run.connection, drop["drop"])
            assert (landed["step"], landed["verdict"]) == ("land", journey["verdict"])
            published = [hop["event"] for hop in later if hop["step"] == "publish"]
            assert sorted(published) == sorted(event["id"] for event in journey["events"])
            attempts = {
                (event["id"], told["subscriber"], attempt["number"], attempt["outcome"])
                for event in journey["events"]
                for told in event["subscribers"]
                for attempt in told["attempts"]
            }
            assert attempts == {
                (hop["event"], hop["subscriber"], hop["attempt"], hop["outcome"])
                for hop in later
                if hop["step"] == "notify"
            }
            at = [datetime.fromisoformat(hop["at"]) for hop in (landed, *later)]
            assert at == sorted(at)
            decided = datetime.fromisoformat(journey["decided_at"])
            took = timedelta(milliseconds=landed["duration_ms"])
            assert at[0] <= decided <= at[0] + took


def test_each_drop_is_one_trace_with_one_root(run: Run) -> None:
    for drops in run.drops.values():
        for drop in drops:
            trace = trace_id_of(drop["drop"])
            spans = run.telemetry.get(f"/api/traces/{trace}").json()["spans"]
            assert [span["name"] for span in spans if not span["depth"]] == ["process landed-files"]
            assert not any(span["parent"] for span in spans[:1])


def test_the_composites_trace_leads_back_to_its_inputs(run: Run) -> None:
    ready = next(
        event
        for event in run.events[reference.COMPOSITE]
        if event["type"] == "mesh.composite.inputs-ready.v1"
    )
    spans = run.telemetry.get(f"/api/traces/{ready['traceparent'][3:35]}").json()["spans"]
    linked = {link["trace"] for link in spans[0]["links"]}

    inputs = {
        event["traceparent"][3:35]
        for told in ready["data"]["inputs"]
        for event in run.events[f"{told['domain']}/{told['product']}"]
        if int(event["sequence"]) == told["sequence"]
    }
    assert len(inputs) == 3
    assert linked == inputs
    assert all(link["name"] for link in spans[0]["links"])


@pytest.mark.parametrize("query", [*files(), *workbook()], ids=lambda query: query.name)
def test_every_query_runs_here(run: Run, query: Query) -> None:
    run.rows(query.text)


def test_no_alert_fires_after_a_good_run(run: Run) -> None:
    for query in files():
        if "alerts" in query.name and "silence" not in query.name:
            assert run.rows(query.text) == [], query.name


def test_no_cell_of_a_file_is_in_telemetry(run: Run) -> None:
    assert len(cells()) > 300
    assert leaked(all_exported(run)) == set()


def test_the_search_for_cells_finds_what_is_planted(run: Run) -> None:
    planted = {max(cells(), key=len), min(cells())}
    exported = all_exported(run) + json.dumps(sorted(planted), ensure_ascii=False)

    assert planted <= leaked(exported)


def test_no_secret_and_no_file_name_is_in_telemetry(run: Run) -> None:
    exported = all_exported(run)
    secrets = {
        *(secret.removeprefix("whsec_") for secret in run.consumer.secrets),
        run.settings["EVENT_GRID_KEY"],
        run.settings["WEBHOOK_SIGNING_KEY"],
        run.settings["MESH_CLIENT_SECRET"],
        *re.findall(r"AccountKey=([^;]+)", run.settings["STORAGE"]),
        *re.findall(r"SharedAccessKey=([^;]+)", run.settings["SERVICE_BUS"]),
    }
    assert len(secrets) > 10
    assert {secret for secret in secrets if len(secret) > 8 and secret in exported} == set()
    assert run.consumer.url not in exported
    dropped = {drop["file"] for drops in run.drops.values() for drop in drops}
    assert {file for file in dropped if file in exported} == set()


def test_records_of_a_drop_are_found_by_its_trace(run: Run) -> None:
    [drop, *_] = run.drops["geography/countries"]
    records = run.telemetry.get("/api/logs", params={"q": trace_id_of(drop["drop"])}).json()

    assert any(record["body"].startswith(f"drop {drop['verdict']}") for record in records)
    assert {record["attributes"].get("mesh.drop") for record in records} == {drop["drop"]}


def test_exceptions_are_those_that_the_host_logged(run: Run) -> None:
    """The last test of a run: it sends what no function can read, until that is given up."""
    assert run.rows(filled(template("exceptions"))) == []
    with (
        ServiceBusClient.from_connection_string(run.settings["SERVICE_BUS"]) as client,
        client.get_queue_sender("notifications") as sender,
    ):
        sender.send_messages(ServiceBusMessage("no notification"))

    until(lambda: expected.exceptions(run).total() == MOST_DELIVERIES)
    until(lambda: expected.told_exceptions(run, template("exceptions")).total() == MOST_DELIVERIES)
    assert expected.told_exceptions(run, template("exceptions")) == expected.exceptions(run)
    wrong = planted("exceptions", "OuterMessage", "OuterMessage = Type")
    assert expected.told_exceptions(run, wrong) != expected.exceptions(run)
