"""The HTTP API of contracts, published and to be, under `…/{domain}/{product}/contracts`."""

import json
from typing import Any

import azure.functions as func

from handlers.problems import answer, answers
from handlers.queries import product_of
from mesh import consumers, contracts, schemas
from mesh.backbone import backbone
from mesh.consumers import Preview
from mesh.model.consumers import ConsumerVerdict

blueprint = func.Blueprint()

PRODUCT = "products/{domain}/{product}"


@blueprint.function_name("get_contract")
@blueprint.route(PRODUCT + "/contracts/{port}/{version}", methods=["GET"])
@answers
def get_contract(req: func.HttpRequest) -> func.HttpResponse:
    key = f"{req.route_params['port']}:{req.route_params['version']}"
    return answer(json.loads(contracts.document(backbone(), product_of(req), key, None)))


@blueprint.function_name("get_schema")
@blueprint.route(PRODUCT + "/contracts/{port}/{version}/schemas/{object}", methods=["GET"])
@answers
def get_schema(req: func.HttpRequest) -> func.HttpResponse:
    key = f"{req.route_params['port']}:{req.route_params['version']}"
    name = req.route_params["object"]
    return answer(json.loads(contracts.document(backbone(), product_of(req), key, name)))


@blueprint.function_name("preview_contract")
@blueprint.route(PRODUCT + "/contracts/preview", methods=["POST"])
@answers
def preview_contract(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/preview.v1")
    found = consumers.preview(backbone(), product_of(req), file=asked["file"], text=asked["text"])
    return answer(_preview(found))


def _preview(found: Preview) -> dict[str, Any]:
    return {
        "product": str(found.product),
        "port": found.port,
        "version": found.version,
        "compared_with": list(found.compared_with),
        "mode": found.mode.upper(),
        "verdict": found.verdict,
        "changes": [change.to_data() for change in found.changes],
        "notice_days": found.notice_days,
        "consumers": [_verdict(verdict) for verdict in found.consumers],
    }


def _verdict(found: ConsumerVerdict) -> dict[str, Any]:
    return {
        "consumer": found.consumer.domain,
        "uses": list(found.consumer.uses),
        "verdict": found.verdict,
        "affected_by": [change.to_data() for change in found.affected_by],
    }
