"""Headless Chromium, driven by ChromeDriver: both as the system's packages install them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 20

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--lang=en",
)

T = TypeVar("T")


def missing() -> str | None:
    """What lacks for a browser; None when all is there."""
    if not any(map(shutil.which, BROWSERS)):
        return "Chromium is not installed (on Debian: apt-get install chromium chromium-driver)"
    if shutil.which("chromedriver") is None:
        return "ChromeDriver is not installed (on Debian: apt-get install chromium-driver)"
    return None


class Page:
    """A browser's one tab, on pages of one address."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        self._url = url

    def open(self, place: str) -> None:
        """Go to `#/PLACE` and wait until it is drawn."""
        self.driver.get("about:blank")
        self.driver.get(f"{self._url}/#/{place}")
        self.until(lambda: self.all("main[data-ready]"))

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.until(lambda: self.driver.find_element(By.CSS_SELECTOR, selector))

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.all(selector)]

    def until(self, ask: Callable[[], T]) -> T:
        """Ask until the answer is something; the page redraws itself meanwhile."""
        ignored = (NoSuchElementException, StaleElementReferenceException)
        wait = WebDriverWait(self.driver, PATIENCE_S, 0.05, ignored_exceptions=ignored)
        return wait.until(lambda _: ask())

    def press(self, key: str) -> None:
        self.driver.switch_to.active_element.send_keys(key)

    def emulate(self, *, width: int, height: int, scheme: str, mobile: bool = False) -> None:
        """Be a screen of this size in CSS pixels, which prefers `light` or `dark`."""
        self._tell(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile},
        )
        preference = {"name": "prefers-color-scheme", "value": scheme}
        self._tell("Emulation.setEmulatedMedia", {"features": [preference]})

    def errors(self) -> list[str]:
        """What the console has complained about since this was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def save(self, path: Path) -> None:
        """Take a picture of what is seen."""
        self.driver.save_screenshot(str(path))

    def _tell(self, command: str, parameters: dict[str, Any]) -> None:
        self.driver.execute_cdp_cmd(command, parameters)


@contextmanager
def browsing(url: str, profile: Path) -> Iterator[Page]:
    """A browser with a profile of its own, until the block ends."""
    options = webdriver.ChromeOptions()
    options.binary_location = next(path for name in BROWSERS if (path := shutil.which(name)))
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "WARNING"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield Page(driver, url)
    finally:
        driver.quit()
