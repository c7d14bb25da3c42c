"""The verb `gallery`: a site beside the records, and one line for whatever is wrong."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "gallery"))
from stores import tiny


def test_a_site_is_made_and_its_page_named(run, tmp_path: Path) -> None:
    done = run("gallery", tiny(tmp_path / "a"))
    assert (done.status, done.out) == (0, f"{tmp_path}/a/gallery.html\n")
    assert "12 units" in done.err
    assert run("gallery", tmp_path / "a", "--quiet").err == ""


def test_another_atlas_stands_beside_it(run, tmp_path: Path) -> None:
    mine, other = tiny(tmp_path / "a"), tiny(tmp_path / "b")
    done = run("gallery", mine, "--compare", other)
    assert done.status == 0
    assert '"by":"index"' in (mine / "gallery" / "other.js").read_text()
    done = run("gallery", mine, "--compare", other, "--by", "response")
    assert done.status == 1
    assert "tiny" in done.err, "a network that cannot be loaded is named"


def test_damage_is_named(run, tmp_path: Path) -> None:
    (tiny(tmp_path) / "fc" / "0" / "unit.json").write_text("{}")
    done = run("gallery", tmp_path)
    assert done.status == 0
    assert "left out: fc/0" in done.err


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--by", "index"), 2, "it cannot be used without --compare"),
        (("--port", "8000"), 2, "it cannot be used without --serve"),
        (("--port", "0", "--serve"), 2, "--port"),
        (("--compare", "."), 1, "is no atlas"),
    ],
)
def test_what_is_asked_wrongly_is_said(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("gallery", tiny(tmp_path / "a"), *words)
    assert done.status == status
    assert told in done.err.replace("\n", " ")
    assert run("gallery", tmp_path / "none").status == 1
