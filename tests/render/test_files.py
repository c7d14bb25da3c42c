"""A unit's folder holds what the contract says, appears whole, and can be read back."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from kinetoscope.clips.video import read_video
from kinetoscope.errors import OutputUnwritable, SettingInvalid
from kinetoscope.files import UNIT_FILE
from kinetoscope.records import load_arrays, read_unit
from kinetoscope.render import files as files_module
from kinetoscope.render.files import save_decomposition, save_unit
from kinetoscope.render.frames import colour_words, to_frame
from kinetoscope.render.stored import record_of
from kinetoscope.results import UnitResult

Factory = Callable[..., UnitResult]

PICTURES = {"static.png", "motion.mp4", "motion.gif", "reconstruction.gif", "summary.png"}
NUMBERS = {"arrays.safetensors", "unit.json"}
OPTIMAL = {"optimal.mp4", "optimal.gif"}


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_a_unit_leaves_the_whole_set(tmp_path: Path, result_factory: Factory) -> None:
    result = result_factory(layer="layer1.0.conv1", unit=3)
    folder = Path(result.save(str(tmp_path)))
    assert folder == tmp_path / "layer1.0.conv1" / "3"
    assert names(folder) == PICTURES | NUMBERS | OPTIMAL

    arrays = load_arrays(folder)
    parts = result.decomposition
    wanted = {
        "optimal_video": result.optimal.video,
        "static_image": parts.static_image,
        "displacement": parts.displacement,
        "velocity": parts.velocity,
        "coherent_velocity": parts.coherent_velocity,
        "reconstruction": parts.reconstruction,
        "textures": parts.textures,
        "texture_times": torch.tensor(parts.texture_times),
        "light_gain": parts.light_gain,
        "light_offset": parts.light_offset,
        "covered": parts.covered,
        "entered": parts.entered,
    }
    assert set(arrays) == set(wanted)
    for name, array in wanted.items():
        assert torch.equal(arrays[name], array)

    with PillowImage.open(folder / "static.png") as image:
        assert np.array_equal(np.asarray(image), to_frame(parts.static_image))
    film, animation = read_video(folder / "optimal.mp4"), read_video(folder / "optimal.gif")
    for video in (film, animation):  # 24x32 enlarged eight times
        assert video.shape == (5, 3, 192, 256)
        assert (video[:, :, 4::8, 4::8] - result.video).abs().mean() < 0.03
    assert read_video(folder / "reconstruction.gif").shape[0] == 5
    assert read_video(folder / "motion.mp4").shape[0] == 4
    assert read_video(folder / "motion.gif").shape[0] == 4


@pytest.mark.usefixtures("blank_summaries")
def test_the_record_holds_every_number_with_its_unit(tmp_path: Path, result_factory: Factory) -> None:
    result = result_factory(velocity=(0.5, -0.5), seconds={"optimize": 9.0, "load": 1.0}, peak_memory_mb=77.5)
    record = read_unit(save_unit(result, tmp_path, scale=1.5))
    for key in (
        "model",
        "weights",
        "layer",
        "unit",
        "unit_name",
        "objective",
        "seed",
        "settings",
        "versions",
    ):
        assert record[key] == result.record[key]
    assert record["activation"] == result.activation
    assert record["decomposition"] == {
        "psnr_db": 31.24,
        "static_psnr_db": 14.75,
        "displacement_tv": 0.0123,
        "single_texture_psnr_db": 31.24,
        "variance_explained": {"coherent": 0.71, "light": 0.05, "jitter": 0.12, "residual": 0.12},
        "change_share": 0.9,
        "carried": None,
        "texture_lifetime_frames": None,
    }
    assert record["motion"]["direction_deg"] == pytest.approx(45.0)
    assert record["motion"]["speed_px_per_frame"] == pytest.approx(math.sqrt(0.5))
    assert set(record["motion"]) == {
        "direction_deg",
        "speed_px_per_frame",
        "mean_speed_px_per_frame",
        "coherence",
        "divergence_per_frame",
        "rotation_per_frame",
        "label",
    }
    assert record["steps"] == 200
    assert record["seconds"].pop("render") > 0
    assert record["seconds"] == {"optimize": 9.0, "decompose": 2.5, "load": 1.0}
    assert record["peak_memory_mb"] == 77.5
    assert record["render"]["motion_scale_px_per_frame"] == 1.5


@pytest.mark.usefixtures("blank_summaries")
def test_what_is_not_finite_becomes_null(tmp_path: Path, dead_factory: Factory) -> None:
    folder = save_unit(dead_factory(), tmp_path)
    assert "NaN" not in (folder / UNIT_FILE).read_text()
    assert "Infinity" not in (folder / UNIT_FILE).read_text()
    record = read_unit(folder)
    assert record["decomposition"]["psnr_db"] is None
    assert record["activation"] == {"optimal": 0.0, "random_input": 0.0, "reconstruction": None}


@pytest.mark.usefixtures("blank_summaries")
def test_the_record_is_written_last_and_taken_away_first(
    tmp_path: Path, result_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = result_factory()
    folder = save_unit(result, tmp_path)
    newest = max(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    assert newest.name == UNIT_FILE

    def interrupted(*arguments: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(files_module, "draw_summary", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_unit(result, tmp_path)
    assert UNIT_FILE not in names(folder)
    assert not [name for name in names(folder) if name.endswith(".part")]


@pytest.mark.usefixtures("blank_summaries")
def test_grey_clips_are_stored_and_shown_as_rgb(tmp_path: Path, result_factory: Factory) -> None:
    result = result_factory(channels=1)
    arrays = load_arrays(save_unit(result, tmp_path))
    assert arrays["optimal_video"].shape == (5, 3, 24, 32)
    assert torch.equal(arrays["static_image"][2], result.decomposition.static_image[0])
    assert arrays["reconstruction"].shape == (5, 3, 24, 32)


@pytest.mark.usefixtures("laid_out")
def test_flow_and_many_channels_are_stored_whole_and_shown_as_said(
    tmp_path: Path, result_factory: Factory
) -> None:
    for channels in (2, 5):
        folder = save_unit(result_factory(channels=channels), tmp_path / str(channels))
        assert load_arrays(folder)["optimal_video"].shape == (5, channels, 24, 32)
        assert read_unit(folder)["colours"] == colour_words(channels)


@pytest.mark.usefixtures("blank_summaries")
def test_a_given_video_lies_straight_in_the_folder(tmp_path: Path, result_factory: Factory) -> None:
    full = result_factory()
    given = replace(full, optimal=None, activation={}, record={"video": "clip.mp4"})
    assert save_decomposition(given, tmp_path / "new") == tmp_path / "new"
    assert names(tmp_path / "new") == PICTURES | NUMBERS
    assert torch.equal(load_arrays(tmp_path / "new")["video"], full.video)
    record = read_unit(tmp_path / "new")
    assert record["video"] == "clip.mp4"
    assert record["settings"] == {"decompose": {"steps": 320}}
    assert record["steps"] is None
    assert record["seconds"]["optimize"] is None
    with pytest.raises(SettingInvalid, match="save_decomposition"):
        save_unit(given, tmp_path)


def test_a_unit_needs_its_layer_and_number(tmp_path: Path, result_factory: Factory) -> None:
    result = replace(result_factory(), record={"layer": "conv"})
    with pytest.raises(SettingInvalid, match="lacks unit"):
        save_unit(result, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("blank_summaries")
def test_a_hostile_layer_name_stays_inside_the_folder(tmp_path: Path, result_factory: Factory) -> None:
    folder = save_unit(result_factory(layer="../../a b", unit=0), tmp_path / "run")
    assert folder == tmp_path / "run" / "%2E.%2F..%2Fa%20b" / "0"
    assert names(tmp_path) == {"run"}


@pytest.mark.usefixtures("blank_summaries")
def test_a_file_in_the_way_is_one_clear_error(tmp_path: Path, result_factory: Factory) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(OutputUnwritable, match="is a file, not a folder"):
        save_unit(result_factory(), tmp_path / "run")
    (tmp_path / "other" / "conv2.0" / "7" / UNIT_FILE).mkdir(parents=True)
    with pytest.raises(OutputUnwritable, match=UNIT_FILE):
        save_unit(result_factory(), tmp_path / "other")


def test_the_record_is_plain_json(result_factory: Factory) -> None:
    record = record_of(result_factory(settings={"clip": (16, 8), "lr": torch.tensor(0.5)}), 1.0)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["settings"] == {"clip": [16, 8], "lr": 0.5}
    assert record["peak_memory_mb"] > 1
