"""Records of an atlas: small, whole or not there, readable by anybody, and damage is noticed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from kinetoscope.atlas.store import (
    KEPT,
    check_files,
    check_room,
    most_bytes,
    read_atlas,
    read_record,
    save_record,
    sweep,
    write_atlas,
)
from kinetoscope.errors import OutputUnwritable, SettingInvalid
from kinetoscope.files import digest_of
from kinetoscope.reading import load_result
from kinetoscope.records import RecordUnreadable
from kinetoscope.results import UnitResult

Make = Callable[..., UnitResult]


def saved(result: UnitResult, out: Path, keep: str = "arrays") -> Path:
    return save_record(result, out, keep=keep, scale=2.0, batch=(7, 8))


@pytest.mark.parametrize("keep", KEPT)
def test_what_is_kept_lies_there_and_nothing_else(result_factory: Make, tmp_path: Path, keep: str) -> None:
    saved(result_factory(), tmp_path)
    folder = saved(result_factory(), tmp_path, keep)
    assert {file.name for file in folder.iterdir()} == {"unit.json", *KEPT[keep]}
    record = read_record(folder)
    check_files(folder, record)
    assert record["batch"] == [7, 8]
    assert set(record["files"]) == set(KEPT[keep])
    held = sum(file.stat().st_size for file in folder.iterdir())
    assert held <= most_bytes(keep, (3, 5, 24, 32))


def test_the_noisiest_unit_takes_no_more_than_is_said(result_factory: Make, tmp_path: Path) -> None:
    result = result_factory(16, 112, 112, jitter=3.0)
    result.video[:] = torch.rand(result.video.shape, generator=torch.Generator().manual_seed(0))
    folder = saved(result, tmp_path, "films")
    held = sum(file.stat().st_size for file in folder.iterdir())
    assert held <= most_bytes("films", (3, 16, 112, 112)) <= 500_000
    arrays = saved(result, tmp_path, "arrays")
    assert sum(file.stat().st_size for file in arrays.iterdir()) <= most_bytes("arrays", (3, 16, 112, 112))


def test_a_strip_has_the_cells_that_the_record_says(result_factory: Make, tmp_path: Path) -> None:
    folder = saved(result_factory(5, 24, 32), tmp_path, "films")
    tile = read_record(folder)["render"]["tile"]
    assert tile == {"frames": 5, "cell_height": 72, "cell_width": 96}
    with Image.open(folder / "tile.webp") as strip:
        assert strip.size == (7 * 96, 72)
        red, green, blue = strip.convert("RGB").crop((6 * 96, 0, 7 * 96, 72)).resize((1, 1)).getpixel((0, 0))
    assert red > blue  # coherent motion goes up and right: between red and yellow-green
    assert green > blue


def test_a_kept_result_is_read_back(result_factory: Make, tmp_path: Path) -> None:
    result = result_factory()
    again = load_result(saved(result, tmp_path))
    assert torch.equal(again.decomposition.displacement, result.decomposition.displacement)


@pytest.mark.parametrize("name", ["unit.json", *KEPT["arrays"]])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_damage_is_named(result_factory: Make, tmp_path: Path, name: str, how: str) -> None:
    folder = saved(result_factory(), tmp_path)
    path = folder / name
    content = bytearray(path.read_bytes())
    if how == "flipped":
        place = content.index(b"31.24") if name == "unit.json" else len(content) // 2
        content[place] ^= 1
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-3] if how == "cut" else content)
    with pytest.raises(RecordUnreadable, match=name):
        check_files(folder, read_record(folder))


def test_a_record_in_anothers_folder_is_not_taken(result_factory: Make, tmp_path: Path) -> None:
    folder = saved(result_factory(), tmp_path)
    moved = folder.rename(folder.with_name("8"))
    with pytest.raises(RecordUnreadable, match="another unit"):
        read_record(moved)


def test_a_record_of_another_verb_is_not_taken(result_factory: Make, tmp_path: Path) -> None:
    folder = result_factory().save(tmp_path)
    with pytest.raises(RecordUnreadable, match="not as the atlas wrote it"):
        read_record(folder)


def test_odd_names_in_a_record_lead_nowhere(result_factory: Make, tmp_path: Path) -> None:
    folder = saved(result_factory(), tmp_path)
    record = json.loads((folder / "unit.json").read_text())
    record["files"] = {"../../secret": {"bytes": 1, "sha256": ""}}
    record["record_sha256"] = digest_of(record)
    (folder / "unit.json").write_text(json.dumps(record))
    with pytest.raises(RecordUnreadable, match="odd file"):
        check_files(folder, read_record(folder))


@pytest.mark.parametrize("layer", ["../../up", "a/b", "", "x" * 400, "<b>ü\ud800", ".hidden"])
def test_odd_layer_names_stay_inside(result_factory: Make, tmp_path: Path, layer: str) -> None:
    folder = saved(result_factory(layer=layer, unit_name=layer), tmp_path / "atlas", "numbers")
    assert folder.parents[1] == tmp_path / "atlas"
    assert read_record(folder)["layer"] == layer
    assert [path.name for path in tmp_path.iterdir()] == ["atlas"]


def test_what_was_half_written_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / "a" / "0").mkdir(parents=True)
    (tmp_path / "a" / "0" / ".1f.part").touch()
    (tmp_path / "a" / ".2f.part").mkdir()
    (tmp_path / ".jobs-x").mkdir()
    (tmp_path / "a" / "0" / "tile.webp").touch()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["0", "a", "tile.webp"]


def test_too_little_room_is_told_before(tmp_path: Path) -> None:
    assert check_room(tmp_path, 1000) > 1000
    with pytest.raises(OutputUnwritable, match="keep less"):
        check_room(tmp_path, 10**18)


def test_layers_and_units_are_added_to_what_the_atlas_says(tmp_path: Path) -> None:
    assert read_atlas(tmp_path) == {}
    write_atlas(tmp_path, {"model": "m", "layers": {"b": {"units": 9, "asked": [2, 0]}}})
    write_atlas(
        tmp_path, {"model": "m", "layers": {"a": {"units": 4, "asked": [1]}, "b": {"units": 9, "asked": [5]}}}
    )
    layers = read_atlas(tmp_path)["layers"]
    assert list(layers) == ["b", "a"]
    assert layers["b"]["asked"] == [0, 2, 5]


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 99, "layers": {}}', '{"schema": 1}'])
def test_an_atlas_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "atlas.json").write_text(text)
    with pytest.raises(SettingInvalid, match=r"atlas\.json"):
        read_atlas(tmp_path)
