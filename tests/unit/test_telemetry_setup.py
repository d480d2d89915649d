"""Telemetry goes where the environment says, and costs nothing where it says nothing."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mesh.telemetry import setup

ROOT = Path(__file__).parents[2]

TELL = """
import json, logging, sys
from mesh import telemetry
telemetry.configure()
from opentelemetry.trace import get_tracer_provider
from opentelemetry.metrics import get_meter_provider
print(json.dumps({
    "sdk": "opentelemetry.sdk.trace" in sys.modules,
    "tracers": type(get_tracer_provider()).__name__,
    "meters": type(get_meter_provider()).__name__,
    "handlers": [type(handler).__name__ for handler in logging.getLogger().handlers],
}))
"""


def configured(code: str = TELL, **environ: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "/usr/bin", "OTEL_SDK_DISABLED": "false", **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_nothing_is_loaded_where_nothing_is_asked_for():
    told = configured()

    assert told == {
        "sdk": False,
        "tracers": "ProxyTracerProvider",
        "meters": "_ProxyMeterProvider",
        "handlers": [],
    }


def test_an_endpoint_gets_traces_metrics_and_logs():
    told = configured(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_METRIC_EXPORT_INTERVAL="86400000",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )

    assert (told["tracers"], told["meters"]) == ("TracerProvider", "MeterProvider")
    assert told["handlers"] == ["LoggingHandler"]


def test_where_the_worker_exports_nothing_is_exported_twice():
    told = configured(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY="true",
    )

    assert told["sdk"] is False


def test_the_providers_of_whoever_came_first_stay():
    before = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import set_tracer_provider
class Theirs(TracerProvider): pass
set_tracer_provider(Theirs())
"""
    told = configured(before + TELL, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")

    assert told["tracers"] == "Theirs"
    assert told["handlers"] == []


def test_a_missing_exporter_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    with pytest.raises(setup.TelemetryUnavailable) as refused:
        setup.configure({setup.ENDPOINT: "http://127.0.0.1:9"})

    assert "OTEL_EXPORTER_OTLP_ENDPOINT is set" in str(refused.value)
    assert "Install opentelemetry-exporter-otlp-proto-http" in str(refused.value)


def test_azure_monitor_keeps_every_trace_with_the_settings_that_are_deployed():
    """Its default keeps five traces a second; the deployment's sampler keeps all of them."""
    code = """
import json
from azure.monitor.opentelemetry._utils.configurations import _get_configurations
from azure.monitor.opentelemetry.exporter import ApplicationInsightsSampler
found = _get_configurations(connection_string="InstrumentationKey=0")
print(json.dumps({"ratio": found.get("sampling_ratio"), "rate": found.get("traces_per_second")}))
"""
    chosen = {"OTEL_TRACES_SAMPLER": "microsoft.fixed_percentage", "OTEL_TRACES_SAMPLER_ARG": "1.0"}

    assert configured(code)["rate"] == 5.0
    assert configured(code, **chosen) == {"ratio": 1.0, "rate": None}


def test_azure_monitor_traces_nothing_but_our_hops_with_the_settings_that_are_deployed():
    """Each library that it would instrument by itself is on the list of those switched off."""
    code = """
import json
from azure.monitor.opentelemetry._utils.configurations import (
    _get_configurations, _is_instrumentation_enabled)
found = _get_configurations(connection_string="InstrumentationKey=0")
print(json.dumps({
    name: _is_instrumentation_enabled(found, name) for name in found["instrumentation_options"]}))
"""
    bicep = (ROOT / "infra" / "modules" / "function-app.bicep").read_text(encoding="utf-8")
    [off] = re.findall(r"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: '([^']+)'", bicep)

    assert any(configured(code).values())
    assert not any(configured(code, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=off).values())


def test_azure_monitors_provider_gives_spans_the_ids_we_derive():
    """As the worker configures it, before the app is loaded; nothing leaves the process."""
    code = """
import json, os
from azure.monitor.opentelemetry import configure_azure_monitor
configure_azure_monitor(
    connection_string="InstrumentationKey=00000000-0000-0000-0000-000000000000;"
    "IngestionEndpoint=http://127.0.0.1:9/",
    disable_offline_storage=True, enable_live_metrics=False, enable_performance_counters=False,
    instrumentation_options={name: {"enabled": False} for name in (
        "azure_sdk", "django", "fastapi", "flask", "psycopg2", "requests", "urllib", "urllib3")},
)
from opentelemetry.trace import get_tracer_provider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
kept = InMemorySpanExporter()
get_tracer_provider().add_span_processor(SimpleSpanProcessor(kept))
from mesh import landing, telemetry
from mesh.backbone import in_memory
from mesh.model.events import trace_id_of
from tests.unit.conftest import World
telemetry.configure()
entry = World().land("nowhere/file.csv", b"")
print(json.dumps({
    "trace": trace_id_of(entry.drop),
    "traces": [f"{span.context.trace_id:032x}" for span in kept.get_finished_spans()],
    "roots": [span.name for span in kept.get_finished_spans() if span.parent is None],
}), flush=True)
os._exit(0)
"""
    told = configured(
        code,
        APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL="true",
        APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED="true",
        OTEL_TRACES_SAMPLER="microsoft.fixed_percentage",
        OTEL_TRACES_SAMPLER_ARG="1.0",
    )

    assert set(told["traces"]) == {told["trace"]}
    assert told["roots"] == ["process landed-files"]


@pytest.mark.parametrize(
    ("logger", "level", "is_exported"),
    [
        ("mesh", logging.INFO, True),
        ("Host.Results", logging.INFO, False),
        ("Host.Results", logging.ERROR, True),
        ("azure.core", logging.INFO, False),
        ("urllib3.connectionpool", logging.WARNING, True),
    ],
)
def test_what_is_worth_exporting(logger, level, is_exported):
    record = logging.LogRecord(logger, level, "", 0, "it happened", None, None)

    assert setup._is_worth_exporting(record) is is_exported
