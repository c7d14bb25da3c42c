"""What `kinetoscope temporal` leaves: tables that agree with the layer, and pictures of it."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from kinetoscope.cli.temporal import temporal
from kinetoscope.errors import LayerNotFound, UnitOutOfRange
from kinetoscope.render.temporal import CONTENT, END, SAMPLING, START, draw_curves, draw_strips

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

FACTORY = """
import torch
from kinetoscope.tconv import Conv3T

def moving():
    torch.manual_seed(0)
    first, second = Conv3T(3, 14, (3, 5, 7)), Conv3T(14, 2, (2, 3, 3))
    with torch.no_grad():
        first.translate_x.copy_(torch.linspace(-1, 1, 28).view(2, 14))
        first.rotate.fill_(0.25)
        second.scale.fill_(1.25)
    return torch.nn.Sequential(first, torch.nn.ReLU(), second)

def ordinary():
    return torch.nn.Sequential(torch.nn.Conv3d(3, 2, (2, 3, 4)), torch.nn.Conv3d(2, 2, 1))
"""


def call(tmp_path: Path, *words: str) -> Result:
    (tmp_path / "nets.py").write_text(FACTORY)
    app = typer.Typer()
    app.command()(temporal)
    name = f"{tmp_path / 'nets.py'}:{words[0]}"
    return CliRunner().invoke(app, [name, "--out", str(tmp_path / "out"), *words[1:]])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.painted
def test_tables_and_pictures(tmp_path: Path) -> None:
    done = call(tmp_path, "moving")
    out = tmp_path / "out"
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{out / 'statistics.md'}\n"
    rows = rows_of(out / "temporal.csv")
    assert len(rows) == 14 * 2 + 2
    assert list(rows[0])[:7] == [
        *("layer", "channel", "step", "scale", "rotation_deg"),
        "shift_x_px",
        "shift_y_px",
    ]
    row = next(row for row in rows if (row["layer"], row["channel"], row["step"]) == ("0", "13", "1"))
    numbers = {key: float(row[key]) for key in row if key.endswith(("_px", "_deg", "scale"))}
    assert numbers["shift_x_px"] == pytest.approx(3.0)
    assert numbers["content_shift_x_px"] == pytest.approx(-3.0)
    assert numbers["rotation_deg"] == pytest.approx(14.3239, rel=1e-4)
    assert numbers["content_rotation_deg"] == pytest.approx(-14.3239, rel=1e-4)
    assert float(rows[-1]["scale"]) == 1.25
    assert float(rows[-1]["content_scale"]) == pytest.approx(0.8)
    found = {(row["layer"], row["parameter"]): row for row in rows_of(out / "statistics.csv")}
    assert float(found["(model)", "scale"]["mean"]) == pytest.approx((28 + 2 * 1.25) / 30, rel=1e-5)
    assert float(found["2", "scale"]["mean_magnitude"]) == pytest.approx(0.25)
    page = (out / "statistics.md").read_text()
    assert "*sampling*" in page
    assert "content_..." in page
    assert "| 2 | 0.25 / 0 |" in page
    pictures = {str(path.relative_to(out)) for path in out.rglob("*.png")}
    assert pictures == {"kernels.png", "distributions.png", "curves/0.png", "curves/2.png"}
    assert not (out / "fit.csv").exists()


def test_chosen_channels_fill_pages(tmp_path: Path) -> None:
    assert isinstance(call(tmp_path, "moving", "--units", "2").exception, UnitOutOfRange)
    assert not (tmp_path / "out").exists()
    assert call(tmp_path, "moving", "--units", "all", "--quiet").exit_code == 0
    names = {path.name for path in (tmp_path / "out" / "curves").iterdir()}
    assert names == {"0.png", "0~2.png", "2.png"}


def test_ordinary_convolutions_are_fitted_when_asked(tmp_path: Path) -> None:
    refused = call(tmp_path, "ordinary")
    assert isinstance(refused.exception, LayerNotFound)
    assert "--fit" in str(refused.exception)
    assert not (tmp_path / "out").exists()
    assert call(tmp_path, "ordinary", "--fit").exit_code == 0
    (fit,) = rows_of(tmp_path / "out" / "fit.csv")
    assert (fit["layer"], fit["kernel_size"]) == ("0", "2x3x4")
    assert 0 < float(fit["still"]) < float(fit["explained"]) <= 1
    assert "How much of the kernels" in (tmp_path / "out" / "statistics.md").read_text()


def test_a_correlation_of_two_channels_is_said_to_be_undefined(tmp_path: Path) -> None:
    words = ["--agree", "2", "--objective", "channel", "--steps", "2", "--size", "6x16x20", "--quiet"]
    done = call(tmp_path, "moving", *words)
    assert done.exit_code == 0, (done.output, done.exception)
    told = done.stdout.splitlines()[0]
    assert re.search(r"over [012] channels is undefined: fewer than 3 channels to compare$", told)
    rows = rows_of(tmp_path / "out" / "agreement.csv")
    assert [row["channel"] for row in rows] == ["0", "1"]
    assert "nan" not in (tmp_path / "out" / "agreement.csv").read_text()
    assert call(tmp_path, "moving", "--agree", "2", "--objective", "no").exit_code == 2


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def near(picture: np.ndarray, colour: str) -> np.ndarray:
    """Where a picture has a colour, written #rrggbb."""
    wanted = [int(colour[index : index + 2], 16) for index in (1, 3, 5)]
    return np.abs(picture - wanted).max(axis=-1) < 12


@pytest.mark.painted
def test_a_path_starts_blue_and_ends_red() -> None:
    content = torch.tensor([1.0, 0.0, 1.5, -1.0]).view(4, 1, 1).expand(4, 3, 1)
    path = torch.tensor([1.5, -1.0]) * torch.arange(4)[:, None]  # right and up
    picture = pixels(draw_curves("net / conv", [5], content, -content, path[:, :, None], (7, 9)))
    plot = picture[170:, 1295:1430]
    starts, ends = np.argwhere(near(plot, START)), np.argwhere(near(plot, END))
    assert len(starts) > 5
    assert len(ends) > 5
    up, right = starts.mean(axis=0) - ends.mean(axis=0)
    assert up > 10
    assert -right > 15
    assert near(picture[150:, 100:1250], CONTENT).any()
    assert near(picture[150:, 100:1250], SAMPLING).any()


@pytest.mark.painted
def test_strips_begin_with_the_earliest_frame_and_grey_is_zero() -> None:
    kernels = torch.zeros(2, 3, 4, 3, 5)
    kernels[1, 0, 0] = 2.0  # red in the first slice
    picture = pixels(draw_strips("net: kernels of conv", kernels))
    red = np.argwhere(near(picture, "#ff8080"))
    grey = np.argwhere(near(picture, "#808080"))
    level = (grey[:, 0] >= red[:, 0].min()) & (grey[:, 0] <= red[:, 0].max())
    beside = grey[level & (grey[:, 1] >= red[:, 1].min())]
    assert len(red) > 100
    assert red[:, 1].max() < beside[:, 1].min()
