"""Channels beside their parameters: the most active frame, the still optimum, and velocities read twice."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from torch import Tensor, nn
from typer.testing import CliRunner, Result

from kinetoscope.card import ModelCard
from kinetoscope.cli.temporal import temporal
from kinetoscope.errors import LayerNotFound
from kinetoscope.evaluation.trajectories import (
    active_frames,
    channel_velocities,
    layer_motion,
    still_optima,
    velocity_correlation,
)
from kinetoscope.tconv import Conv3T
from kinetoscope.tconv.read import read_motion

DIRECTIONS = (0, 90, 200, 315)
CARD = ModelCard(clip=(8, 20, 28), channels=1, mean=(0.5,), std=(0.25,))


def drifting() -> tuple[nn.Module, ModelCard]:
    """Gratings under a window, one a channel, that move one pixel a slice along `DIRECTIONS`."""
    layer = Conv3T(1, len(DIRECTIONS), (5, 11, 9), padding=(2, 5, 4), bias=False)
    with torch.no_grad():
        y, x = torch.meshgrid(torch.arange(11.0) - 5, torch.arange(9.0) - 4, indexing="ij")
        for channel, direction in enumerate(DIRECTIONS):
            right, down = math.cos(math.radians(direction)), -math.sin(math.radians(direction))
            along = x * right + y * down + 2  # begins behind the middle, to pass it
            window = torch.exp(-(along**2 + (y * right - x * down) ** 2) / 9)
            layer.first_weight[channel, 0, 0] = window * torch.cos(2 * math.pi / 6 * along)
            layer.translate_x[:, channel] = -right / 4
            layer.translate_y[:, channel] = -down / 5
    network = nn.Sequential(layer, nn.ReLU())
    network.kinetoscope_card = CARD
    return network, CARD


def test_content_is_in_pixels_of_the_clip_per_frame() -> None:
    deep = nn.Sequential(nn.AvgPool3d((2, 3, 1)), Conv3T(1, 2, (2, 3, 3), stride=(1, 2, 1)))
    with torch.no_grad():
        deep[1].translate_x.fill_(-0.5)
        deep[1].translate_y.fill_(0.25)
    deep.kinetoscope_card = ModelCard(clip=(6, 15, 16), channels=1)
    motion = layer_motion(read_motion(deep), "1")
    about = next(channel_velocities(deep, motion, [1], steps=1))
    torch.testing.assert_close(about.content, torch.tensor([0.5 / 2, -0.25 * 3 / 2]))
    assert not any(module._forward_pre_hooks for module in deep.modules())
    deep[0].register_forward_pre_hook(lambda _, given: given[0] / given[0].std())  # hides the geometry
    about = next(channel_velocities(deep, motion, [1], steps=1))
    torch.testing.assert_close(about.content, torch.tensor([0.5 / 2, -0.25 * 3 / 2]))
    with pytest.raises(LayerNotFound, match="'0' has no temporal parameters; closest: 1"):
        layer_motion(read_motion(deep), "0")


def test_correlation() -> None:
    left = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]])
    assert velocity_correlation(left, 3 * left + torch.tensor([1.0, -4.0])) == pytest.approx(1.0)
    assert velocity_correlation(left, -left) == pytest.approx(-1.0)
    mixed = torch.tensor([[1.0, 0.5], [0.0, 1.0], [0.0, 0.0]])
    a, b = (side - side.mean(dim=0) for side in (left, mixed))
    assert velocity_correlation(left, mixed) == pytest.approx(np.corrcoef(a.flatten(), b.flatten())[0, 1])
    assert velocity_correlation(left[:2], left[:2]) is None
    assert velocity_correlation(left, torch.ones(3, 2)) is None


def grating(frames: int, moment: int) -> Tensor:
    """Grey, but for a patch of channel 0's grating in one frame."""
    clip = torch.full((frames, 1, 20, 28), 0.5)
    x = torch.arange(9.0)
    clip[moment, 0, 5:15, 12:21] = 0.5 + 0.4 * torch.cos(2 * math.pi / 6 * (x - 4))
    return clip


def test_the_most_active_frame_and_its_gradient() -> None:
    network, _ = drifting()
    windows = [(0, grating(8, 2)), (8, 0.5 + 1.2 * (grating(8, 5) - 0.5)), (16, grating(8, 1))]
    (about,) = active_frames(network, "0", [0], windows)
    assert (about.channel, abs(about.frame - 13) <= 2) == (0, True)
    assert torch.equal(about.picture, windows[1][1][about.frame - 8])
    assert about.gradient.shape == (20, 28)
    outside = about.gradient.clone()
    outside[0:20, 6:27] = 0  # a kernel's reach around the patch
    assert float(about.gradient.max()) > 0
    assert float(outside.max()) < 0.2 * float(about.gradient.max())
    assert all(parameter.grad is None for parameter in network.parameters())
    flat = nn.Sequential(network, nn.AdaptiveAvgPool3d(1), nn.Flatten())
    with pytest.raises(LayerNotFound, match="no map over time and space"):
        active_frames(flat, "2", [0], windows, card=CARD)


def test_the_frame_lies_in_the_middle_of_what_the_step_sees() -> None:
    network = nn.Sequential(nn.Conv3d(1, 1, (3, 1, 1), stride=(2, 1, 1), bias=False))
    network[0].weight.data.fill_(1.0)
    clip = torch.zeros(9, 1, 4, 5)
    clip[4:7] = 0.5  # all of step 2: frames 4, 5, 6
    (about,) = active_frames(network, "0", [0], [(10, clip)], card=ModelCard(clip=(9, 4, 5), channels=1))
    assert (about.frame, about.peak) == (15, pytest.approx(1.5))


def test_the_still_optimum_is_the_still_image_of_a_kernel() -> None:
    layer = nn.Conv3d(1, 1, (3, 20, 28), bias=False)
    wish = torch.zeros(3, 20, 28)
    wish[:, 4:9, 6:12] = 1.0
    wish[0, 12:16] = -1.0
    wish[1:, 12:16] = 1.0  # on the whole light
    wish[0, :, 20:] = 1.0
    wish[1:, :, 20:] = -1.0  # on the whole dark
    layer.weight.data.copy_(wish / wish.numel())
    (image,) = still_optima(nn.Sequential(layer), "0", [0], card=CARD, size=(3, 20, 28), steps=40)
    assert image.shape == (1, 20, 28)
    assert float(image[0, 5:8, 7:11].mean()) > 0.6
    assert float(image[0, :, 22:].mean()) < 0.4


FACTORY = "import sys; sys.path.insert(0, {folder!r})\nfrom test_trajectories import drifting\n"


def call(tmp_path: Path, *words: str) -> Result:
    (tmp_path / "nets.py").write_text(FACTORY.format(folder=str(Path(__file__).parent)))
    app = typer.Typer()
    app.command()(temporal)
    out = str(tmp_path / "out")
    return CliRunner().invoke(app, [f"{tmp_path / 'nets.py'}:drifting", "--out", out, "--quiet", *words])


@pytest.mark.usefixtures("quick_motion")
def test_the_verb_compares_and_shows(tmp_path: Path) -> None:
    clip = tmp_path / "clip.npy"
    np.save(clip, grating(8, 3).expand(-1, 3, -1, -1).numpy())
    words = [
        "--units",
        "0-2",
        "--steps",
        "12",
        "--size",
        "8x32x40",  # in a smaller clip flat grey drives these kernels as well as any pattern
        "--agree",
        "0",
        "--show",
        "0",
        "--clip",
        str(clip),
    ]
    done = call(tmp_path, *words)
    out = tmp_path / "out"
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].startswith(f"{out / 'agreement.csv'}: correlation over ")
    with (out / "agreement.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["channel"] for row in rows] == ["0", "1", "2"]
    assert float(rows[1]["content_direction_deg"]) == pytest.approx(90, abs=0.1)
    assert float(rows[1]["content_speed"]) == pytest.approx(1, abs=1e-3)
    assert max(float(row["direction_error_deg"]) for row in rows) < 25
    assert float(done.stdout.splitlines()[0].split()[-1]) > 0.9
    assert {"agreement.png", "channels.png"} <= {path.name for path in out.iterdir()}
    (out / "fit.csv").write_text("of another network")
    assert call(tmp_path).exit_code == 0
    assert {path.name for path in out.iterdir()} == {
        *("temporal.csv", "statistics.csv", "statistics.md", "kernels.png", "distributions.png", "curves")
    }


def test_a_clip_needs_a_layer(tmp_path: Path) -> None:
    refused = call(tmp_path, "--clip", "clip.npy")
    assert refused.exit_code == 2
    assert "--show LAYER" in refused.output
    assert isinstance(call(tmp_path, "--agree", "1").exception, LayerNotFound)
    assert not (tmp_path / "out").exists()
