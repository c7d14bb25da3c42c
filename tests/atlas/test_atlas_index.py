"""The index holds every number of every record, and of what tuning said of the units."""

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from kinetoscope.atlas.index import flat, write_index
from kinetoscope.atlas.store import save_record
from kinetoscope.results import UnitResult

Make = Callable[..., UnitResult]


def filled(result_factory: Make, out: Path) -> Path:
    for layer, unit in (("conv2.0", 7), ("conv2.0", 10), ("fc", 0)):
        result = result_factory(layer=layer, unit=unit, unit_name='a "name", of\ntwo lines')
        save_record(result, out, keep="numbers", scale=2.0, batch=(unit,))
    return out


def rows_of(path: Path) -> list[dict[str, object]]:
    with closing(sqlite3.connect(path)) as base:
        base.row_factory = sqlite3.Row
        return [dict(row) for row in base.execute("SELECT * FROM units")]


def test_every_number_is_in_both(result_factory: Make, tmp_path: Path) -> None:
    out = filled(result_factory, tmp_path)
    assert write_index(out) == []
    rows = rows_of(out / "index.sqlite")
    with (out / "units.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["layer"], row["unit"]) for row in rows] == [("conv2.0", 7), ("conv2.0", 10), ("fc", 0)]
    for row, line in zip(rows, table, strict=True):
        record = json.loads((out / str(row["folder"]) / "unit.json").read_text())
        del record["files"], record["record_sha256"]
        for name, value in flat(record).items():
            assert row[name] == value
            assert line[name] == ("" if value is None else str(value))
        assert row["motion_label"] == record["motion"]["label"]
        assert row["decomposition_variance_explained_light"] == 0.05
        assert json.loads(str(row["confidence_labels"])) == ["up-right", "up-right", "right"]


def test_tuning_stands_beside_its_units(result_factory: Make, tmp_path: Path) -> None:
    out = filled(result_factory, tmp_path)
    (out / "conv2.0" / "tuning.json").write_text(
        json.dumps({"units": [{"unit": 10, "dsi": 0.5, "osi": None}, {"unit": 99, "dsi": 1}]})
    )
    (out / "fc" / "tuning.json").write_text("{")
    write_index(out)
    assert [row["tuning_dsi"] for row in rows_of(out / "index.sqlite")] == [None, 0.5, None]


def test_damaged_records_are_named_and_left_out(result_factory: Make, tmp_path: Path) -> None:
    out = filled(result_factory, tmp_path)
    (out / "fc" / "0" / "unit.json").write_text("{")
    (problem,) = write_index(out)
    assert "fc/0/unit.json" in problem
    assert len(rows_of(out / "index.sqlite")) == 2
    assert not list(out.glob("*-journal"))


def test_an_empty_folder_has_an_empty_index(tmp_path: Path) -> None:
    write_index(tmp_path)
    assert rows_of(tmp_path / "index.sqlite") == []
    assert (tmp_path / "units.csv").read_text() == "layer,unit,unit_name,folder\n"
