"""The HTTP API of what was given up, under `/api/dead-letters`."""

import azure.functions as func

from handlers import representations as shown
from handlers.problems import answer, answers
from handlers.queries import number
from mesh import dead_letters, schemas
from mesh.backbone import backbone

blueprint = func.Blueprint()


@blueprint.function_name("list_dead_letters")
@blueprint.route("dead-letters", methods=["GET"])
@answers
def list_dead_letters(req: func.HttpRequest) -> func.HttpResponse:
    limit = number(req, "limit", 100, lowest=1, highest=1000)
    found = dead_letters.found(backbone(), source=req.params.get("source"), limit=limit)
    return answer({"dead_letters": [shown.dead_letter(letter) for letter in found]})


@blueprint.function_name("resubmit_dead_letter")
@blueprint.route("dead-letters/resubmissions", methods=["POST"])
@answers
def resubmit_dead_letter(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/resubmission.v1")
    done = dead_letters.resubmit(backbone(), asked["source"], asked["number"])
    return answer(shown.settled_letter(done))


@blueprint.function_name("discard_dead_letter")
@blueprint.route("dead-letters/discards", methods=["POST"])
@answers
def discard_dead_letter(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/discard.v1")
    done = dead_letters.discard(
        backbone(), asked["source"], asked["number"], reason=asked["reason"]
    )
    return answer(shown.settled_letter(done))
