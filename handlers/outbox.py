"""Once a minute: publish what a crash left in the outbox."""

import azure.functions as func

from mesh import outbox
from mesh.backbone import backbone

blueprint = func.Blueprint()


@blueprint.function_name("relay_outbox")
@blueprint.timer_trigger("timer", schedule="0 * * * * *", use_monitor=True)
def relay_outbox(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a trigger has its binding
    outbox.relay_all(backbone())
