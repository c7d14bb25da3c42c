"""The site in a real browser, from disk: found, filtered, linked, compared, by mouse, keys and thumb."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stores import about, add, tiny

from kinetoscope.gallery.build import build
from kinetoscope.gallery.serve import server

KINDS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Programs that will do; the first takes half the time of the others, which draw a window for nobody."""
CHROMIUM = next(filter(None, map(shutil.which, KINDS)), None)
play = pytest.importorskip("playwright.sync_api", reason="the browser's tests want playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="the browser's tests want chromium")

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with play.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`a` compared with `b`; `hostile`; and `many` units of numbers only."""
    root = tmp_path_factory.mktemp("sites")
    other = tiny(root / "b", weights="later.pt")
    shutil.rmtree(other / "conv1" / "2")
    add(other, "conv1", 2, label="down", direction=270.0, speed=0.9, need=0.9)
    build(tiny(root / "a"), other, told=lambda words: None)
    hostile(root / "hostile")
    about(root / "many", {"body": 600})
    for unit in range(600):
        add(root / "many", "body", unit, tile=False, label="up", direction=90.0, need=unit / 600)
    build(root / "many", told=lambda words: None)
    return root


MARKUP = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>&amp;"
LAYERS = (MARKUP, "../../../etc/passwd", "__proto__", "javascript:alert(1)")
NAMES = (MARKUP, "=HYPERLINK(1)", "W" * 5000, "'\"`${window.hacked=1}", "\u202e\u0000 \ud800", "</title><b>")


def hostile(root: Path) -> None:
    """An atlas whose every name is an attack."""
    about(root, {name: len(NAMES) for name in LAYERS}, model=MARKUP, weights="W" * 3000)
    for layer in LAYERS:
        for unit, name in enumerate(NAMES):
            add(root, layer, unit, name=name, label=MARKUP if unit == 0 else "up", direction=90.0)
    build(root, told=lambda words: None)


@pytest.fixture
def opened(browser: Any, sites: Path) -> Iterator[Open]:
    """Opens a page of a site; at the end nothing may have gone wrong, and nothing gone out."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def call(site: str = "a", address: str = "", *, width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: wrong.append(f"error {error}"))
        page.on(
            "console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
        page.on(
            "request",
            lambda asked: (
                wrong.append(asked.url) if asked.url[:5] not in ("file:", "data:", "blob:") else None
            ),
        )
        page.goto(f"{(sites / site / 'gallery.html').as_uri()}{address}")
        page.wait_for_selector("main :is(.count, h1)")
        return page

    yield call
    for context in contexts:
        context.close()
    assert wrong == []


def until(page: Any, script: str) -> None:
    """Wait for it by asking again: the page's policy lets nothing in that would tell."""
    for _ in range(600):
        if page.evaluate(script):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"never: {script}")


def names(page: Any) -> list[str]:
    """Of the tiles shown, in order."""
    page.wait_for_timeout(150)
    links = page.eval_on_selector_all(
        ".cell",
        """cells => cells.sort((a, b) => a.dataset.at - b.dataset.at)
            .map((cell) => cell.firstChild.getAttribute("aria-label"))""",
    )
    return [str(link).split(",")[0] for link in links]


def test_units_are_searched_and_the_address_says_so(opened: Open) -> None:
    page = opened()
    assert len(names(page)) == 12
    assert (
        page.locator(".cell img").first.evaluate("one => one.decode().then(() => one.naturalWidth)") == 24 * 6
    )
    page.fill("#search", "up-")
    assert names(page) == ["conv1:1", "conv1:3"]
    page.fill("#search", "zebra")
    assert names(page) == ["fc:2"]
    until(page, "location.hash.includes('q=zebra')")
    page.reload()
    assert names(page) == ["fc:2"]
    page.fill("#search", "nothing like it")
    assert names(page) == []
    assert "No unit is like that" in page.inner_text(".empty")
    page.click(".empty button")
    assert len(names(page)) == 12


def test_the_wheel_words_layers_and_sliders_filter(opened: Open) -> None:
    page = opened()
    page.click(".wheel [data-sector='4']")
    assert names(page) == ["conv1:2"]
    assert page.get_attribute(".wheel [data-sector='4']", "aria-checked") == "true"
    page.click(".wheel [data-sector='8']")
    assert names(page) == ["conv1:2", "conv1:4"]
    page.click("text=Lift all filters")
    page.click(".chip:has-text('still')")
    assert names(page) == ["fc:0", "fc:1", "fc:2"]
    page.click("text=Lift all filters")
    page.click(".layers label:has-text('fc')")
    assert len(names(page)) == 4
    page.click("text=Lift all filters")
    page.evaluate("""() => {
      const low = document.querySelector("input[data-key='low indices_motion_dependence']");
      low.value = 800;
      low.dispatchEvent(new Event("input", { bubbles: true }));
      low.dispatchEvent(new Event("change", { bubbles: true }));
    }""")
    assert names(page) == ["conv1:6", "conv1:7"]
    assert page.inner_text(".count b") == "2"


def test_units_are_sorted_by_any_number(opened: Open) -> None:
    page = opened()
    page.select_option("#sort", "indices_motion_dependence")
    assert names(page)[:3] == ["conv1:7", "conv1:6", "conv1:5"]
    page.click("[aria-label^='Largest first']")
    assert names(page)[0] == "conv1:0"
    page.focus("#sort")
    until(page, "document.querySelectorAll('#sort option').length > 17")
    page.goto(
        page.url.split("#")[0] + "#/units?sort=activation_static_only&n.indices_motion_dependence=0.5~1"
    )
    assert len(names(page)) == 4


def test_a_unit_has_its_numbers_and_neighbours_and_a_link_that_lasts(opened: Open) -> None:
    page = opened()
    page.click(".tile[aria-label^='conv1:2,']")
    page.wait_for_selector(".cards")
    assert page.url.endswith("#/unit/conv1/2")
    said = page.inner_text("article")
    for words in (
        "90° ↑ up",
        "0.40 px/frame",
        "motion dependence",
        "0.29",
        "still texture",
        "1.2",
        "seed 1",
        "coherent motion",
    ):
        assert words in said
    page.click("summary:has-text('Everything else')")
    assert "channel-relu" in page.inner_text(".tree")
    assert page.locator(".near section").nth(1).locator(".tile").count() == 8
    page.reload()
    page.wait_for_selector(".cards")
    assert page.inner_text("h1").startswith("Unit 2")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("h1:has-text('Unit 3')")
    page.goto(page.url.split("#")[0] + "#/unit/conv1/99")
    assert "No such unit" in page.inner_text("main")


def test_a_layer_is_drawn(opened: Open) -> None:
    page = opened(address="#/layer/conv1")
    page.wait_for_selector(".sheet img")
    assert "median speed 0.55 px/frame; median motion dependence 0.50" in page.inner_text("main")
    assert page.locator(".wheel .petal").count() == 8
    assert page.locator(".bars").count() >= 5
    assert page.locator(".sheet img").evaluate("one => one.decode().then(() => one.naturalWidth)") > 0
    page.focus(".sheet")
    page.keyboard.press("ArrowRight")
    first = page.get_attribute(".sheet", "href")
    page.keyboard.press("Enter")
    page.wait_for_selector(".unit")
    assert page.url.endswith(str(first))
    page.goto(page.url.split("#")[0] + "#/layers")
    page.wait_for_selector(".depth")
    assert page.locator(".card").count() == 2


def test_keys_do_everything(opened: Open) -> None:
    page = opened()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("conv1")
    page.keyboard.press("ArrowDown")
    active = "document.activeElement.getAttribute('aria-label').split(',')[0]"
    assert page.evaluate(active) == "conv1:0"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(active) == "conv1:2"
    page.keyboard.press("c")
    assert "picked" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("Home")
    assert page.evaluate(active) == "conv1:0"
    page.keyboard.press("c")
    assert "2 units picked" in page.inner_text("#tray")
    page.keyboard.press("Enter")
    page.wait_for_selector(".unit")
    page.keyboard.press("Escape")
    page.wait_for_selector(".count")
    assert page.input_value("#search") == "conv1"
    page.click("text=Side by side")
    page.wait_for_selector(".sides")
    assert page.locator(".side").count() == 2
    page.keyboard.press("?")
    assert "Keys and conventions" in page.inner_text("dialog")
    page.keyboard.press("Escape")


def test_two_networks_stand_side_by_side(opened: Open) -> None:
    page = opened(address="#/compare")
    assert "11 of 12 keep their motion word" in page.inner_text(".networks")
    first = page.inner_text(".pair >> nth=0")
    assert "180°" in first
    assert "+0.50 px/frame" in first
    page.click("[aria-label='up became down: 1 unit']")
    until(page, "document.querySelectorAll('.pair').length === 1")
    assert (
        page.locator(".pair img").nth(1).evaluate("one => one.decode().then(() => one.naturalWidth)")
        == 24 * 6
    )
    page.click(".pair a.tile")
    page.wait_for_selector(".unit .changes")
    assert "same layer and number" in page.inner_text(".unit")


def test_what_is_shown_is_saved_as_a_table(opened: Open) -> None:
    page = opened(address="#/units?q=fc&sort=-unit")
    with page.expect_download() as saved:
        page.click("text=CSV")
    lines = Path(saved.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("layer,unit,unit_name,label,motion_speed_px_per_frame")
    assert "activation_static_only" in lines[0]
    assert lines[1].startswith("fc,3,dead one,dead,,")
    assert len(lines) == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(opened: Open, scheme: str) -> None:
    page = opened(color_scheme=scheme)
    paper = "getComputedStyle(document.body).backgroundColor"
    dark, light = "rgb(19, 20, 23)", "rgb(246, 247, 249)"
    assert page.evaluate(paper) == (dark if scheme == "dark" else light)
    page.click("#theme")
    assert page.evaluate(paper) == light
    page.click("#theme")
    assert page.evaluate(paper) == dark


@pytest.mark.parametrize(("site", "layer"), [("a", "conv1"), ("hostile", "__proto__")])
def test_nothing_is_wider_than_a_phone(opened: Open, site: str, layer: str) -> None:
    page = opened(site, width=360, is_mobile=True, has_touch=True)
    page.click("summary:has-text('Filters')")
    assert page.is_visible(".wheel")
    views = ("unit/{}/2", "layer/{}", "layers", "compare?picked={}:1,{}:2", "units")
    for view in views:
        page.goto(f"{page.url.split('#')[0]}#/{view.replace('{}', layer)}")
        page.wait_for_selector("main :is(.count, h1)")
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, view


def test_hostile_names_are_only_names(opened: Open) -> None:
    page = opened("hostile")
    assert len(names(page)) == len(LAYERS) * len(NAMES)
    page.fill("#search", "onerror")
    assert len(names(page)) > 0
    for layer in ("..%252F..%252F..%252Fetc%252Fpasswd", "__proto__"):
        for view in (
            f"#/layer/{layer.replace('..%252F', '%252E.%252F', 1)}",
            f"#/unit/{layer.replace('..%252F', '%252E.%252F', 1)}/0",
        ):
            page.goto(page.url.split("#")[0] + view)
            page.wait_for_selector("article h1")
            page.wait_for_timeout(300)
    for address in (
        "#/unit/%E0%A4%A/1",
        "#/layer/<img src=x onerror=window.hacked=1>",
        "#/units?layer=%&n.x=1~2&wheel=99&sort=-nope",
    ):
        page.goto(page.url.split("#")[0] + address)
        page.wait_for_timeout(200)
    assert page.evaluate("window.hacked === undefined")
    assert page.locator("main img[src='x'], main script, main b img").count() == 0
    page.goto(page.url.split("#")[0] + "#/units")
    with page.expect_download() as saved:
        page.click("text=CSV")
    assert "\n" + "=HYPERLINK" not in Path(saved.value.path()).read_text(encoding="utf-8")
    assert ",'=HYPERLINK(1)," in Path(saved.value.path()).read_text(encoding="utf-8")


def test_only_what_is_near_the_window_exists(opened: Open) -> None:
    page = opened("many")
    assert page.inner_text(".count b") == "600"
    assert 8 < page.locator(".cell").count() < 120
    assert "no picture kept" in page.inner_text(".cell >> nth=0")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.wait_for_selector(".cell[aria-posinset='600']")
    assert page.locator(".cell").count() < 120
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("body:599")
    assert page.get_attribute(".cell >> nth=0", "aria-setsize") == "600"
    page.fill("#search", "body:1")
    until(page, "document.getElementById('live').textContent === '111 of 600 units'")


def test_served_it_is_the_same(browser: Any, sites: Path) -> None:
    asked: list[str] = []
    with server(sites / "a") as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        page = browser.new_page()
        page.on("request", lambda one: asked.append(one.url))
        page.goto(f"http://127.0.0.1:{running.server_port}/#/unit/conv1/2")
        page.wait_for_selector(".cards")
        assert page.inner_text("h1").startswith("Unit 2")
        page.close()
        running.shutdown()
        thread.join()
    assert all(url.startswith((f"http://127.0.0.1:{running.server_port}/", "data:")) for url in asked)
