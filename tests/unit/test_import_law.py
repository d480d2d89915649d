"""Who may import whom; the table is that of CONTRIBUTING.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ENGINES = {
    "duckdb",
    "jsonschema",
    "jsonschema_rs",
    "rpds",
    "referencing",
    "polars",
    "pyarrow",
    "numpy",
    "fastavro",
    "openpyxl",
}
ROOMS: dict[str, set[str]] = {
    # room: what else of ours, and which libraries, its modules may import
    "function_app": {"handlers", "mesh.telemetry", "azure.functions"},
    "handlers": {
        "handlers",
        "verbs",
        "mesh.model",
        "mesh.errors",
        "mesh.backbone",
        "azure.functions",
    },
    "verbs": {
        "verbs",
        "mesh.model",
        "mesh.validation",
        "mesh.documents",
        "mesh.ports",
        "mesh.errors",
        "mesh.backbone",
        "mesh.telemetry",
        "jsonschema",
        "croniter",
    },
    "mesh.documents": {"mesh.documents", "mesh.model", "mesh.errors", "yaml"},
    "mesh.validation": {"mesh.validation", "mesh.model", "mesh.errors", "zstandard", *ENGINES},
    "mesh.azure": {"mesh.azure", "mesh.model", "mesh.ports", "mesh.errors", "azure", "msgspec"},
    "mesh.azure.clients": {"mesh.settings", "requests"},
    "mesh.memory": {"mesh.memory", "mesh.model", "mesh.ports", "mesh.errors"},
    "mesh.webhooks": {
        "mesh.webhooks",
        "mesh.model",
        "mesh.errors",
        "httpx",
        "httpcore",
        "standardwebhooks",
        "cryptography",
        "certifi",
        "idna",
    },
    "mesh.backbone": {
        "mesh.azure",
        "mesh.memory",
        "mesh.webhooks",
        "mesh.settings",
        "mesh.asides",
        "mesh.ports",
        "mesh.model",
    },
    "mesh.telemetry": {
        "mesh.telemetry",
        "mesh.model",
        "opentelemetry.context",
        "opentelemetry.metrics",
        "opentelemetry.trace",
    },
    # These two meet the SDK, where there is one; neither is imported before it is.
    "mesh.telemetry.ids": {"mesh.telemetry", "opentelemetry"},
    "mesh.telemetry.setup": {"mesh.telemetry", "opentelemetry"},
    "mesh.ports": {"mesh.ports", "mesh.model"},
    "mesh.settings": set(),
    "mesh.asides": set(),
    "mesh.errors": {"mesh.model"},
    "mesh.model": {"mesh.model", "mesh.errors", "jsonschema", "open_data_contract_standard"},
    "local": {"local", "*"},
    "cli": {"cli", "verbs", "mesh.model", "mesh.errors", "mesh.validation", "mesh.documents", "*"},
}
CLOSED_TO_STARS = {"local": {"mesh", "handlers", "cli"}, "cli": {"handlers", "local", "mesh.azure"}}


def modules():
    files = [ROOT / "function_app.py"]
    for package in ("mesh", "handlers", "local", "cli"):
        files += sorted((ROOT / package).rglob("*.py"))
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in files]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room a module of ours is in; `verbs` for what stands directly in `mesh`."""
    rooms = [room for room in ROOMS if module == room or module.startswith(f"{room}.")]
    if rooms:
        return max(rooms, key=len)
    return "verbs" if module.startswith("mesh") else ""


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative imports hide who knows whom"
            assert node.module is not None
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if is_module(name) else node.module for name in inner}
    return {name for name in found if name.split(".")[0] not in sys.stdlib_module_names}


def is_module(name: str) -> bool:
    path = ROOT / Path(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@pytest.mark.parametrize("path", modules())
def test_a_module_imports_only_what_its_room_may(path):
    room = room_of(name_of(path))
    allowed = ROOMS[room] | (ROOMS["mesh.azure"] if room == "mesh.azure.clients" else set())
    for name in imports(path) - {"mesh"}:  # the package itself holds its version only
        ours = name.split(".")[0] in {"mesh", "handlers", "local", "cli", "function_app"}
        target = room_of(name) if ours else name
        if "*" in allowed:
            closed = CLOSED_TO_STARS[room]
            forbidden = any(name == shut or name.startswith(f"{shut}.") for shut in closed)
            if room == "cli":
                forbidden = forbidden and target != "verbs"
            assert not forbidden, f"{path.name} may not import {name}"
            continue
        good = any(target == may or target.startswith(f"{may}.") for may in allowed)
        assert good, f"{path.name}, in the room {room}, may not import {name}"


@pytest.mark.parametrize("module", ["function_app", "mesh.validation", "mesh.backbone"])
def test_a_cold_start_loads_no_engine(module):
    """What is heavy is imported where it is first used."""
    code = f"import {module}, sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "opentelemetry.sdk" not in done.stdout.split()
    heavy = ENGINES | {"yaml", "httpx", "standardwebhooks", "cryptography", "pydantic"}
    sdks = {n for n in done.stdout.split() if n.startswith(("azure.storage", "azure.data"))}
    assert loaded & heavy == set()
    assert sdks == set()
