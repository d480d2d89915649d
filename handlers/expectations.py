"""Once a minute: say what is late, missed or recovered."""

import azure.functions as func

from mesh import expectations
from mesh.backbone import backbone

blueprint = func.Blueprint()


@blueprint.function_name("check_expectations")
@blueprint.timer_trigger("timer", schedule="30 * * * * *", use_monitor=True)
def check_expectations(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a trigger has its binding
    expectations.check_all(backbone())
