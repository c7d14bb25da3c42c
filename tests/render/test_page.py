"""The page is rebuilt from the folder, opens from disk, and escapes everything."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from kinetoscope.errors import OutputUnwritable
from kinetoscope.files import UNIT_FILE
from kinetoscope.render.files import save_unit
from kinetoscope.render.page import write_index
from kinetoscope.results import UnitResult

pytestmark = pytest.mark.usefixtures("quick_motion", "blank_summaries")  # of optima

Factory = Callable[..., UnitResult]


class Reader(HTMLParser):
    """Collects tags, links and text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.alts: list[str] = []
        self.words = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.links += [value for key in ("src", "href") if (value := values.get(key))]
        if tag == "img":
            self.alts.append(values.get("alt") or "")

    def handle_data(self, data: str) -> None:
        self.words += data


def test_every_link_leads_to_a_file_of_the_run(tmp_path: Path, result_factory: Factory) -> None:
    for unit, layer in ((0, "conv 1/a%b"), (1, "conv 1/a%b"), (0, "fc")):
        save_unit(result_factory(layer=layer, unit=unit, unit_name=""), tmp_path)
    page = Reader(write_index(tmp_path, title="Run", scale=2.0))
    local = [link for link in page.links if not link.startswith("data:image/png;base64,")]
    assert len(local) == 3 * (4 + 4 + 3)
    for link in local:
        assert not link.startswith(("http", "/", "file"))
        assert (tmp_path / unquote(link)).is_file()
    assert "script" not in page.tags
    assert "http" not in page.source
    assert all(page.alts)
    assert page.tags.count("article") == 3


def test_text_of_others_is_escaped(tmp_path: Path, result_factory: Factory) -> None:
    evil = '<script>alert("1")</script>'
    save_unit(result_factory(layer=evil, unit_name=evil, model=evil, objective=evil), tmp_path)
    page = Reader(write_index(tmp_path, title=evil, notes=[evil]))
    assert "script" not in page.tags
    assert page.words.count(evil) >= 5


def test_cards_come_in_the_order_asked_with_their_numbers(tmp_path: Path, result_factory: Factory) -> None:
    for unit in (2, 10, 1):
        save_unit(result_factory(layer="fc", unit=unit, unit_name=f"class {unit}"), tmp_path)
    asked = [("fc", 10), ("fc", 1), ("fc", 5)]
    words = Reader(write_index(tmp_path, title="Run", units=asked, notes=["A note."], scale=1.5)).words
    assert words.index("class 10") < words.index("class 1 ") < words.index("class 2 ")
    for expected in (
        "2 of 3 units are finished",
        "A note.",
        "34° ↗ up-right",
        "31.2 dB",
        "coherent motion 71 %",
        "\N{MINUS SIGN}0.6",
        "torch 2.13.0",
        "motion dependence",
        "2 of 3 seeds",
        "channel-relu",
        "1.5 px/frame",
    ):
        assert expected in words


def test_an_empty_run_says_so(tmp_path: Path) -> None:
    words = Reader(write_index(tmp_path / "new", title="Run", units=[("fc", 0), ("fc", 1)])).words
    assert "No unit is finished yet (0 of 2)" in words


def test_a_damaged_record_is_named_and_the_rest_shown(tmp_path: Path, result_factory: Factory) -> None:
    for unit in (0, 1):
        save_unit(result_factory(layer="fc", unit=unit, unit_name=f"class {unit}"), tmp_path)
    (tmp_path / "fc" / "0" / UNIT_FILE).write_text("{")
    (tmp_path / "fc" / "1" / "static.png").unlink()
    page = Reader(write_index(tmp_path, title="Run"))
    assert "cannot be read" in page.words
    assert page.tags.count("article") == 1


def test_dead_units_have_a_card(tmp_path: Path, dead_factory: Factory) -> None:
    save_unit(dead_factory(), tmp_path)
    words = Reader(write_index(tmp_path, title="Run")).words
    assert "the clip does not change" in words
    assert "dead: no clip changes the response" in words
    assert "120°" not in words


def test_a_page_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputUnwritable, match="not a folder"):
        write_index(tmp_path / "file", title="Run")
