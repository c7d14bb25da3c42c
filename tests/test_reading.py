"""A saved result comes back bit for bit, and what is no result is told in one line."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import kinetoscope as ks
from kinetoscope.files import UNIT_FILE, plain
from kinetoscope.records import ARRAYS_FILE, RecordUnreadable, load_arrays, write_arrays
from kinetoscope.render.stored import record_of
from kinetoscope.results import SearchNotes, UnitResult

pytestmark = pytest.mark.usefixtures("blank_summaries")

Factory = Callable[..., UnitResult]
NOTES = SearchNotes("bank", 0.2, True, 0.1 + 0.2, "sine", 1 / 3, "coarse to fine", ((12, 16), (24, 32)))


def assert_same(one: Any, other: Any, name: str = "result") -> None:
    """Tensors, numbers and words alike to the last bit, NaN too."""
    assert type(one) is type(other), name
    if isinstance(one, Tensor):
        assert one.dtype == other.dtype, name
        assert torch.equal(one, other), name
    elif is_dataclass(one):
        for part in fields(one):
            assert_same(getattr(one, part.name), getattr(other, part.name), f"{name}.{part.name}")
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), name
        for key in one:
            assert_same(one[key], other[key], f"{name}[{key}]")
    elif isinstance(one, tuple):
        assert len(one) == len(other), name
        for index, (first, second) in enumerate(zip(one, other, strict=True)):
            assert_same(first, second, f"{name}[{index}]")
    else:
        assert one == other or (one != one and other != other), name


def without_record(result: UnitResult) -> UnitResult:
    return replace(result, record={})


def searched(result: UnitResult) -> UnitResult:
    """With notes of its search, as the pipeline gives them."""
    assert result.optimal is not None
    record = {**result.record, "search": NOTES, "settings": {"decompose": result.decomposition.settings}}
    return replace(result, optimal=replace(result.optimal, notes=NOTES), record=record)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_every_array_and_number_comes_back(tmp_path: Path, result_factory: Factory, channels: int) -> None:
    result = searched(result_factory(channels=channels, jitter=0.1, velocity=(1 / 3, -math.pi / 7)))
    folder = result.save(tmp_path)
    loaded = ks.load_result(folder)
    assert_same(without_record(loaded), without_record(result))
    assert loaded.video.shape[1] == channels
    assert loaded.optimal is not None
    assert len(loaded.optimal.history) == 200
    assert {key: loaded.record[key] for key in result.record} == plain(result.record)


def test_saving_again_changes_nothing(tmp_path: Path, result_factory: Factory) -> None:
    first = searched(result_factory(channels=1)).save(tmp_path / "one")
    second = ks.load_result(str(first)).save(tmp_path / "two")
    for name, array in load_arrays(first).items():
        assert torch.equal(array, load_arrays(second)[name]), name
    one, two = (json.loads((folder / UNIT_FILE).read_text()) for folder in (first, second))
    for record in (one, two):
        record["seconds"].pop("render")
    assert one == two


def test_numbers_that_are_not_finite_come_back(tmp_path: Path, dead_factory: Factory) -> None:
    loaded = ks.load_result(dead_factory().save(tmp_path))
    assert loaded.decomposition.psnr_db == loaded.decomposition.static_psnr_db == math.inf
    assert math.isnan(loaded.activation["reconstruction"])
    assert loaded.indices["motion_dependence"] is None
    assert loaded.confidence is None


def test_several_textures_come_back(tmp_path: Path, result_factory: Factory) -> None:
    result = result_factory(frames=8)
    parts = replace(
        result.decomposition,
        textures=result.video[[0, 5]],
        texture_times=(0, 5),
        covered=result.video[1:, :1] > 0.5,
        carried=0.1 + 0.7,
        texture_lifetime_frames=5.5,
    )
    loaded = ks.load_result(replace(result, decomposition=parts).save(tmp_path)).decomposition
    assert_same(loaded, replace(parts, settings=loaded.settings))
    assert loaded.covered.dtype == torch.bool


def test_a_given_video_comes_back(tmp_path: Path) -> None:
    x = torch.arange(20.0)[None, None, None, :] - 1.5 * torch.arange(6.0)[:, None, None, None]
    video = (0.5 + 0.4 * (x / 3).sin() * torch.arange(12.0)[:, None].div(4).cos()).contiguous()
    parts = ks.decompose(video, seed=3)
    assert parts.save(tmp_path / "apart") == tmp_path / "apart"
    loaded = ks.load_result(tmp_path / "apart")
    assert loaded.optimal is None
    assert torch.equal(loaded.video, video)
    assert_same(loaded.decomposition, replace(parts, video=None, seed=None, settings=plain(parts.settings)))
    assert (loaded.record["seed"], loaded.motion.label) == (3, "right")
    assert set(record_of(loaded)) == set(json.loads((tmp_path / "apart" / UNIT_FILE).read_text()))
    assert_same(ks.load_result(loaded.save(tmp_path / "again")).decomposition, loaded.decomposition)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, result_factory: Factory) -> Path:
    """A result's folder, to be copied."""
    return result_factory().save(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / UNIT_FILE).unlink(), "no finished result lies there"),
        (lambda folder: (folder / UNIT_FILE).write_text("{"), "cannot be read"),
        (lambda folder: (folder / ARRAYS_FILE).unlink(), "cannot be read"),
        (lambda folder: (folder / ARRAYS_FILE).write_bytes(b"\x00" * 99), "cannot be read"),
        (lambda folder: change(folder, schema=2), "is of schema 2, and this version reads schema 1"),
        (lambda folder: change(folder, schema="x"), "is of schema x"),
        (lambda folder: change(folder, motion={"label": "up"}), "lacks 'direction_deg'"),
        (lambda folder: change(folder, decomposition={}), "lacks 'psnr_db'"),
        (lambda folder: change(folder, seconds={}), "lacks 'decompose'"),
        (lambda folder: change(folder, confidence=[1]), "does not fit together"),
        (lambda folder: change(folder, history=7), "does not fit together"),
        (lambda folder: keep(folder, "velocity", drop="light_gain"), "lacks light_gain, as runs of version"),
        (lambda folder: keep(folder, "covered", frames=2), "covered has shape"),
    ],
)
def test_what_is_damaged_is_one_clear_line(
    tmp_path: Path, whole: Path, spoil: Callable[[Path], Any], told: str
) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "copy"))
    spoil(folder)
    with pytest.raises(RecordUnreadable, match=told) as caught:
        ks.load_result(folder)
    assert "\n" not in str(caught.value)


def change(folder: Path, **values: Any) -> None:
    record = json.loads((folder / UNIT_FILE).read_text())
    (folder / UNIT_FILE).write_text(json.dumps({**record, **values}))


def keep(folder: Path, name: str, drop: str = "", frames: int | None = None) -> None:
    arrays = load_arrays(folder)
    arrays[name] = arrays[name][:frames]
    arrays.pop(drop, None)
    write_arrays(folder / ARRAYS_FILE, arrays)


def test_what_is_no_result_says_what_it_is(tmp_path: Path, result_factory: Factory) -> None:
    with pytest.raises(RecordUnreadable, match="is no folder; give the one of a saved result"):
        ks.load_result(tmp_path / "nowhere")
    for unit in (4, 11):
        result_factory(layer="fc", unit=unit).save(tmp_path / "run")
    for folder in (tmp_path / "run", tmp_path / "run" / "fc"):
        with pytest.raises(RecordUnreadable, match=r"holds 2 results; .* such as '.*fc/4'"):
            ks.load_result(folder)
    (tmp_path / "attribution.json").write_text("{}")
    with pytest.raises(RecordUnreadable, match=r"holds attribution.json, not unit.json"):
        ks.load_result(tmp_path)


def test_runs_without_a_schema_are_read_as_far_as_they_go(tmp_path: Path, result_factory: Factory) -> None:
    folder = result_factory().save(tmp_path)
    record = json.loads((folder / UNIT_FILE).read_text())
    for key in ("schema", "channels", "history"):
        del record[key]
    (folder / UNIT_FILE).write_text(json.dumps(record))
    loaded = ks.load_result(folder)
    assert loaded.optimal is not None
    assert loaded.optimal.history == ()
