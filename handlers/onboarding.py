"""Onboarding was requested, or one of its steps is due: a message on the queue `onboarding`."""

import json

import azure.functions as func

from mesh import onboarding
from mesh.backbone import backbone

blueprint = func.Blueprint()


@blueprint.function_name("onboarding_requested")
@blueprint.service_bus_queue_trigger("message", connection="SERVICE_BUS", queue_name="onboarding")
def onboarding_requested(message: func.ServiceBusMessage) -> None:
    onboarding.handle(backbone(), json.loads(message.get_body()))
