"""Every KQL query of the project, and what Microsoft's parser and our telemetry say to it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesh.telemetry.names import emitted
from tests.infra.bicep.checking import INFRA, plan
from tests.infra.install import install, node

_HERE = Path(__file__).parent / "kql"
_PROPERTY = re.compile(r"""Properties\s*(?:\[\s*["']([^"']+)["']\s*\]|\.\s*([A-Za-z_]\w*))""")
_METRIC = re.compile(r"""\bName\s*(?:==|in)\s*(\([^)]*\)|"[^"]*")""")
_STEP = re.compile(r"""\bStep\b\s*==\s*"([^"]+)"|\["mesh\.step"\]\)?\s*==\s*"([^"]+)\"""")
_PLACEHOLDER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_TABLE = re.compile(r"\b(AppMetrics|AppRequests|AppDependencies|AppTraces|AppExceptions)\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A query, and where it stands."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is wrong with a query (codes and sentences), and the columns of its result."""

    problems: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]


def files() -> list[Query]:
    paths = sorted((INFRA / "kql").rglob("*.kql"))
    return [
        Query(name=str(path.relative_to(INFRA)), text=path.read_text(encoding="utf-8"))
        for path in paths
    ]


def alerts() -> list[Query]:
    """The queries of the alert rules, as a deployment would send them to Azure."""
    return [
        Query(name=f"alert {rule.name}", text=criterion["query"])
        for rule in plan("public").deployed("Microsoft.Insights/scheduledQueryRules")
        for criterion in rule.body["properties"]["criteria"]["allOf"]
    ]


def of_workbook(workbook: Any) -> list[Query]:
    """The queries of a workbook, with its parameters filled in."""
    return [Query(name=f"workbook {name}", text=_filled(text)) for name, text in _walk(workbook)]


def workbook() -> list[Query]:
    return of_workbook(json.loads((INFRA / "workbook.json").read_text(encoding="utf-8")))


def _walk(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, list):
        for item in part:
            yield from _walk(item)
    elif isinstance(part, dict):
        inner = part.get("content")
        if isinstance(inner, dict) and isinstance(inner.get("query"), str):
            yield str(part.get("name")), inner["query"]
        elif "query" in part and str(part.get("version")).startswith("KqlParameterItem"):
            yield f"parameter {part.get('name')}", str(part["query"])
        for item in part.values():
            yield from _walk(item)


def _filled(text: str) -> str:
    return _PLACEHOLDER.sub(lambda found: "1h" if found[2] == "grain" else "x", text)


def ask(queries: Sequence[Query]) -> dict[str, Answer]:
    """Parse and bind the queries, and hold their names to what the code emits."""
    known = json.loads((_HERE / "tables.json").read_text(encoding="utf-8"))
    tables = {
        name: ", ".join(
            [columns, known["common"], *([known["application"]] if name[:3] == "App" else [])]
        )
        for name, columns in known["tables"].items()
    }
    asked = [{"name": query.name, "text": query.text} for query in queries]
    done = subprocess.run(
        [str(node()), str(_HERE / "check.mjs"), str(install())],
        input=json.dumps({"tables": tables, "queries": asked}),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = {}
    for query, told in zip(queries, json.loads(done.stdout), strict=True):
        found = [(one["code"], f"line {one['line']}: {one['message']}") for one in told["problems"]]
        found += unknown_names(query.text)
        answers[query.name] = Answer(problems=tuple(found), columns=tuple(told["columns"]))
    return answers


def unknown_names(text: str) -> list[tuple[str, str]]:
    """Properties, metrics and steps that no code emits, and dimensions that a metric lacks."""
    text = re.sub(r"//.*", "", text)
    names = emitted()
    found: list[tuple[str, str]] = []
    for part in _parts(text):
        properties = {one or other for one, other in _PROPERTY.findall(part)}
        metrics = {
            name for group in _METRIC.findall(part) for name in re.findall(r'"([^"]+)"', group)
        }
        found += [
            ("property", f"no code emits {name}") for name in properties - {*names["properties"]}
        ]
        if "AppMetrics" in part:
            found += [
                ("metric", f"no code counts {name}") for name in metrics - names["metrics"].keys()
            ]
            for metric in metrics & names["metrics"].keys():
                lacking = properties & {*names["properties"]} - {*names["metrics"][metric]}
                found += [("dimension", f"{metric} has no {name}") for name in sorted(lacking)]
            if not metrics:
                found.append(("metric", "a query of AppMetrics names no metric"))
    steps = {one or other for one, other in _STEP.findall(text)}
    found += [("step", f"there is no step {name}") for name in sorted(steps - {*names["steps"]})]
    return found


def _parts(text: str) -> Iterator[str]:
    """A query, cut where it starts on another table: `let a = AppMetrics …; AppRequests …`."""
    yield from (part for part in text.split(";") if _TABLE.search(part))
