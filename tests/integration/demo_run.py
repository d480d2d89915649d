"""A demo that has run on a local Azure of its own, and what its telemetry can be asked."""

from __future__ import annotations

import csv
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
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
from tests.infra.queries import Query, workbook

PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """A demo that has run, its local Azure still there."""

    mesh: MeshClient
    connection: Connection
    consumer: Consumer
    telemetry: httpx.Client
    state: Path
    settings: dict[str, str]
    drops: dict[str, list[dict[str, Any]]]
    events: dict[str, list[dict[str, Any]]]
    journeys: dict[str, dict[str, Any]]
    """By the ids of drops."""

    def said_by_the_host(self) -> list[dict[str, Any]]:
        """The host's own log, line by line."""
        lines = (self.state / "logs" / "functions_host.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in lines.splitlines() if line.startswith("{")]

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
        drops = {p: list(mesh.drops(product=p, file=None)) for p in reference.PRODUCTS}
        run = Run(
            mesh=mesh,
            connection=connection,
            consumer=consumer,
            telemetry=telemetry,
            state=state / "state",
            settings=ready["settings"],
            drops=drops,
            journeys={one["drop"]: mesh.journey(p, one["drop"]) for p in drops for one in drops[p]},
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
    return filled(template(query.name.removeprefix("workbook ")), **parameters)


def template(name: str) -> str:
    """A query of the workbook as it stands there."""
    book = json.loads(Path("infra/workbook.json").read_text(encoding="utf-8"))
    [text] = [item for item in _texts(book) if item[0] == name]
    return text[1]


def filled(text: str, **parameters: str) -> str:
    values = {"TimeRange:grain": "1h", **parameters}
    return re.sub(r"\{([\w:]+)\}", lambda found: values[found[1]], text)


def of_product(text: str, product: str) -> str:
    """A query with a product for its parameters."""
    domain, _, name = product.partition("/")
    return filled(text, Domain=domain, Product=name)


def planted(name: str, before: str, after: str) -> str:
    """A query of the workbook with a mistake in it."""
    assert before in template(name)
    return template(name).replace(before, after)


def _texts(part: Any) -> Iterator[tuple[str, str]]:
    for item in part.get("items", []):
        content = item["content"]
        if "query" in content:
            yield item["name"], content["query"]
        yield from _texts(content)


def summed(rows: list[dict[str, Any]], by: str, what: str) -> Counter[str]:
    """A column's sums over all bins of time, by another column."""
    found = Counter[str]()
    for row in rows:
        found[row[by]] += int(row[what])
    return found


def named(name: str) -> Query:
    return next(query for query in workbook() if query.name == f"workbook {name}")


def all_exported(run: Run) -> str:
    """All that left the process, as the store has it."""
    parts = [
        "union AppRequests, AppDependencies | project Name, Properties, OperationId, Id",
        "AppMetrics | project Name, Properties",
        "union AppTraces, AppExceptions | project Message, Properties",
    ]
    rows = [row for part in parts for row in run.rows(part)]
    return json.dumps(rows, ensure_ascii=False)


def cells() -> set[str]:
    """Every cell of the example files that can be recognised: any duration may be 121.9."""
    found: set[str] = set()
    for path in (reference.EXAMPLES).glob("*/*/[gb]*d/*"):
        data = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".jsonl":
            found |= {
                value for line in data.splitlines() for value in re.findall(r'"([^"]*)"', line)
            }
        elif path.suffix == ".csv":
            found |= {cell for row in csv.reader(data.splitlines()) for cell in row}
    return {
        cell
        for cell in map(str.strip, found)
        if len(cell) >= 5 and not re.fullmatch(r"[\d.]{1,7}", cell)
    }


def leaked(exported: str) -> set[str]:
    """The cells that stand in what was exported; names of products are no secret."""
    words = set(re.findall(r"[\w.+-]+", exported))
    names = {name for product in reference.PRODUCTS for name in product.split("/")}
    is_word = re.compile(r"[\w.+-]+")
    return {
        cell
        for cell in cells() - names
        if (cell in words if is_word.fullmatch(cell) else cell in exported)
    }
