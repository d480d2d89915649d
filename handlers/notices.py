"""The HTTP API of notices, under `/api/products/{domain}/{product}/notices`."""

from typing import Any

import azure.functions as func

from handlers import representations as shown
from handlers.callers import caller
from handlers.problems import answer, answers
from handlers.queries import product_of
from mesh import entitlement, notices, reminding
from mesh.backbone import backbone
from mesh.errors import NotFound
from mesh.model.notice import Notice

blueprint = func.Blueprint()

NOTICES = "products/{domain}/{product}/notices"


@blueprint.function_name("list_notices")
@blueprint.route(NOTICES, methods=["GET"])
@answers
def list_notices(req: func.HttpRequest) -> func.HttpResponse:
    found = notices.of_product(backbone(), product_of(req))
    return answer({"notices": [_notice(req, notice) for notice in found]})


@blueprint.function_name("acknowledge_notice")
@blueprint.route(NOTICES + "/{port}/{major}/acknowledgements/{consumer}", methods=["POST"])
@answers
def acknowledge_notice(req: func.HttpRequest) -> func.HttpResponse:
    done = notices.acknowledge(
        backbone(),
        product_of(req),
        req.route_params["port"],
        _major(req),
        req.route_params["consumer"],
        by=caller(req).principal.name,
    )
    return answer(_notice(req, done))


@blueprint.function_name("check_notices")
@blueprint.timer_trigger("timer", schedule="45 */5 * * * *", use_monitor=True)
def check_notices(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a trigger has its binding
    reminding.check_all(backbone())


def _notice(req: func.HttpRequest, notice: Notice) -> dict[str, Any]:
    asked = entitlement.asked_shown_to(caller(req), notice)
    return shown.notice(notice, asked, notices.outstanding(backbone(), notice))


def _major(req: func.HttpRequest) -> int:
    """The number of a major version, as `1`.

    Raises:
        NotFound: it is none.
    """
    text = req.route_params["major"]
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        message = f"{text!r} is no major version; write it as 1."
        raise NotFound(message, problem="unknown-notice")
    return int(text)
