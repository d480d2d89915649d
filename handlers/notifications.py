"""A notification is due: a message on the queue `notifications`, or on that of the slow."""

import json

import azure.functions as func

from mesh import notifications
from mesh.backbone import backbone
from mesh.model.lanes import SLOW
from mesh.model.notification import Notification

blueprint = func.Blueprint()


@blueprint.function_name("notification_due")
@blueprint.service_bus_queue_trigger(
    "message", connection="SERVICE_BUS", queue_name="notifications"
)
def notification_due(message: func.ServiceBusMessage) -> None:
    notifications.notify(backbone(), Notification.from_data(json.loads(message.get_body())))


@blueprint.function_name("slow_notification_due")
@blueprint.service_bus_queue_trigger(
    "message", connection="SERVICE_BUS", queue_name="notifications-slow"
)
def slow_notification_due(message: func.ServiceBusMessage) -> None:
    notification = Notification.from_data(json.loads(message.get_body()))
    notifications.notify(backbone(), notification, lane=SLOW)
