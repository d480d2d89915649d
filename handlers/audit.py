"""The HTTP API of the audit log, under `/api/audit`."""

import azure.functions as func

from handlers import queries
from handlers import representations as shown
from handlers.problems import answer, answers
from mesh import audit
from mesh.backbone import backbone
from mesh.model.audit import is_whole

blueprint = func.Blueprint()


@blueprint.function_name("list_audit")
@blueprint.route("audit/{log}", methods=["GET"])
@answers
def list_audit(req: func.HttpRequest) -> func.HttpResponse:
    limit = queries.number(req, "limit", 100, lowest=1, highest=1000)
    found = audit.entries(backbone(), req.route_params["log"], limit=limit)
    told = [shown.audit_entry(entry) for entry in found]
    return answer({"entries": told, "whole": is_whole(found)})


@blueprint.function_name("settle_audit")
@blueprint.timer_trigger("timer", schedule="55 */5 * * * *", use_monitor=True)
def settle_audit(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a trigger has its binding
    audit.settle_all(backbone())
