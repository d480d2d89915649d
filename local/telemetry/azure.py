"""The rows as Azure Monitor keeps them: which table, which columns, which `Properties`.

The rules are those of Microsoft's exporter (`azure-monitor-opentelemetry-exporter`); a test
compares with what that exporter makes of the same spans, points and records. Requests of HTTP
servers, for which it has rules of their own, are treated like any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

_DROPPED_PREFIXES = (
    "http.",
    "db.",
    "message.",
    "messaging.",
    "rpc.",
    "enduser.",
    "net.",
    "peer.",
    "exception.",
    "thread.",
    "fass.",
    "code.",
)
_DROPPED = {
    "client.address",
    "client.port",
    "server.address",
    "server.port",
    "url.full",
    "url.path",
    "url.query",
    "url.scheme",
    "url.template",
    "error.type",
    "network.local.address",
    "network.local.port",
    "network.protocol.name",
    "network.peer.address",
    "network.peer.port",
    "network.protocol.version",
    "network.transport",
    "user_agent.original",
    "user_agent.synthetic.type",
    "_MS.sampleRate",
}
_DROPPED_FROM_LOGS = {
    "exception.type",
    "exception.message",
    "exception.stacktrace",
    "exception.escaped",
}
_MOST_LINKS = 103

CLIENT = 3
"""A kind of span: what waits for an answer."""

VIEWS = """
CREATE VIEW AppRequests AS
SELECT start / 1000 AS TimeGenerated, trace AS OperationId, span AS Id, parent AS ParentId,
  name AS Name, name AS OperationName, NOT failed AS Success, '0' AS ResultCode,
  (end - start) / 1e6 AS DurationMs, properties AS Properties, service AS AppRoleName,
  1 AS ItemCount, 'AppRequests' AS Type, billed AS _BilledSize
FROM spans WHERE kind IN (2, 5) /* server, consumer */;
CREATE VIEW AppDependencies AS
SELECT start / 1000 AS TimeGenerated, trace AS OperationId, span AS Id, parent AS ParentId,
  dependency AS Name, '' AS OperationName, NOT failed AS Success, result AS ResultCode,
  (end - start) / 1e6 AS DurationMs, properties AS Properties, service AS AppRoleName,
  CASE kind WHEN 3 THEN iif(result = '0', 'N/A', 'HTTP') WHEN 4 THEN 'Queue Message'
  ELSE 'InProc' END AS DependencyType, 1 AS ItemCount, 'AppDependencies' AS Type,
  billed AS _BilledSize
FROM spans WHERE kind NOT IN (2, 5);
CREATE VIEW AppTraces AS
SELECT time / 1000 AS TimeGenerated, trace AS OperationId, span AS ParentId, body AS Message,
  level AS SeverityLevel, properties AS Properties, service AS AppRoleName, 1 AS ItemCount,
  'AppTraces' AS Type, billed AS _BilledSize
FROM logs WHERE exception IS NULL AND logger != 'Microsoft.EventGrid';
CREATE VIEW AppExceptions AS
SELECT time / 1000 AS TimeGenerated, trace AS OperationId, span AS ParentId,
  exception AS ExceptionType, body AS Message, body AS OuterMessage, level AS SeverityLevel,
  properties AS Properties, service AS AppRoleName, 1 AS ItemCount, 'AppExceptions' AS Type,
  billed AS _BilledSize
FROM logs WHERE exception IS NOT NULL;
CREATE VIEW AppMetrics AS
SELECT time / 1000 AS TimeGenerated, '' AS OperationId, '' AS ParentId, name AS Name,
  value AS Sum, low AS Min, high AS Max, count AS ItemCount,
  properties AS Properties, service AS AppRoleName, 'AppMetrics' AS Type, billed AS _BilledSize
FROM points;
CREATE VIEW AegDeliveryFailureLogs AS
SELECT time / 1000 AS TimeGenerated, attributes ->> '$."azure.category"' AS Category,
  attributes ->> '$."azure.event_subscription.name"' AS EventSubscriptionName,
  '' AS SubResourceName, attributes ->> '$."azure.operation.name"' AS OperationName,
  body AS Message, attributes ->> '$."cloud.resource_id"' AS _ResourceId,
  'AegDeliveryFailureLogs' AS Type, billed AS _BilledSize
FROM logs WHERE logger = 'Microsoft.EventGrid';
CREATE VIEW AegPublishFailureLogs AS
SELECT 0 AS TimeGenerated, '' AS Category, '' AS OperationName, '' AS Message, '' AS _ResourceId,
  '' AS Type, 0 AS _BilledSize WHERE false;
CREATE VIEW Usage AS
SELECT max(TimeGenerated) AS TimeGenerated, Type AS DataType, 1 AS IsBillable,
  sum(_BilledSize) / 1e6 AS Quantity, 'MBytes' AS QuantityUnit, 'Usage' AS Type
FROM (SELECT TimeGenerated, Type, _BilledSize FROM AppRequests
  UNION ALL SELECT TimeGenerated, Type, _BilledSize FROM AppDependencies
  UNION ALL SELECT TimeGenerated, Type, _BilledSize FROM AppTraces
  UNION ALL SELECT TimeGenerated, Type, _BilledSize FROM AppExceptions
  UNION ALL SELECT TimeGenerated, Type, _BilledSize FROM AppMetrics
  UNION ALL SELECT TimeGenerated, Type, _BilledSize FROM AegDeliveryFailureLogs) GROUP BY Type;
"""
"""The tables; times in microseconds, sizes guessed. Here, `AegPublishFailureLogs` stays empty."""


_COMMON = {
    "TimeGenerated": "datetime",
    "OperationId": "string",
    "ParentId": "string",
    "AppRoleName": "string",
    "ItemCount": "long",
    "Properties": "dynamic",
    "Type": "string",
    "_BilledSize": "real",
}
_OF_A_SPAN = {
    "Id": "string",
    "Name": "string",
    "OperationName": "string",
    "Success": "bool",
    "ResultCode": "string",
    "DurationMs": "real",
}
_OF_A_RECORD = {"Message": "string", "SeverityLevel": "long"}

_OF_EVENT_GRID = {
    "TimeGenerated": "datetime",
    "Category": "string",
    "OperationName": "string",
    "Message": "string",
    "_ResourceId": "string",
    "Type": "string",
    "_BilledSize": "real",
}

TABLES: Mapping[str, Mapping[str, str]] = {
    "AppRequests": {**_COMMON, **_OF_A_SPAN},
    "AppDependencies": {**_COMMON, **_OF_A_SPAN, "DependencyType": "string"},
    "AppTraces": {**_COMMON, **_OF_A_RECORD},
    "AppExceptions": {
        **_COMMON,
        **_OF_A_RECORD,
        "ExceptionType": "string",
        "OuterMessage": "string",
    },
    "AppMetrics": {**_COMMON, "Name": "string", "Sum": "real", "Min": "real", "Max": "real"},
    "AegDeliveryFailureLogs": {
        **_OF_EVENT_GRID,
        "EventSubscriptionName": "string",
        "SubResourceName": "string",
    },
    "AegPublishFailureLogs": _OF_EVENT_GRID,
    "Usage": {
        "TimeGenerated": "datetime",
        "DataType": "string",
        "IsBillable": "bool",
        "Quantity": "real",
        "QuantityUnit": "string",
        "Type": "string",
    },
}
"""The columns that queries may name, and their types; the views have them all."""


def span_properties(attributes: Mapping[str, Any], links: Sequence[Mapping[str, str]]) -> str:
    """`Properties` of AppRequests and AppDependencies, JSON."""
    kept = {
        name: value
        for name, value in attributes.items()
        if not name.startswith(_DROPPED_PREFIXES) and name not in _DROPPED
    }
    said = _texts(kept)
    if links:
        told = [{"operation_Id": link["trace"], "id": link["span"]} for link in links[:_MOST_LINKS]]
        said["_MS.links"] = json.dumps(told)
    return json.dumps(said, ensure_ascii=False)


def result_code(kind: int, attributes: Mapping[str, Any]) -> str:
    """`ResultCode` of AppDependencies: the HTTP status of a request that was sent, else 0."""
    if kind != CLIENT or "http.request.method" not in attributes:
        return "0"
    return str(attributes.get("http.response.status_code") or "0")


def dependency_name(kind: int, name: str, attributes: Mapping[str, Any]) -> str:
    """`Name` of AppDependencies: for a request that was sent, its method and the path of its URL.

    Where no URL is told, the path is taken to be `/`.
    """
    method = attributes.get("http.request.method")
    if kind != CLIENT or method is None:
        return name
    return f"{method} {urlsplit(str(attributes.get('url.full', ''))).path or '/'}"


def point_properties(attributes: Mapping[str, Any]) -> str:
    """`Properties` of AppMetrics, JSON."""
    return json.dumps(_texts(attributes), ensure_ascii=False)


def log_properties(attributes: Mapping[str, Any], logger: str) -> str:
    """`Properties` of AppTraces and AppExceptions, JSON."""
    kept = {name: value for name, value in attributes.items() if name not in _DROPPED_FROM_LOGS}
    return json.dumps({"logger_name": logger, **_texts(kept)}, ensure_ascii=False)


def severity_level(severity: int) -> int:
    """`SeverityLevel`: 0 verbose, 1 information, 2 warning, 3 error, 4 critical."""
    return 0 if severity < 9 else min((severity - 9) // 4 + 1, 4)


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Names and values as texts, cut to the lengths that Azure Monitor allows."""
    return {
        name: str(value)[:8192]
        for name, value in values.items()
        if name and len(name) <= 150 and value is not None
    }
