"""The site as a reader uses it: filters, folding, links and colours, in headless Chromium."""

import importlib.util
import shutil
from dataclasses import replace
from importlib import resources

import pytest

from conformance.graph.model import Where
from conformance.reports import site
from conformance.reports.results import results
from tests.selftest.tiny import PROFILE, REFERENCE, record, run, thorough
from tests.test_site import STRANGER, chain, ported

pytestmark = pytest.mark.bare

#: As many nodes as the deepest published network has.
BLOCKS = 700

SWITCHES = (
    "headless no-sandbox disable-gpu no-first-run disable-background-networking"
    " disable-component-update disable-sync"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser of its own profile; skips where none is installed."""
    for package in ("selenium", "axe_core_python"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install '.[site]'")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if not found or not driver:
        pytest.skip("no Chromium with its driver here: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = found
    for switch in SWITCHES.split():
        options.add_argument(f"--{switch}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    chrome = webdriver.Chrome(options=options, service=service)
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A site of one deep and one small network that differ between two runs, and a port's page."""
    room = tmp_path_factory.mktemp("site")
    (room / "reference/profiles").mkdir(parents=True)
    (room / "reference/tiny.md").write_text(REFERENCE)
    (room / "reference/profiles/tiny.md").write_text(PROFILE)
    deep = chain(BLOCKS)
    deep.nodes[8] = replace(deep.nodes[8], where=Where(STRANGER))
    first = run("one", thorough(), record("Tiny-B", deep), selftest=True)
    second = run("two", record(error=1e-9), record("Tiny-B", chain(BLOCKS)))
    runs = [first, second]
    site.write(results(runs, room / "reference"), runs, room / "pages", room / "reference")
    site.port_page(ported(replaced()), room / "pages/port.html")
    return room / "pages"


def replaced():
    """The tiny network as a port with another kernel, at an address with markup in it."""
    found = record().graph
    attributes = found.nodes[1].attributes | {"kernel": (9, 9)}
    found.nodes[1] = replace(found.nodes[1], attributes=attributes, where=Where(STRANGER))
    return found


@pytest.fixture
def look(browser, pages):
    """Opens a page at a width, in a colour scheme; afterwards nothing may have complained."""

    def opened(path, width=1280, scheme="light"):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.get("about:blank")
        browser.get((pages / path.split("#")[0]).as_uri() + path[len(path.split("#")[0]) :])
        return browser

    yield opened
    assert [entry["message"] for entry in browser.get_log("browser")] == []


KINDS = (
    "index.html",
    "ledger.html",
    "networks/Tiny-A.html",
    "port.html",
    "selftest.html",
    "variants.html",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", KINDS)
def test_everybody_can_read_it(path, scheme, look):
    """Contrast, headings, names of controls and the rest of what axe looks for are in order."""
    page = look(path, scheme=scheme)
    axe = resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.execute_script("window.module = undefined;" + axe)
    found = page.execute_async_script("axe.run().then(arguments[0])")
    assert found["passes"]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found["violations"]] == []


@pytest.mark.parametrize("path", [*KINDS, "networks/Tiny-B.html"])
def test_it_fits_a_phone(path, look):
    """Nothing sticks out at 390 pixels; what is wider scrolls inside its frame."""
    page = look(path, width=390)
    assert page.execute_script("return document.documentElement.scrollWidth") <= 390


def test_the_script_of_a_name_does_not_run(look):
    """A name that is a script is text, and an element that it names is none."""
    page = look("port.html")
    assert "alert(1)" in page.find_element("tag name", "h1").text
    assert not page.find_elements("css selector", "img, h1 script")


def test_lines_are_filtered_and_sorted(look):
    """Words, a choice and a column's head leave and order the lines that they should."""
    from selenium.webdriver.support.ui import Select

    page = look("networks/Tiny-A.html")
    shown = "return [...document.querySelectorAll('#table tbody tr:not([hidden])')].map(r => r.id)"
    assert page.execute_script(shown) == ["n0", "n1", "n2", "n3", "n4"]
    page.find_element("css selector", "[data-filter=table] [type=search]").send_keys("fc")
    assert page.execute_script(shown) == ["n3", "n4"]
    Select(
        page.find_element("css selector", "[data-filter=table] [name=kind]")
    ).select_by_visible_text("dense")
    assert page.execute_script(shown) == ["n4"]
    page = look("networks/Tiny-A.html")
    page.find_elements("css selector", "#table th button")[4].click()
    assert page.execute_script(shown)[-1] == "n4"
    page.find_elements("css selector", "#table th button")[4].click()
    assert page.execute_script(shown)[0] == "n4"


def test_a_link_opens_what_is_folded(look):
    """A link to a node of a folded row, or to the line of a repeated block, shows it."""
    page = look("networks/Tiny-B.html#g2")
    assert page.find_element("id", "g2").is_displayed()
    page = look("networks/Tiny-B.html#n4000")
    assert page.find_element("id", "n4000").is_displayed()


def test_a_reader_chooses_the_colours(look):
    """The button turns light into dark, and the choice lasts to the next page."""
    page = look("index.html")
    colour = "return getComputedStyle(document.body).backgroundColor"
    light = page.execute_script(colour)
    page.find_element("id", "theme").click()
    dark = page.execute_script(colour)
    assert dark != light
    assert look("ledger.html").execute_script(colour) == dark
    page.execute_script("localStorage.clear()")


#: The best of so many tries is what the page costs; the others waited for the machine.
TRIES = 5


def test_the_deepest_network_opens_and_filters_in_a_second(look):
    """The page of a network with 4,200 nodes is there, and filtered, in less than a second."""
    opened, filtered = [], []
    for _ in range(TRIES):
        page = look("networks/Tiny-B.html")
        opened.append(
            page.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd")
        )
        filtered.append(
            page.execute_script(
                "const tools = document.querySelector('[data-filter=table]');"
                "tools.querySelector('[name=folded]').checked = true;"
                "tools.querySelector('[type=search]').value = 'conv';"
                "const start = performance.now();"
                "tools.dispatchEvent(new Event('input')); document.body.offsetHeight;"
                "return performance.now() - start"
            )
        )
    assert 0 < min(opened) < 1000, opened
    assert 0 < min(filtered) < 1000, filtered
