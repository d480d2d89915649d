"""`python -m tests.browser.screenshot`: make the docs' picture of a trace, from a real demo run."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx

from cli.client import open_client
from cli.connection import find_connection
from cli.demo import reference
from cli.demo.azure import local_azure
from cli.demo.consumer import receiving
from cli.demo.run import Demo
from mesh.model.events import trace_id_of
from tests.browser.browsing import Page, browsing, missing

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "trace.png"
PRODUCT = "aerodromes/navaids"


def main() -> None:
    """Run the reference mesh, open the trace of a file that a composite reads, take a picture."""
    lacking = missing()
    if lacking:
        sys.exit(f"error: {lacking}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        state = folder / "state"
        stack.enter_context(local_azure(state, free_ports=True))
        connection = find_connection({}, state, folder)
        mesh = stack.enter_context(open_client(connection))
        consumer = stack.enter_context(receiving())
        demo = Demo(mesh=mesh, connection=connection, consumer=consumer, scratch=folder)
        demo.onboard()
        demo.subscribe()
        demo.drop(reference.good_files(), title="Good files")
        demo.compose()
        [drop] = mesh.drops(product=PRODUCT, file=None)
        url = json.loads((state / "azure.json").read_text())["parts"]["telemetry"]["url"]
        page = stack.enter_context(browsing(url, folder / "profile"))
        take(page, trace_id_of(drop["drop"]), url)
        demo.unsubscribe()
    print(f"made {PICTURE}")


def take(page: Page, trace: str, url: str) -> None:
    """The picture, once the exporters have sent the whole trace."""
    page.emulate(width=1280, height=640, scheme="light")
    page.until(lambda: len(httpx.get(f"{url}/api/traces/{trace}").json()["spans"]) >= 7)
    page.open(f"trace/{trace}")
    page.all("button.line")[1].click()
    PICTURE.parent.mkdir(exist_ok=True)
    page.save(PICTURE)


if __name__ == "__main__":
    main()
