# ruff: noqa: ARG001 - a trigger has its parameter, used or not
# ruff: noqa: UP006, UP035 - the workers of Python 3.12 and older refuse list[…]
"""One function for each kind of trigger and binding; each writes down what it was given.

The file named by the setting SEEN gets one JSON line for each call.
"""

import datetime as dt
import inspect
import json
import logging
import os
from pathlib import Path
from typing import List

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


def plain(value):
    """Describe a value so that two runs can be compared."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": bytes(value).decode("latin-1")}
    if isinstance(value, (dt.datetime, dt.timedelta)):
        return {type(value).__name__: str(value)}
    if hasattr(value, "items"):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    described = {"type": type(value).__name__}
    for name, member in inspect.getmembers(type(value)):
        if isinstance(member, property) and name != "metadata":
            try:
                described[name] = plain(getattr(value, name))
            except NotImplementedError:
                described[name] = "not implemented"
    if hasattr(value, "get_body"):
        described["body"] = plain(value.get_body())
    return described


def seen(function, **values):
    line = json.dumps({"function": function, **{k: plain(v) for k, v in values.items()}})
    with Path(os.environ["SEEN"]).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


@app.route(route="things/{id:int}/{part?}", methods=["GET", "POST"])
def http_thing(req: func.HttpRequest) -> func.HttpResponse:
    try:
        document = req.get_json()
    except ValueError as wrong:
        document = str(wrong)
    seen(
        "http_thing",
        method=req.method,
        url=req.url,
        headers={k: v for k, v in req.headers.items() if k.startswith("x-")},
        params=req.params,
        route=req.route_params,
        body=req.get_body(),
        json=document,
    )
    response = func.HttpResponse(
        json.dumps({"id": req.route_params["id"]}),
        status_code=201,
        mimetype="application/json",
        headers={"X-Made": "here"},
    )
    response.headers.add("Set-Cookie", "first=1; Path=/")
    response.headers.add("Set-Cookie", "second=2; HttpOnly")
    return response


@app.route(route="text", auth_level=func.AuthLevel.ANONYMOUS)
async def http_text(req: func.HttpRequest) -> str:
    seen("http_text", params=req.params)
    return "just text"


@app.route(route="empty", auth_level=func.AuthLevel.ANONYMOUS)
def http_nothing(req: func.HttpRequest):
    seen("http_nothing")


@app.route(route="broken", auth_level=func.AuthLevel.ANONYMOUS)
def http_raises(req: func.HttpRequest) -> func.HttpResponse:
    seen("http_raises")
    raise ValueError("the function says no")


@app.route(route="admin-only", auth_level=func.AuthLevel.ADMIN)
def http_admin(req: func.HttpRequest) -> func.HttpResponse:
    seen("http_admin")
    return func.HttpResponse(status_code=204)


@app.route(route="files/{*path}", auth_level=func.AuthLevel.ANONYMOUS)
def http_rest(req: func.HttpRequest) -> func.HttpResponse:
    seen("http_rest", route=req.route_params)
    return func.HttpResponse(b"\x00\xff", mimetype="application/octet-stream")


@app.route(route="outputs/{name}", auth_level=func.AuthLevel.ANONYMOUS)
@app.service_bus_queue_output(arg_name="bus", connection="SB", queue_name="from-output")
@app.service_bus_topic_output(arg_name="topic", connection="SB", topic_name="news")
@app.queue_output(arg_name="queue", connection="STORAGE", queue_name="from-output")
@app.queue_output(arg_name="several", connection="STORAGE", queue_name="several")
@app.blob_output(arg_name="blob", connection="STORAGE", path="made/{name}.txt")
@app.event_grid_output(arg_name="events", topic_endpoint_uri="GRID", topic_key_setting="GRID_KEY")
@app.table_output(arg_name="row", connection="STORAGE", table_name="rows")
def http_outputs(
    req: func.HttpRequest,
    bus: func.Out[str],
    topic: func.Out[bytes],
    queue: func.Out[func.QueueMessage],
    several: func.Out[List[str]],
    blob: func.Out[bytes],
    events: func.Out[func.EventGridOutputEvent],
    row: func.Out[str],
) -> func.HttpResponse:
    name = req.route_params["name"]
    seen("http_outputs", name=name)
    if "nothing" in req.params:
        return func.HttpResponse("nothing was set")
    bus.set(json.dumps({"name": name}))
    topic.set(b"\x01" + name.encode())
    queue.set(func.QueueMessage(body=name))
    several.set(["one", "two"])
    blob.set(name.encode() * 2)
    if "event" in req.params:
        events.set(
            func.EventGridOutputEvent(
                id="e1",
                data={"name": name},
                subject="s",
                event_type="made",
                event_time=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
                data_version="1",
            )
        )
    row.set(json.dumps({"PartitionKey": "p", "RowKey": name, "value": 3}))
    return func.HttpResponse("set")


@app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%", run_on_startup=True)
def on_timer(timer: func.TimerRequest) -> None:
    seen("on_timer", past_due=timer.past_due, schedule=timer.schedule)


@app.service_bus_queue_trigger(arg_name="message", queue_name="one", connection="SB")
def bus_one(message: func.ServiceBusMessage, context: func.Context) -> None:
    logging.getLogger("app").info("one message")
    seen("bus_one", message=message, name=context.function_name)


@app.service_bus_queue_trigger(arg_name="message", queue_name="%TEXT_QUEUE%", connection="SB")
async def bus_text(message: str, context) -> None:
    seen("bus_text", message=message, trace=context.trace_context.trace_parent[3:35])


@app.service_bus_queue_trigger(
    arg_name="message", queue_name="binary", connection="SB", data_type=func.DataType.BINARY
)
def bus_binary(message: func.ServiceBusMessage) -> None:
    seen("bus_binary", body=message.get_body())


@app.service_bus_queue_trigger(
    arg_name="messages", queue_name="many", connection="SB", cardinality=func.Cardinality.MANY
)
def bus_many(messages: List[func.ServiceBusMessage]) -> None:
    seen("bus_many", messages=messages)


@app.service_bus_topic_trigger(
    arg_name="message", topic_name="news", subscription_name="all", connection="SB"
)
@app.service_bus_queue_output(arg_name="$return", connection="SB", queue_name="from-return")
async def bus_topic(message: func.ServiceBusMessage) -> str:
    seen("bus_topic", body=message.get_body())
    return "returned " + message.get_body().decode("latin-1")


@app.service_bus_queue_trigger(
    arg_name="message", queue_name="sessions", connection="SB", is_sessions_enabled=True
)
def bus_session(message: func.ServiceBusMessage) -> None:
    seen("bus_session", session=message.session_id, body=message.get_body())


@app.service_bus_queue_trigger(arg_name="message", queue_name="failing", connection="SB")
def bus_fails(message: func.ServiceBusMessage) -> None:
    seen("bus_fails", count=message.delivery_count)
    raise RuntimeError(f"cannot take {message.get_body().decode()}")


@app.service_bus_queue_trigger(arg_name="message", queue_name="returning", connection="SB")
def bus_returns(message: func.ServiceBusMessage):
    seen("bus_returns")
    return "nobody takes this"


@app.queue_trigger(arg_name="message", queue_name="queue-messages", connection="STORAGE")
def queue_message(message: func.QueueMessage) -> None:
    seen("queue_message", message=message)


@app.queue_trigger(arg_name="message", queue_name="queue-texts", connection="STORAGE")
@app.blob_input(arg_name="named", path="made/{queueTrigger}", connection="STORAGE")
@app.table_input(
    arg_name="row", table_name="rows", partition_key="p", row_key="{queueTrigger}",
    connection="STORAGE",
)  # fmt: skip
def queue_text(message: str, named: func.InputStream, row) -> None:
    seen("queue_text", message=message, named=named and named.read(), row=row)


@app.queue_trigger(arg_name="message", queue_name="queue-failing", connection="STORAGE")
def queue_fails(message: func.QueueMessage) -> None:
    seen("queue_fails", count=message.dequeue_count)
    raise RuntimeError("no")


@app.blob_trigger(arg_name="blob", path="landing/{domain}/{name}.csv", connection="STORAGE")
def blob_scanned(blob: func.InputStream) -> None:
    seen(
        "blob_scanned",
        name=blob.name,
        length=blob.length,
        uri=blob.uri,
        body=blob.read(),
        kind=blob.blob_properties["ContentType"],
    )


@app.blob_trigger(
    arg_name="blob", path="told/{name}", connection="STORAGE", source=func.BlobSource.EVENT_GRID
)
async def blob_told(blob: bytes) -> None:
    seen("blob_told", body=blob)


@app.blob_trigger(arg_name="blob", path="poisoned/{name}", connection="STORAGE")
def blob_fails(blob: func.InputStream) -> None:
    seen("blob_fails", name=blob.name)
    raise RuntimeError("no")


@app.event_grid_trigger(arg_name="event")
def grid_event(event: func.EventGridEvent) -> None:
    seen("grid_event", event=event, data=event.get_json())
    if event.subject == "fail":
        raise RuntimeError("no")


@app.event_grid_trigger(arg_name="event")
def grid_cloud_event(event: func.CloudEvent) -> None:
    seen("grid_cloud_event", id=event.id, data=event.get_json(), more=event.extension_attrs)
