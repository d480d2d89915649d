"""The HTTP API of agreements, under `/api/products/{domain}/{product}/agreements`."""

import azure.functions as func

from handlers import representations as shown
from handlers.callers import caller, command
from handlers.problems import answer, answers, secret
from handlers.queries import product_of
from mesh import access, agreements, entitlement, schemas
from mesh.backbone import backbone

blueprint = func.Blueprint()

PRODUCT = "products/{domain}/{product}"


@blueprint.function_name("request_agreement")
@blueprint.route(PRODUCT + "/agreements", methods=["POST"])
@answers
def request_agreement(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/agreement.v1")
    made = agreements.request(
        backbone(),
        product_of(req),
        asked["consumer"],
        purpose=asked["purpose"],
        by=caller(req).principal.name,
    )
    location = f"/api/products/{made.product}/agreements/{made.consumer}"
    return answer(shown.agreement(made), status=201, location=location)


@blueprint.function_name("list_agreements")
@blueprint.route(PRODUCT + "/agreements", methods=["GET"])
@answers
def list_agreements(req: func.HttpRequest) -> func.HttpResponse:
    found = agreements.of_product(backbone(), product_of(req))
    mine = entitlement.agreements_shown_to(caller(req), product_of(req), found)
    return answer({"agreements": [shown.agreement(one) for one in mine]})


@blueprint.function_name("get_agreement")
@blueprint.route(PRODUCT + "/agreements/{consumer}", methods=["GET"])
@answers
def get_agreement(req: func.HttpRequest) -> func.HttpResponse:
    found = agreements.find(backbone(), product_of(req), req.route_params["consumer"])
    return answer(shown.agreement(found))


@blueprint.function_name("decide_agreement")
@blueprint.route(PRODUCT + "/agreements/{consumer}/decision", methods=["POST"])
@answers
def decide_agreement(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/decision.v1")
    decided = agreements.decide(
        backbone(),
        product_of(req),
        req.route_params["consumer"],
        decision=asked["decision"],
        by=caller(req).principal.name,
        reason=asked["reason"],
        days=asked.get("days"),
        command=command(),
    )
    return answer(shown.agreement(decided))


@blueprint.function_name("read_snapshot")
@blueprint.route(PRODUCT + "/snapshots/{sequence}/access", methods=["GET"])
@answers
def read_snapshot(req: func.HttpRequest) -> func.HttpResponse:
    text = req.route_params["sequence"]
    sequence = int(text) if len(text) <= 18 and text.isascii() and text.isdigit() else 0
    granted = access.grant(backbone(), product_of(req), sequence)
    return secret(shown.read_access(granted))


@blueprint.function_name("check_agreements")
@blueprint.timer_trigger("timer", schedule="15 */5 * * * *", use_monitor=True)
def check_agreements(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a trigger has its binding
    agreements.check_all(backbone())
