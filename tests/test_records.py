"""Names, whole files, and reading a unit back."""

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinetoscope.errors import OutputUnwritable, SettingInvalid
from kinetoscope.files import (
    UNIT_FILE,
    finished_units,
    name_of_component,
    plain,
    safe_component,
    unit_directory,
    write_bytes_atomically,
    write_json,
)
from kinetoscope.records import ARRAYS_FILE, RecordUnreadable, load_arrays, read_unit, write_arrays

RECORD = {"activation": {}, "decomposition": {}, "motion": {}, "steps": 3, "seconds": {}}


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("layer1.0.conv1", "layer1.0.conv1"),
        ("conv_5-b", "conv_5-b"),
        ("..", "%2E."),
        (".", "%2E"),
        (".hidden", "%2Ehidden"),
        ("../../etc", "%2E.%2F..%2Fetc"),
        ("a/b c~%", "a%2Fb%20c%7E%25"),
        ("", "%"),
        ("a\\b\0", "a%5Cb%00"),
    ],
)
def test_layer_names_become_one_safe_component(name: str, component: str) -> None:
    assert safe_component(name) == component


def test_joined_names_do_not_collide() -> None:
    assert safe_component("a.b_c") != safe_component("a_b.c")
    long = "x" * 400
    assert safe_component(long + "a") != safe_component(long + "b")
    assert len(safe_component(long)) <= 200


@given(st.text(max_size=50))
def test_components_are_safe_and_give_the_name_back(name: str) -> None:
    component = safe_component(name)
    assert set(component) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-%~")
    assert component
    assert not component.startswith(".")
    if "%~" not in component:
        assert name_of_component(component) == name


def test_units_lie_below_their_layer(tmp_path: Path) -> None:
    folder = unit_directory(tmp_path, "../up", 12)
    assert folder == tmp_path / "%2E.%2Fup" / "12"
    assert tmp_path in folder.resolve().parents


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_plain_values_survive_json(value: object) -> None:
    ready = plain(value)
    assert json.loads(json.dumps(ready, allow_nan=False)) == ready


def test_plain_makes_numbers_of_tensors_and_null_of_what_is_not_finite() -> None:
    value = {"a": torch.tensor(1.5), "b": (torch.tensor([1, 2]), math.nan), "c": math.inf, 3: Path("x/y")}
    assert plain(value) == {"a": 1.5, "b": [[1, 2], None], "c": None, "3": "x/y"}
    with pytest.raises(SettingInvalid, match=r"settings\.model is a object"):
        plain({"model": object()}, "settings")


def test_files_appear_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "a.bin"
    assert write_bytes_atomically(path, b"first") == path

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputUnwritable, match="No space left on device"):
        write_bytes_atomically(path, b"second, longer")
    assert path.read_bytes() == b"first"
    assert [file.name for file in path.parent.iterdir()] == ["a.bin"]


def test_an_interruption_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_bytes_atomically(tmp_path / "a.bin", b"data")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputUnwritable, match="is a file, not a folder") as caught:
        write_json(tmp_path / "out" / "layer" / UNIT_FILE, {})
    assert "\n" not in str(caught.value)
    with pytest.raises(OutputUnwritable):
        write_bytes_atomically(tmp_path / "a\0b", b"")


def make_arrays(time: int = 4, height: int = 5, width: int = 6) -> dict[str, torch.Tensor]:
    clip = torch.rand(time, 3, height, width)
    flow = torch.randn(time, 2, height, width)
    return {
        "optimal_video": clip,
        "static_image": clip[0],
        "displacement": flow,
        "velocity": flow[1:],
        "coherent_velocity": flow[1:],
        "reconstruction": clip,
    }


def test_arrays_come_back_as_contiguous_float32(tmp_path: Path) -> None:
    arrays = make_arrays()
    arrays["displacement"] = arrays["displacement"].double().transpose(2, 3).transpose(2, 3)
    write_arrays(tmp_path / ARRAYS_FILE, arrays)
    loaded = load_arrays(tmp_path)
    assert set(loaded) == set(arrays)
    for name, array in loaded.items():
        assert array.dtype == torch.float32
        assert torch.equal(array, arrays[name].float())


@pytest.mark.parametrize(
    "name", ["optimal_video", "static_image", "displacement", "velocity", "reconstruction"]
)
def test_missing_arrays_are_named(tmp_path: Path, name: str) -> None:
    arrays = make_arrays()
    del arrays[name]
    write_arrays(tmp_path / ARRAYS_FILE, arrays)
    with pytest.raises(RecordUnreadable, match=name):
        load_arrays(tmp_path)


def test_damaged_or_misshapen_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / ARRAYS_FILE
    with pytest.raises(RecordUnreadable, match="run again"):
        load_arrays(tmp_path)
    write_arrays(path, {**make_arrays(), "velocity": torch.zeros(4, 2, 5, 6)})
    with pytest.raises(
        RecordUnreadable, match=r"velocity has shape \(4, 2, 5, 6\), the clip wants \(3, 2, 5, 6\)"
    ):
        load_arrays(tmp_path)
    write_arrays(path, make_arrays())
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(RecordUnreadable, match="cannot be read"):
        load_arrays(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[1]", "holds a list"),
        ("{}", "lacks activation, decomposition, motion, steps, seconds"),
        (json.dumps({**RECORD, "motion": 3}), "motion is no group"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_damaged_records_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / UNIT_FILE).write_text(text)
    with pytest.raises(RecordUnreadable, match=words) as caught:
        read_unit(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_unit_is_finished_when_its_record_is_there(tmp_path: Path) -> None:
    with pytest.raises(RecordUnreadable, match="not finished"):
        read_unit(tmp_path)
    for layer, unit in (("b", 2), ("a", 10), ("a", 9)):
        write_json(unit_directory(tmp_path, layer, unit) / UNIT_FILE, RECORD)
    (tmp_path / "a" / "11").mkdir()
    found = [str(folder.relative_to(tmp_path)) for folder in finished_units(tmp_path)]
    assert found == ["a/9", "a/10", "b/2"]
    assert read_unit(tmp_path / "a" / "9") == RECORD
    assert finished_units(tmp_path / "absent") == []
