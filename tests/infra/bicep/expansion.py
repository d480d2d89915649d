"""A deployment, expanded: every resource that `az deployment` would hand to Azure, with its values.

That is what the compiler and Azure Resource Manager do together, as far as it can be known offline:
conditions, loops, modules and loaded JSON are computed; what only Azure knows (`Runtime`) is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.infra.bicep import functions
from tests.infra.bicep.deployment import Deployment
from tests.infra.bicep.plan import Plan, Sources
from tests.infra.bicep.schema import Schemas
from tests.infra.bicep.tree import BicepError


def expand(
    path: Path,
    given: Mapping[str, Any],
    *,
    schemas: Schemas,
    sources: Sources | None = None,
    group: str = "rg-alone",
) -> Plan:
    """Expand the deployment of a file with these parameters.

    Args:
        group: the resource group, for a file that is deployed into one.
    """
    plan = Plan()
    sources = sources or Sources()
    try:
        file = sources.file(path)
    except BicepError as wrong:
        plan.problems.append(wrong.problem)
        return plan
    scope = f"/subscriptions/{functions.SUBSCRIPTION}"
    if file.scope == "resourceGroup":
        scope += f"/resourceGroups/{group}"
    run = Deployment(file, given, scope=scope, schemas=schemas, sources=sources, plan=plan)
    plan.outputs = run.deploy()
    return plan
