"""The HTTP API of the templates' registry, under `/api/templates`."""

import azure.functions as func

from handlers import representations as shown
from handlers.callers import caller
from handlers.problems import answer, answers
from mesh import schemas, templates
from mesh.backbone import backbone
from mesh.model.template import TemplateName

blueprint = func.Blueprint()


@blueprint.function_name("register_template")
@blueprint.route("templates", methods=["POST"])
@answers
def register_template(req: func.HttpRequest) -> func.HttpResponse:
    asked = schemas.parse(req.get_body(), "requests/template.v1")
    by = caller(req).principal.name
    found = templates.register(backbone(), asked, registered_by=by)
    location = f"/api/templates/{found.id.name}/{found.id.version}"
    return answer(shown.template(found), status=201, location=location)


@blueprint.function_name("list_templates")
@blueprint.route("templates", methods=["GET"])
@answers
def list_templates(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - a trigger has its binding
    found = [shown.template(template) for template in templates.registered(backbone())]
    profiles = [shown.profile(profile) for profile in backbone().policy.profiles]
    return answer({"templates": found, "profiles": profiles})


@blueprint.function_name("get_template")
@blueprint.route("templates/{template}/{version}", methods=["GET"])
@answers
def get_template(req: func.HttpRequest) -> func.HttpResponse:
    name = TemplateName(name=req.route_params["template"], version=req.route_params["version"])
    return answer(shown.template(templates.find(backbone(), name)))
