"""The Functions app: every trigger there is, from `handlers`."""

import azure.functions as func

from handlers import (
    agreements,
    api,
    audit,
    contracts,
    dead_letters,
    expectations,
    fan_out,
    feed,
    gauges,
    landing,
    notices,
    notifications,
    onboarding,
    outbox,
    templates,
)
from mesh import telemetry

telemetry.configure()
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for blueprint in (
    onboarding.blueprint,
    landing.blueprint,
    outbox.blueprint,
    gauges.blueprint,
    fan_out.blueprint,
    notifications.blueprint,
    expectations.blueprint,
    agreements.blueprint,
    notices.blueprint,
    audit.blueprint,
    api.blueprint,
    contracts.blueprint,
    feed.blueprint,
    dead_letters.blueprint,
    templates.blueprint,
):
    app.register_functions(blueprint)
