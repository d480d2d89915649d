"""Every five minutes: read the gauges."""

import azure.functions as func

from mesh import gauges
from mesh.backbone import backbone

blueprint = func.Blueprint()


@blueprint.function_name("read_gauges")
@blueprint.timer_trigger("timer", schedule="30 */5 * * * *", use_monitor=False)
def read_gauges(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a trigger has its binding
    gauges.read(backbone())
