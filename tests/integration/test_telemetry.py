"""A demo run's telemetry, against the run's own ledger, and against every cell it has seen."""

from __future__ import annotations

import csv
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.client import MeshClient, open_client
from cli.connection import Connection, find_connection
from cli.demo import reference
from cli.demo.azure import local_azure
from cli.demo.consumer import Consumer, receiving
from cli.demo.run import Demo
from cli.telemetry import hops_of
from mesh.model.events import trace_id_of
from tests.infra.queries import Query, files, workbook

pytestmark = pytest.mark.xdist_group("demo")

PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """A demo that has run, its local Azure still there."""

    mesh: MeshClient
    connection: Connection
    consumer: Consumer
    telemetry: httpx.Client
    settings: dict[str, str]
    drops: dict[str, list[dict[str, Any]]]
    events: dict[str, list[dict[str, Any]]]

    def rows(self, query: str) -> list[dict[str, Any]]:
        told = self.telemetry.post("/api/kql", json={"query": query}).json()
        assert "error" not in told, told
        names = [column["name"] for column in told["columns"]]
        return [dict(zip(names, row, strict=True)) for row in told["rows"]]


def until(ask: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not ask():
        assert time.monotonic() < deadline, "telemetry did not arrive"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    state = tmp_path_factory.mktemp("telemetry")
    with ExitStack() as stack:
        stack.enter_context(local_azure(state / "state", free_ports=True))
        connection = find_connection({}, state / "state", Path.cwd())
        mesh = stack.enter_context(open_client(connection))
        consumer = stack.enter_context(receiving())
        demo = Demo(mesh=mesh, connection=connection, consumer=consumer, scratch=state)
        demo.onboard()
        demo.subscribe()
        demo.drop(reference.good_files(), title="Good files")
        demo.compose()
        demo.drop(reference.bad_files()[:12], title="Bad files")
        ready = json.loads((state / "state" / "azure.json").read_text())
        url = ready["parts"]["telemetry"]["url"]
        telemetry = stack.enter_context(httpx.Client(base_url=url, timeout=30))
        assert httpx.post(
            f"{ready['settings']['MESH_URL'].removesuffix('/api')}/admin/functions/read_gauges",
            headers={"x-functions-key": _master(state / "state")},
            json={},
        ).is_success
        run = Run(
            mesh=mesh,
            connection=connection,
            consumer=consumer,
            telemetry=telemetry,
            settings=ready["settings"],
            drops={p: list(mesh.drops(product=p, file=None)) for p in reference.PRODUCTS},
            events={p: _events(mesh, p) for p in reference.PRODUCTS},
        )
        until(lambda: _has_arrived(run))
        yield run


def _master(state: Path) -> str:
    key: str = json.loads((state / "keys.json").read_text())["host.master"]
    return key


def _events(mesh: MeshClient, product: str) -> list[dict[str, Any]]:
    return mesh.events(product, after=0, limit=1000)[0]


def _has_arrived(run: Run) -> bool:
    """Whether the last of each kind is there: the exporters send every other second."""
    events = sum(map(len, run.events.values()))
    [metrics] = run.rows(
        'AppMetrics | summarize Events = sumif(Sum, Name == "mesh.events"), '
        'Told = sumif(Sum, Name == "mesh.notifications"), '
        'Gauges = countif(Name == "mesh.dead_letters")'
    )
    fanned = run.rows('AppRequests | where Name == "process product-events" | count')
    told = run.rows('AppRequests | where Name == "process notifications" | count')
    return bool(
        metrics["Events"] >= events
        and metrics["Gauges"]
        and fanned[0]["Count"] >= events
        and told[0]["Count"] == metrics["Told"] >= len(run.consumer.told)
    )


def about(query: Query, **parameters: str) -> str:
    """A query of the workbook with its parameters, as the page fills them in."""
    book = json.loads(Path("infra/workbook.json").read_text(encoding="utf-8"))
    name = query.name.removeprefix("workbook ")
    [text] = [item for item in _texts(book) if item[0] == name]
    values = {"TimeRange:grain": "1h", **parameters}
    return re.sub(r"\{([\w:]+)\}", lambda found: values[found[1]], text[1])


def _texts(part: Any) -> Iterator[tuple[str, str]]:
    for item in part.get("items", []):
        content = item["content"]
        if "query" in content:
            yield item["name"], content["query"]
        yield from _texts(content)


def named(name: str) -> Query:
    return next(query for query in workbook() if query.name == f"workbook {name}")


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
    for product, drops in run.drops.items():
        for drop in drops:
            journey = run.mesh.journey(product, drop["drop"])
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


def _exported(run: Run) -> str:
    """All that left the process, as the store has it."""
    parts = [
        "union AppRequests, AppDependencies | project Name, Properties, OperationId, Id",
        "AppMetrics | project Name, Properties",
        "union AppTraces, AppExceptions | project Message, Properties",
    ]
    rows = [row for part in parts for row in run.rows(part)]
    return json.dumps(rows, ensure_ascii=False)


def _cells() -> set[str]:
    """Every cell of the example files that is long enough to be recognised."""
    found: set[str] = set()
    for path in (reference.EXAMPLES).glob("*/*/[gb]*d/*"):
        data = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".jsonl":
            found |= {
                value for line in data.splitlines() for value in re.findall(r'"([^"]*)"', line)
            }
        elif path.suffix == ".csv":
            found |= {cell for row in csv.reader(data.splitlines()) for cell in row}
    return {cell.strip() for cell in found if len(cell.strip()) >= 5}


def leaked(exported: str) -> set[str]:
    """The cells that stand in what was exported; names of products are no secret."""
    words = set(re.findall(r"[\w.+-]+", exported))
    names = {name for product in reference.PRODUCTS for name in product.split("/")}
    is_word = re.compile(r"[\w.+-]+")
    return {
        cell
        for cell in _cells() - names
        if (cell in words if is_word.fullmatch(cell) else cell in exported)
    }


def test_no_cell_of_a_file_is_in_telemetry(run: Run) -> None:
    assert len(_cells()) > 400
    assert leaked(_exported(run)) == set()


def test_the_search_for_cells_finds_what_is_planted(run: Run) -> None:
    planted = {max(_cells(), key=len), min(_cells())}
    exported = _exported(run) + json.dumps(sorted(planted), ensure_ascii=False)

    assert planted <= leaked(exported)


def test_no_secret_and_no_file_name_is_in_telemetry(run: Run) -> None:
    exported = _exported(run)
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
