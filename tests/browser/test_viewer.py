"""The telemetry page in a real browser: seen, searched, and used without a mouse."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.browsing import Page
from tests.browser.journey import DROP, READY, TRACE

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(autouse=True)
def quiet(page: Page):
    """Each test starts on a wide, light screen, and ends without a complaint of the console."""
    page.emulate(width=1280, height=800, scheme="light")
    page.open("traces")
    page.errors()
    yield
    assert page.errors() == []


def test_a_trace_is_a_waterfall(page):
    page.open(f"trace/{TRACE}")

    names = page.texts(".span .name")
    assert names[:3] == ["process landed-files", "publish mesh-events", "process product-events"]
    assert names.count("process notifications") == 2
    assert "process notifications (attempt 2)" in names
    tops = [bar.rect["y"] for bar in page.all(".bar")]
    assert tops == sorted(tops)
    assert len(tops) == len(names) == 9
    lefts = {name: bar.rect["x"] for name, bar in zip(names, page.all(".bar"), strict=True)}
    assert lefts["process landed-files"] < lefts["publish mesh-events"]
    assert lefts["process product-events"] < lefts["process notifications (attempt 2)"]
    assert len(page.all(".bar.bad")) == 2


def test_a_span_opens_and_leads_to_what_is_linked_with_it(page):
    page.open(f"trace/{TRACE}")
    page.all("button.line")[1].click()

    assert DROP in page.one(".detail:not([hidden])").text
    link = page.one(".detail:not([hidden]) a")
    assert link.text == "publish mesh-events"
    link.click()
    page.until(lambda: READY in page.driver.current_url and page.all(".span"))
    page.until(lambda: page.texts(".title code") == [READY])
    page.all("button.line")[0].click()
    assert len(page.all(f'.detail a[href="#/trace/{TRACE}"]')) == 2


def test_a_drop_is_found_by_its_id(page):
    page.one("#words").send_keys(DROP)

    page.until(lambda: len(page.all(".traces a.row")) == 1)
    assert "navaids" in page.one(".traces a.row").text
    page.one("#words").send_keys("x")
    page.until(lambda: page.all(".empty"))
    assert "No trace holds" in page.one(".empty").text


def test_the_keys_go_everywhere(page):
    def view():
        return page.one("main").get_attribute("data-ready")

    for key, expected in (("2", "metrics"), ("3", "logs"), ("4", "queries"), ("1", "traces")):
        page.press(key)
        page.until(lambda expected=expected: view() == expected)
    page.press("j")
    page.until(lambda: page.driver.switch_to.active_element.get_attribute("class") == "row")
    page.press(Keys.ENTER)
    page.until(lambda: view() == "trace")
    page.press("j")
    page.press(Keys.ENTER)
    assert page.all(".detail:not([hidden])")
    page.press("/")
    assert page.driver.switch_to.active_element.get_attribute("id") == "words"
    page.press(Keys.ESCAPE)
    page.press(Keys.ESCAPE)
    page.until(lambda: view() == "traces")


def test_metrics_are_charts_with_their_sums(page):
    page.open("metrics")

    told = {chart.text.splitlines()[0]: chart.text for chart in page.all(".chart")}
    assert "13 in all" in told["mesh.drops"]
    assert page.all(".chart svg .column")
    assert page.all(".chart svg .curve")


def test_logs_are_chosen_by_severity(page):
    page.open("logs")
    assert len(page.all(".logs .row")) == 2

    page.one('option[value="13"]').click()
    page.until(lambda: len(page.all(".logs .row")) == 1)
    assert "attempt 1 at flight-planning: retry" in page.one(".logs .row").text
    page.one(".logs .row a").click()
    page.until(lambda: page.all(".span"))


def test_a_query_of_the_workbook_is_answered_here(page):
    page.open("queries/workbook%2Fdelivery-hops")
    field = page.one('input[name="Drop"]')
    field.send_keys(DROP)
    field.send_keys(Keys.ENTER)

    page.until(lambda: len(page.all(".answer tbody tr")) == 9)
    text = page.one("textarea")
    text.clear()
    text.send_keys("AppRequests | where Nme == 1")
    page.one(".query button").click()
    page.until(lambda: page.all(".problem"))
    assert "there is no column 'Nme'" in page.one(".problem").text
    assert all("/api/kql" in complaint for complaint in page.errors())  # it was refused


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["traces", f"trace/{TRACE}", "metrics", "logs", "queries"])
def test_nothing_is_cut_off_on_a_narrow_screen(page, place, scheme):
    page.emulate(width=360, height=740, scheme=scheme, mobile=True)
    page.open(place)

    width = page.driver.execute_script("return document.documentElement.scrollWidth")
    assert width <= 360
    ground = page.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(247, 248, 250)", "dark": "rgb(16, 21, 28)"}[scheme]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(page, scheme):
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5 for text."""
    page.emulate(width=1280, height=800, scheme=scheme)
    page.open(f"trace/{TRACE}")
    script = """
    const style = getComputedStyle(document.documentElement);
    return ["ink", "muted", "accent", "bad", "warn", "surface", "ground", "hover"]
        .map((name) => [name, style.getPropertyValue("--" + name).trim()]);
    """
    colours = dict(page.driver.execute_script(script))

    for name in ("ink", "muted", "accent", "bad", "warn"):
        for under in ("surface", "ground", "hover"):
            assert contrast(colours[name], colours[under]) >= 4.5, (name, under)


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
