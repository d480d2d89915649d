"""An event of a product came through the topic `product-events`, subscription `fan-out`."""

import json

import azure.functions as func

from mesh import fan_out as verb
from mesh.backbone import backbone
from mesh.model.events import ReceivedEvent

blueprint = func.Blueprint()


@blueprint.function_name("fan_out")
@blueprint.service_bus_topic_trigger(
    "message",
    connection="SERVICE_BUS",
    topic_name="product-events",
    subscription_name="fan-out",
)
def fan_out(message: func.ServiceBusMessage) -> None:
    verb.fan_out(backbone(), ReceivedEvent.from_cloudevent(json.loads(message.get_body())))
