"""Two atlases made one: everything once, nothing damaged, nothing of another network."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kinetoscope.atlas.index import write_index
from kinetoscope.atlas.merge import Merged, merge
from kinetoscope.atlas.store import check_files, read_atlas, read_record, save_record, write_atlas
from kinetoscope.errors import SettingInvalid
from kinetoscope.results import UnitResult

Make = Callable[..., UnitResult]


def atlas(result_factory: Make, out: Path, units: Sequence[int], weights: str = "w") -> Path:
    layers = {"conv": {"units": 9, "asked": list(units)}}
    write_atlas(out, {"model": "m", "weights_sha256": weights, "layers": layers})
    for unit in units:
        save_record(result_factory(layer="conv", unit=unit), out, keep="films", scale=2.0, batch=units)
    write_index(out)
    return out


def test_what_is_missing_is_copied(result_factory: Make, tmp_path: Path) -> None:
    a, b = (atlas(result_factory, tmp_path / name, units) for name, units in (("a", [0, 1]), ("b", [1, 2])))
    (b / "conv" / "tuning.json").write_text('{"units": []}')
    held = (a / "conv" / "1" / "unit.json").stat().st_mtime_ns
    assert merge(a, b) == Merged(1, 1, [])
    assert (a / "conv" / "1" / "unit.json").stat().st_mtime_ns == held
    for unit in range(3):
        check_files(a / "conv" / str(unit), read_record(a / "conv" / str(unit)))
    assert read_atlas(a)["layers"]["conv"]["asked"] == [0, 1, 2]
    assert len((a / "units.csv").read_text().splitlines()) == 4
    assert (a / "conv" / "tuning.json").exists()
    assert merge(a, b) == Merged(0, 2, [])


def test_damage_is_left_out_of_one_and_mended_from_the_other(result_factory: Make, tmp_path: Path) -> None:
    a, b = (atlas(result_factory, tmp_path / name, units) for name, units in (("a", [0]), ("b", [0, 1])))
    (a / "conv" / "0" / "tile.webp").write_bytes(b"no tile")
    (b / "conv" / "1" / "optimal.mp4").unlink()
    merged = merge(a, b)
    assert merged.copied == 1
    assert len(merged.problems) == 1
    assert "1/optimal.mp4" in merged.problems[0]
    check_files(a / "conv" / "0", read_record(a / "conv" / "0"))
    assert not (a / "conv" / "1").exists()


def test_what_does_not_belong_together_is_refused(result_factory: Make, tmp_path: Path) -> None:
    a, b = atlas(result_factory, tmp_path / "a", [0]), atlas(result_factory, tmp_path / "b", [1], "other")
    with pytest.raises(SettingInvalid, match="one network"):
        merge(a, b)
    with pytest.raises(SettingInvalid, match="is no atlas"):
        merge(a, tmp_path / "nowhere")
    assert not (a / "conv" / "1").exists()
