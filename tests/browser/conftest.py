"""A browser on the telemetry page, with a journey to look at."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.browser.browsing import Page, browsing, missing
from tests.browser.journey import send_journey
from tests.ports.starting import part


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page on a receiver that holds a journey; without a browser the tests are skipped."""
    lacking = missing()
    if lacking:
        pytest.skip(f"NOTHING IS SEEN: {lacking}")
    folder = tmp_path_factory.mktemp("browser")
    with part("local.telemetry", "--port=0", "--queries=infra") as ready:
        with httpx.Client(base_url=ready["url"]) as client:
            send_journey(client)
        with browsing(ready["url"], folder) as opened:
            yield opened
