"""The HTTP API under `/api`; `schemas/openapi.json` describes it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial

import azure.functions as func

from handlers import representations as shown
from handlers.callers import caller, command
from handlers.problems import answer, answers
from handlers.queries import flag, number, product_of
from mesh import (
    acknowledgements,
    approvals,
    catalogue,
    entitlement,
    onboarding,
    replays,
    schemas,
    subscriptions,
    suspensions,
    templates,
    tracking,
)
from mesh.backbone import backbone
from mesh.model.onboarding import Onboarding
from mesh.model.subscription import filter_from_data, route_from_data

blueprint = func.Blueprint()
"""No function asks for a key, which names nobody: `answers` lets in whoever the rules allow."""

PRODUCT = "products/{domain}/{product}"


@blueprint.function_name("health")
@blueprint.route("health", methods=["GET"])
@answers
def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - a trigger has its binding
    backbone()
    return answer({"status": "ok"})


@blueprint.function_name("openapi")
@blueprint.route("openapi.json", methods=["GET"])
@answers
def openapi(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - a trigger has its binding
    return answer(schemas.openapi())


@blueprint.function_name("whoami")
@blueprint.route("whoami", methods=["GET"])
@answers
def whoami(req: func.HttpRequest) -> func.HttpResponse:
    return answer(shown.caller(caller(req)))


@blueprint.function_name("request_onboarding")
@blueprint.route("onboardings", methods=["POST"])
@answers
def request_onboarding(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/onboarding.v1")
    asker = caller(req).principal
    by = asked.get("requested_by", asker.name)
    use = templates.asked_for(asked, by=by)
    saga = onboarding.request(
        backbone(), asked["files"], requested_by=by, asker=asker.id, template=use
    )
    location = f"/api/onboardings/{saga.id}"
    return answer(shown.onboarding(saga), status=202, location=location)


@blueprint.function_name("get_onboarding")
@blueprint.route("onboardings/{onboarding}", methods=["GET"])
@answers
def get_onboarding(req: func.HttpRequest) -> func.HttpResponse:
    saga = onboarding.find(backbone(), req.route_params["onboarding"])
    return answer(shown.onboarding(saga))


@blueprint.function_name("decide_onboarding")
@blueprint.route("onboardings/{onboarding}/approval", methods=["POST"])
@answers
def decide_onboarding(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/approval.v1")
    who = caller(req)
    approver = _approver(asked.get("approver", ""), who.principal.name)
    decisions: Mapping[str, Callable[..., Onboarding]] = {
        "approve": partial(approvals.approve, caller=who),
        "refuse": approvals.refuse,
    }
    identity = req.route_params["onboarding"]
    decide = decisions[asked["decision"]]
    saga = decide(backbone(), identity, approver=approver, reason=asked["reason"])
    return answer(shown.onboarding(saga))


@blueprint.function_name("list_products")
@blueprint.route("products", methods=["GET"])
@answers
def list_products(req: func.HttpRequest) -> func.HttpResponse:
    found = catalogue.search(backbone(), words=req.params.get("search", ""), limit=_limit(req))
    return answer({"products": [shown.summary(entry) for entry in found]})


@blueprint.function_name("get_product")
@blueprint.route(PRODUCT, methods=["GET"])
@answers
def get_product(req: func.HttpRequest) -> func.HttpResponse:
    return answer(shown.product(catalogue.page(backbone(), product_of(req))))


@blueprint.function_name("find_drops")
@blueprint.route("drops", methods=["GET"])
@answers
def find_drops(req: func.HttpRequest) -> func.HttpResponse:
    found = tracking.find(
        backbone(),
        file=req.params.get("file"),
        product=None,
        domains=entitlement.seen_by(caller(req), entitlement.TEAM),
        limit=_limit(req),
    )
    return answer({"drops": [shown.drop(product, entry) for product, entry in found]})


@blueprint.function_name("list_drops")
@blueprint.route(PRODUCT + "/drops", methods=["GET"])
@answers
def list_drops(req: func.HttpRequest) -> func.HttpResponse:
    found = tracking.find(
        backbone(), file=req.params.get("file"), product=product_of(req), limit=_limit(req)
    )
    return answer({"drops": [shown.drop(product, entry) for product, entry in found]})


@blueprint.function_name("get_drop")
@blueprint.route(PRODUCT + "/drops/{drop}", methods=["GET"])
@answers
def get_drop(req: func.HttpRequest) -> func.HttpResponse:
    journey = tracking.journey(backbone(), product_of(req), req.route_params["drop"])
    return answer(shown.journey(journey))


@blueprint.function_name("get_receipt")
@blueprint.route(PRODUCT + "/drops/{drop}/receipt", methods=["GET"])
@answers
def get_receipt(req: func.HttpRequest) -> func.HttpResponse:
    return _json(tracking.receipt(backbone(), product_of(req), req.route_params["drop"]))


@blueprint.function_name("list_sets")
@blueprint.route(PRODUCT + "/sets", methods=["GET"])
@answers
def list_sets(req: func.HttpRequest) -> func.HttpResponse:
    found = tracking.sets(backbone(), product_of(req), open_only=flag(req, "open"))
    return answer({"sets": [shown.file_set(state) for state in found]})


@blueprint.function_name("subscribe")
@blueprint.route(PRODUCT + "/subscriptions", methods=["POST"])
@answers
def subscribe(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/subscription.v1")
    made = subscriptions.subscribe(
        backbone(),
        product_of(req),
        subscriber=asked["subscriber"],
        token=asked.get("token") or "",
        route=route_from_data(asked),
        key=req.headers.get("idempotency-key") or command(),
        wanted=filter_from_data(asked.get("filter", {}), asked.get("filters", [])),
        uses=asked.get("uses"),
    )
    location = f"/api/products/{made.subscription.product}/subscriptions/{made.subscription.id}"
    return answer(shown.subscribed(made), status=201, location=location)


@blueprint.function_name("list_subscriptions")
@blueprint.route(PRODUCT + "/subscriptions", methods=["GET"])
@answers
def list_subscriptions(req: func.HttpRequest) -> func.HttpResponse:
    found = entitlement.shown_to(
        caller(req), product_of(req), subscriptions.of_product(backbone(), product_of(req))
    )
    return answer({"subscriptions": [shown.subscription(wants) for wants in found]})


@blueprint.function_name("get_subscription")
@blueprint.route(PRODUCT + "/subscriptions/{subscription}", methods=["GET"])
@answers
def get_subscription(req: func.HttpRequest) -> func.HttpResponse:
    wants = subscriptions.find(backbone(), product_of(req), req.route_params["subscription"])
    return answer(shown.subscription(wants))


@blueprint.function_name("unsubscribe")
@blueprint.route(PRODUCT + "/subscriptions/{subscription}", methods=["DELETE"])
@answers
def unsubscribe(req: func.HttpRequest) -> func.HttpResponse:
    subscriptions.unsubscribe(backbone(), product_of(req), req.route_params["subscription"])
    return func.HttpResponse(status_code=204)


@blueprint.function_name("rotate_secret")
@blueprint.route(PRODUCT + "/subscriptions/{subscription}/secret", methods=["POST"])
@answers
def rotate_secret(req: func.HttpRequest) -> func.HttpResponse:
    identity = req.route_params["subscription"]
    made = subscriptions.rotate_secret(backbone(), product_of(req), identity, command=command())
    return answer(shown.subscribed(made))


@blueprint.function_name("suspend")
@blueprint.route(PRODUCT + "/subscriptions/{subscription}/suspension", methods=["POST"])
@answers
def suspend(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/suspension.v1")
    identity = req.route_params["subscription"]
    changed = suspensions.suspend(backbone(), product_of(req), identity, reason=asked["reason"])
    return answer(shown.subscription(changed))


@blueprint.function_name("resume")
@blueprint.route(PRODUCT + "/subscriptions/{subscription}/resumption", methods=["POST"])
@answers
def resume(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/resumption.v1")
    identity = req.route_params["subscription"]
    told, count = suspensions.resume(
        backbone(), product_of(req), identity, held=asked["held"], command=command()
    )
    return answer({"subscription": shown.subscription(told), "notifications": count})


@blueprint.function_name("replay")
@blueprint.route(PRODUCT + "/subscriptions/{subscription}/replays", methods=["POST"])
@answers
def replay(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/replay.v1")
    start = replays.From.from_data(asked)
    told = replays.replay(
        backbone(),
        product_of(req),
        req.route_params["subscription"],
        start=start,
        command=command(),
    )
    return answer(asdict(told), status=202)


@blueprint.function_name("acknowledge")
@blueprint.route(PRODUCT + "/subscriptions/{subscription}/acknowledgements", methods=["POST"])
@answers
def acknowledge(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/acknowledgement.v1")
    identity = req.route_params["subscription"]
    done = acknowledgements.acknowledge(backbone(), product_of(req), identity, asked["sequence"])
    return answer(shown.attempt(done))


def _approver(named: str, caller: str) -> str:
    """Who decided, and for whom, where that is another: of whom only the caller says so."""
    return f"{caller} for {named}" if named not in {"", caller} else caller


def _limit(req: func.HttpRequest) -> int:
    return number(req, "limit", 100, lowest=1, highest=1000)


def _json(data: bytes) -> func.HttpResponse:
    return answer(json.loads(data))
