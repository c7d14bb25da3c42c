"""What a notebook shows is small, self-contained and escaped; the figure and the page show the same."""

import base64
import io
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image as PillowImage

import kinetoscope as ks
from kinetoscope.errors import SettingInvalid
from kinetoscope.render import notebook
from kinetoscope.render.notebook import LIMIT, MOST_TILES, sheet_html, unit_html
from kinetoscope.results import Results, UnitResult

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

Factory = Callable[..., UnitResult]
EVIL = '<script>alert("1")</script>&<img src=x onerror=alert(2)>'


class Reader(HTMLParser):
    """Collects tags, attributes that load something, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.alts: list[str] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("img", "meta"):
            self.open.append(tag)
        values = dict(attrs)
        self.links += [value for key in ("src", "href", "srcset", "data") if (value := values.get(key))]
        self.handlers += [key for key in values if key.startswith("on")]
        if tag == "img":
            self.alts.append(values.get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def pictures_in(html: str) -> list[PillowImage.Image]:
    found = re.findall(r"data:image/(\w+);base64,([\w+/=]+)", html)
    return [PillowImage.open(io.BytesIO(base64.b64decode(data))) for _, data in found]


def noisy(result: UnitResult, frames: int, height: int, width: int) -> UnitResult:
    """The same with a clip that no encoder can make small."""
    video = torch.rand(frames, 3, height, width, generator=torch.Generator().manual_seed(0))
    flow = torch.randn(frames - 1, 2, height, width, generator=torch.Generator().manual_seed(1))
    parts = replace(
        result.decomposition,
        static_image=video[0],
        textures=video[:1],
        displacement=torch.zeros(frames, 2, height, width),
        velocity=flow,
        coherent_velocity=flow,
        reconstruction=video,
        light_gain=torch.ones(frames, 1, height, width),
        light_offset=torch.zeros_like(video),
        covered=flow[:, :1] > 9,
        entered=flow[:, :1] > 9,
    )
    assert result.optimal is not None
    return replace(result, video=video, decomposition=parts, optimal=replace(result.optimal, video=video))


def test_a_cell_shows_texture_motion_wheel_films_and_responses(result_factory: Factory) -> None:
    html = result_factory(frames=6, height=24, width=32, jitter=0.2)._repr_html_()
    page = Reader(html)
    assert page.open == []
    assert page.tags.count("img") == 5
    assert page.alts[0] == "optimal input: up-right"
    optimal, texture, motion, rebuilt, wheel = pictures_in(html)
    frames = [getattr(picture, "n_frames", 1) for picture in (optimal, texture, motion, rebuilt)]
    assert frames == [6, 1, 5, 6]
    assert {picture.size for picture in (optimal, texture, motion, rebuilt)} == {(32, 24)}
    assert wheel.size == (190, 190)
    for words in (
        "up-right",
        "conv2.0 · unit 7",
        "motion13",
        "played backwards",
        "coherent motion 71 %",
        "31.2 dB",
    ):
        assert words in page.words
    assert page.tags.count("table") == 3


@pytest.mark.parametrize("size", [(5, 24, 32), (16, 112, 112), (48, 180, 224)])
def test_a_cell_is_never_too_large(result_factory: Factory, size: tuple[int, int, int]) -> None:
    result = noisy(result_factory(unit_name="x" * 10**6, layer="y" * 10**6, model="z" * 10**6), *size)
    html = unit_html(result)
    assert len(html.encode()) <= LIMIT
    assert all(min(picture.size) >= 24 for picture in pictures_in(html))


@pytest.mark.parametrize("count", [1, 13, MOST_TILES, MOST_TILES + 20])
def test_a_sheet_is_never_too_large(result_factory: Factory, count: int) -> None:
    big = [noisy(result_factory(unit=unit, unit_name="&" * 999), 6, 40, 56) for unit in (1, 2)]
    html = sheet_html((big * count)[:count])
    assert len(html.encode()) <= LIMIT
    page = Reader(html)
    assert page.tags.count("img") == 3 * min(count, MOST_TILES) + 1
    assert (f"the first {MOST_TILES} of them" in page.words) == (count > MOST_TILES)


def test_nothing_is_loaded_and_nothing_runs(result_factory: Factory) -> None:
    result = result_factory()
    for html in (unit_html(result), sheet_html([result, result]), sheet_html([])):
        page = Reader(html)
        assert all(link.startswith("data:image/") for link in page.links)
        assert not {"script", "link", "iframe", "object"} & set(page.tags)
        assert not re.search(r"https?:|@import|url\(|file:", html)


def test_every_name_is_escaped(result_factory: Factory) -> None:
    evil = dict.fromkeys(("model", "layer", "unit_name", "objective"), EVIL)
    result = result_factory(**evil)
    given = replace(result, optimal=None, record={"video": EVIL})
    for html in (unit_html(result), sheet_html([result]), unit_html(given), sheet_html([given])):
        page = Reader(html)
        assert "script" not in page.tags
        assert page.handlers == []
        assert "<script" not in html
        assert '<script>alert("1")' in page.words


def test_units_without_findings_and_given_videos_have_cells(dead_factory: Factory) -> None:
    assert "dead: no clip changes the response" in Reader(unit_html(dead_factory())).words
    x = torch.arange(20.0) - 0.5 * torch.arange(6.0)[:, None]
    video = (0.5 + 0.4 * (x[:, None, None] / 3).sin() * torch.arange(12.0)[:, None].div(4).cos()).contiguous()
    html = ks.decompose(video)._repr_html_()
    assert html is not None
    page = Reader(html)
    assert page.alts[0].startswith("video: ")
    assert "The unit's response" not in page.words


def test_an_empty_list_says_so() -> None:
    assert "nothing in this list" in Reader(Results()._repr_html_()).words
    with pytest.raises(SettingInvalid, match="nothing to draw"):
        Results().plot()


def test_plots_are_figures(result_factory: Factory) -> None:
    result = result_factory()
    assert isinstance(result.plot(), Figure)
    figure = Results([result_factory(unit=unit, unit_name="$x^{" * 9) for unit in range(6)]).plot()
    figure.savefig(io.BytesIO())
    words = [text.get_text() for text in figure.texts]
    assert words[0] == "motion13 / conv2.0"
    assert sum(w.startswith("response 4.2   kept 0.93") for w in words) == 6
    assert len(figure.axes) == 7  # a strip for each, and the wheel


def test_show_opens_a_page_that_holds_everything(
    result_factory: Factory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(notebook.webbrowser, "open", opened.append)
    monkeypatch.setattr(notebook.tempfile, "tempdir", str(tmp_path))
    for shown in (result_factory(), Results([result_factory()])):
        page = shown.show()
        assert page is not None
        assert opened.pop() == page.as_uri()
        reader = Reader(page.read_text(encoding="utf-8"))
        assert reader.open == []
        assert all(link.startswith("data:") for link in reader.links)


def test_show_in_a_notebook_shows_in_the_cell(
    result_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    display = SimpleNamespace(HTML=lambda html: html, display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    assert result_factory().show() is None
    assert "optimal input" in shown[0]
