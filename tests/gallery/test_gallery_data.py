"""What the site is made of: the atlas's own numbers, every one, in columns that a browser reads."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stores import about, add, strip, tiny

from kinetoscope.atlas.store import save_record, write_atlas
from kinetoscope.errors import SettingInvalid
from kinetoscope.gallery.build import build
from kinetoscope.gallery.columns import read_table, script
from kinetoscope.gallery.describe import LENGTH, describe_all, descriptor
from kinetoscope.gallery.nearest import NONE, laid_out, nearest
from kinetoscope.gallery.pairs import best, by_index, same_architecture
from kinetoscope.gallery.read import open_atlas
from kinetoscope.results import UnitResult


def quietly(words: str) -> None:
    """Nobody is told."""


def said(path: Path) -> Any:
    """What a script hands to the page."""
    text = path.read_text(encoding="ascii").strip()
    body = text.partition("=")[2] if text.startswith("window.") else text.partition("(")[2].removesuffix(");")
    return json.loads(body.removesuffix(";"))


def numbers(text: str, kind: str = "<f4") -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def test_an_atlas_is_read_as_it_is_written(result_factory: Callable[..., UnitResult], tmp_path: Path) -> None:
    result = result_factory(layer="conv2.0", unit=7)
    save_record(result, tmp_path, keep="films", scale=2.0, batch=(7,))
    write_atlas(tmp_path, {"model": "motion13", "layers": {"conv2.0": {"units": 9, "asked": [7]}}})
    source = open_atlas(tmp_path)
    (found,) = source.units()
    assert source.problems == []
    assert (found.layer, found.unit, found.record["motion"]["label"]) == ("conv2.0", 7, "up-right")
    assert read_table(source).layouts == [(5, 72, 96)]
    build(tmp_path, told=quietly)
    data = said(tmp_path / "gallery" / "data.js")
    assert numbers(data["columns"]["motion_speed_px_per_frame"])[0] == pytest.approx(0.9014, abs=1e-4)
    assert numbers(data["columns"]["confidence_steadiness"])[0] == pytest.approx(0.66)
    near = said(tmp_path / "gallery" / "near.js")
    assert numbers(near["maps"][0]["cells"], "<i4").tolist() == [0]


def test_columns_hold_every_number(tmp_path: Path) -> None:
    build(tiny(tmp_path), told=quietly)
    data = said(tmp_path / "gallery" / "data.js")
    assert [(layer["name"], layer["start"], layer["count"]) for layer in data["layers"]] == [
        ("conv1", 0, 8),
        ("fc", 8, 4),
    ]
    assert numbers(data["unit"], "<u4").tolist() == [*range(8), *range(4)]
    assert data["names"] == {"8": "cat", "9": "dog", "10": "zebra", "11": "dead one"}
    assert numbers(data["columns"]["indices_motion_dependence"])[:8] == pytest.approx(np.arange(8) / 7)
    direction = numbers(data["columns"]["motion_direction_deg"])
    assert direction[:8].tolist() == [45.0 * unit for unit in range(8)]
    assert np.isnan(direction[8:]).all(), "what stands still goes nowhere"
    assert np.isnan(numbers(data["columns"]["motion_speed_px_per_frame"])[11]), (
        "a dead unit's motion is noise"
    )
    text = (tmp_path / "gallery" / "units" / "0.js").read_text()
    whole = json.loads("[" + text.removeprefix("K.chunk(").strip().removesuffix(");") + "]")
    assert whole[0] == 0
    assert [one["unit"] for one in whole[1]] == [*range(8), *range(4)]
    assert "settings" not in whole[1][0], "those of the atlas are kept once"
    assert data["settings"] == {"preset": "default", "size": [4, 24, 24]}


def test_numbers_that_differ_are_all_offered(tmp_path: Path) -> None:
    tiny(tmp_path)
    tuned = {"units": [{"unit": 2, "dsi": 0.5, "groups": {"osi": 0.25}}, {"unit": 3, "dsi": 0.75}]}
    (tmp_path / "conv1" / "tuning.json").write_text(json.dumps(tuned))
    build(tmp_path, told=quietly)
    rest = said(tmp_path / "gallery" / "rest.js")
    assert "tuning_dsi" in rest["columns"]
    assert numbers(rest["columns"]["tuning_dsi"])[2:4].tolist() == [0.5, 0.75]
    assert "steps" not in rest["columns"], "it is the same for all"


def test_what_is_damaged_is_named_and_left_out(tmp_path: Path) -> None:
    tiny(tmp_path)
    record = tmp_path / "conv1" / "3" / "unit.json"
    record.write_text(record.read_text().replace('"steps": 4', '"steps": 5'))
    (tmp_path / "conv1" / "4" / "unit.json").write_text("{")
    (tmp_path / "fc" / "0").rename(tmp_path / "fc" / "9")
    (tmp_path / "fc" / "1" / "tile.webp").write_bytes(b"no picture")
    built = build(tmp_path, told=quietly)
    assert built.units == 9
    assert [problem.partition(":")[0] for problem in built.problems] == ["conv1/3", "conv1/4", "fc/9"]
    assert said(tmp_path / "gallery" / "data.js")["problems"] == built.problems


def test_an_atlas_of_numbers_or_of_nothing_is_a_site_too(tmp_path: Path) -> None:
    about(tmp_path / "numbers", {"fc": 2})
    for unit in range(2):
        add(tmp_path / "numbers", "fc", unit, tile=False)
    assert build(tmp_path / "numbers", told=quietly).units == 2
    assert said(tmp_path / "numbers" / "gallery" / "near.js")["maps"] == [None]
    assert build(about(tmp_path / "none", {}), told=quietly).units == 0
    with pytest.raises(SettingInvalid, match="no atlas"):
        build(tmp_path / "elsewhere", told=quietly)


def test_built_again_nothing_old_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinetoscope.gallery.build.CHUNK", 2)
    tiny(tmp_path)
    build(tmp_path, told=quietly)
    assert len(list((tmp_path / "gallery" / "units").iterdir())) == 6
    for unit in range(8):
        (tmp_path / "conv1" / str(unit) / "unit.json").unlink()
    build(tmp_path, told=quietly)
    assert len(list((tmp_path / "gallery" / "units").iterdir())) == 2
    assert not list(tmp_path.rglob("*.part"))


def test_no_text_leaves_its_script() -> None:
    text = script("NAME", {"</script><b>&\u2028": "\ud800"}).decode("ascii")
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text.partition("=")[2].rstrip(";\n")) == {"</script><b>&\u2028": "\ud800"}


def test_nearest_are_those_that_a_slow_search_finds() -> None:
    draw = np.random.default_rng(0)
    points = draw.normal(size=(37, 5)).astype(np.float32)
    points[[3, 20]] = np.nan
    rows, far = nearest(points, 4)
    known = [row for row in range(37) if row not in (3, 20)]
    usual = np.sqrt(np.mean([np.sum((points[a] - points[b]) ** 2) for a in known for b in known]))
    for row in known:
        apart = {b: np.linalg.norm(points[row] - points[b]) / usual for b in known if b != row}
        expected = sorted(apart, key=lambda b: apart[b])[:4]
        assert rows[row].tolist() == expected
        assert far[row] == pytest.approx([apart[b] for b in expected], abs=1e-3)
    assert (rows[[3, 20]] == NONE).all()
    assert (nearest(points[:1], 4)[0] == NONE).all()


def test_a_texture_map_has_each_unit_once_and_like_ones_together() -> None:
    draw = np.random.default_rng(0)
    kinds = np.repeat([0.0, 5.0, 10.0, 15.0], 6)
    columns, cells = laid_out(np.stack([kinds, draw.normal(size=24)], axis=1))
    assert sorted(cell for cell in cells if cell >= 0) == list(range(24))
    grid = np.asarray(cells).reshape(-1, columns)
    means = [kinds[line[line >= 0]].mean() for line in grid.T if (line >= 0).any()]
    assert means == sorted(means) or means == sorted(means, reverse=True)


def test_a_descriptor_knows_orientation_fineness_and_colour_and_forgets_place() -> None:
    y, x = np.mgrid[:64, :64]

    def grating(
        across: float, down: float, phase: float = 0.0, colour: tuple[float, ...] = (1, 1, 1)
    ) -> np.ndarray:
        wave = 0.5 + 0.4 * np.sin(2 * np.pi * (across * x + down * y) / 64 + phase)
        return descriptor((wave[..., None] * np.asarray(colour)).astype(np.float32))

    first = grating(8, 0)
    assert first.shape == (LENGTH,)
    moved, turned = grating(8, 0, phase=2.0), grating(0, 8)
    finer, red = grating(20, 0), grating(8, 0, colour=(1, 0.3, 0.3))
    apart = [float(np.linalg.norm(first - other)) for other in (moved, turned, finer, red)]
    assert apart[0] < 0.1
    assert min(apart[1:]) > 5 * apart[0]
    assert not descriptor(np.zeros((64, 64, 3), np.float32)).any()


def test_strips_of_another_size_are_no_textures(tmp_path: Path) -> None:
    (tmp_path / "tile.webp").write_bytes(strip(0))
    right, wrong = (tmp_path / "tile.webp", (4, 24, 24)), (tmp_path / "tile.webp", (5, 24, 24))
    looks = describe_all([right, wrong, (tmp_path / "none.webp", (4, 24, 24))])
    assert [look is not None for look in looks] == [True, False, False]


def test_units_of_one_architecture_are_paired_by_number(tmp_path: Path) -> None:
    mine, other = tiny(tmp_path / "a"), tiny(tmp_path / "b", weights="later.pt")
    (other / "conv1" / "5" / "unit.json").unlink()
    tables = [read_table(open_atlas(root)) for root in (mine, other)]
    assert same_architecture(*tables)
    pairs = by_index(*tables)
    assert pairs.rows[:, 0].tolist() == [0, 1, 2, 3, 4, -1, 5, 6, 7, 8, 9, 10]
    built = build(mine, other, told=quietly)
    assert built.units == 12
    assert (mine / "gallery" / "other" / "conv1" / "0" / "tile.webp").read_bytes() == strip(0)
    with pytest.raises(SettingInvalid, match="the atlas itself"):
        build(mine, mine, told=quietly)


def test_the_best_answers_come_first_and_unknown_ones_not_at_all() -> None:
    shares = np.array([[0.1, np.nan, 0.9], [np.nan, np.nan, np.nan]])
    rows, found = best(shares, [4, 5, 6], 2)
    assert rows.tolist() == [[6, 4], [-1, -1]]
    assert found[0].tolist() == [0.9, 0.1]
    assert np.isnan(found[1]).all()


def test_torch_is_not_needed(tmp_path: Path) -> None:
    tiny(tmp_path)
    code = (
        "import sys; from pathlib import Path; from kinetoscope.gallery.build import build; "
        f"build(Path({str(tmp_path)!r}), told=print); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
