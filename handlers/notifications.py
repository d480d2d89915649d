"""A notification is due: a message on the queue `notifications`."""

import json

import azure.functions as func

from mesh import notifications
from mesh.backbone import backbone
from mesh.model.notification import Notification

blueprint = func.Blueprint()


@blueprint.function_name("notification_due")
@blueprint.service_bus_queue_trigger(
    "message", connection="SERVICE_BUS", queue_name="notifications"
)
def notification_due(message: func.ServiceBusMessage) -> None:
    notifications.notify(backbone(), Notification.from_data(json.loads(message.get_body())))
