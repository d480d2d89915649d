"""A receiver for OpenTelemetry, and a page to look at what came: traces, metrics, logs, queries.

otlp       OTLP/HTTP requests, binary or JSON, as rows
azure      the same rows as Azure Monitor would show them: AppRequests, AppMetrics, …
store      a bounded SQLite file
saved      queries that the page offers
kql        a subset of Kusto's query language on that file
server     what is received and what is answered
"""
