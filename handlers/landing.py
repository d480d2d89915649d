"""A file landed: BlobCreated, by Event Grid, on the queue `landed-files`."""

import json

import azure.functions as func

from mesh import landing
from mesh.backbone import backbone
from mesh.model.storage_events import dropped_file

blueprint = func.Blueprint()


@blueprint.function_name("file_landed")
@blueprint.service_bus_queue_trigger("message", connection="SERVICE_BUS", queue_name="landed-files")
def file_landed(message: func.ServiceBusMessage) -> None:
    dropped = dropped_file(json.loads(message.get_body()))
    landing.receive(
        backbone(),
        dropped,
        message=str(message.sequence_number),
        delivery=message.delivery_count or 1,
    )
