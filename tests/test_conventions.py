"""Every sign, axis and unit that docs/conventions.md states, on fields whose answer is known by hand."""

import colorsys
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinetoscope import DecomposeSettings, ModelCard, decompose, list_layers, visualize
from kinetoscope.motion.findings import variance_shares
from kinetoscope.motion.metrics import displacement_tv, psnr_db
from kinetoscope.motion.paper import PaperSettings
from kinetoscope.motion.summary import direction_deg, divergence, label_motion, rotation, summarize
from kinetoscope.render.colour import direction_deg as hue_direction
from kinetoscope.render.colour import flow_to_rgb
from kinetoscope.render.stored import record_of
from kinetoscope.types import MOTION_LABELS
from kinetoscope.warp import accumulate, content_velocity, invert, pixel_grid, sample

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

T, H, W = 5, 24, 38
PIXEL = torch.ones(1, 2, 1, 1)
PAGE = Path(__file__).parents[1] / "docs" / "conventions.md"


def constant(x: float, y: float, steps: int = T - 1) -> Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(steps, 2, H, W).clone()


def affine(growth: float = 0.0, turn: float = 0.0) -> Tensor:
    """Velocity that grows by `growth` per frame and turns counter-clockwise on screen by `turn` radians."""
    y = (torch.arange(H) - (H - 1) / 2).view(H, 1).expand(H, W)
    x = (torch.arange(W) - (W - 1) / 2).view(1, W).expand(H, W)
    return torch.stack([growth * x + turn * y, growth * y - turn * x]).expand(T - 1, 2, H, W).clone()


def blob(x: float, y: float) -> Tensor:
    squared = (pixel_grid(H, W) - torch.tensor([x, y]).view(1, 2, 1, 1)).square().sum(dim=1, keepdim=True)
    return torch.exp(-squared / 6)


def centre(picture: Tensor) -> tuple[float, float]:
    weights = picture / picture.sum()
    x, y = (pixel_grid(H, W) * weights).sum(dim=(0, 2, 3)).tolist()
    return x, y


def drifting(x: float, y: float) -> Tensor:
    """A smooth texture without stripes that moves by (x, y) pixels per frame, (T, 3, H, W)."""
    draw = torch.Generator().manual_seed(3)
    waves = torch.randn(12, 2, generator=draw) * 0.45
    phases = torch.rand(3, 12, generator=draw) * 2 * math.pi
    frames = []
    for t in range(T):
        at = pixel_grid(H, W)[0] - t * torch.tensor([x, y]).view(2, 1, 1)
        angles = torch.einsum("kc,chw->khw", waves, at)
        frames.append(torch.stack([torch.cos(angles + p.view(-1, 1, 1)).mean(dim=0) for p in phases]))
    return (0.5 + 0.7 * torch.stack(frames)).clamp(0, 1)


@pytest.mark.parametrize(("x", "y"), [(2.0, 0.0), (0.0, -3.0), (-2.0, 1.0)])
def test_content_moves_against_a_sampling_field(x: float, y: float) -> None:
    seen = centre(sample(blob(18, 11), pixel_grid(H, W) + constant(x, y, 1)))
    assert seen == pytest.approx((18 - x, 11 - y), abs=1e-2)


@pytest.mark.parametrize(("x", "y"), [(1.5, 0.0), (0.0, -0.75), (-0.5, 1.0)])
def test_displacement_of_a_translation(x: float, y: float) -> None:
    velocity = constant(x, y)
    displacement = accumulate(-velocity, PIXEL)
    for t in range(T):
        assert torch.allclose(displacement[t], -t * constant(x, y, 1)[0], atol=1e-4)
    found = content_velocity(displacement, torch.zeros_like(velocity))
    assert torch.allclose(found, velocity, atol=1e-3)
    assert torch.allclose(found, -displacement.diff(dim=0), atol=1e-3)


@pytest.mark.parametrize("field", [affine(growth=0.03), affine(turn=0.04), affine(growth=-0.02, turn=-0.03)])
def test_velocity_and_displacement_fetch_the_same_spot(field: Tensor) -> None:
    displacement = accumulate(invert(field, PIXEL), PIXEL)
    velocity = content_velocity(displacement, torch.zeros_like(field))
    ahead = sample(displacement[1:], pixel_grid(H, W) + velocity)
    inner = (..., slice(8, -8), slice(8, -8))
    assert torch.allclose(displacement[:-1][inner], (velocity + ahead)[inner], atol=2e-3)
    assert torch.allclose(velocity[inner], field[inner], atol=2e-2)
    plain = -displacement.diff(dim=0)
    assert (plain - field)[inner].abs().max() > 3 * (velocity - field)[inner].abs().max()


@pytest.mark.parametrize(
    ("x", "y", "degrees", "word"),
    [
        (1.0, 0.0, 0.0, "right"),
        (1.0, -1.0, 45.0, "up-right"),
        (0.0, -1.0, 90.0, "up"),
        (-1.0, -1.0, 135.0, "up-left"),
        (-1.0, 0.0, 180.0, "left"),
        (-1.0, 1.0, 225.0, "down-left"),
        (0.0, 1.0, 270.0, "down"),
        (1.0, 1.0, 315.0, "down-right"),
    ],
)
def test_directions(x: float, y: float, degrees: float, word: str) -> None:
    assert direction_deg(torch.tensor([x, y])) == pytest.approx(degrees)
    assert hue_direction(constant(x, y))[0, 3, 5].item() == pytest.approx(degrees, abs=1e-3)
    assert label_motion(constant(x, y)) == word


def test_expansion_diverges_by_twice_its_growth() -> None:
    assert divergence(affine(growth=0.02)) == pytest.approx(0.04, abs=1e-6)
    assert divergence(affine(growth=-0.02)) == pytest.approx(-0.04, abs=1e-6)
    assert rotation(affine(growth=0.02)) == pytest.approx(0.0, abs=1e-6)
    x, y = centre(sample(blob(28, 8), pixel_grid(H, W) + invert(affine(growth=0.1)[:1], PIXEL)))
    assert x > 28.5
    assert y < 7.8, "content above the middle moves up"


def test_counter_clockwise_on_screen_is_positive() -> None:
    assert rotation(affine(turn=0.05)) == pytest.approx(0.05, abs=1e-6)
    assert divergence(affine(turn=0.05)) == pytest.approx(0.0, abs=1e-6)
    middle_x, middle_y = (W - 1) / 2, (H - 1) / 2
    moved = sample(blob(middle_x + 9, middle_y), pixel_grid(H, W) + invert(affine(turn=0.2)[:1], PIXEL))
    assert centre(moved)[1] < middle_y - 1.5, "what is right of the middle moves up"


@pytest.mark.parametrize(
    ("field", "word"),
    [
        (affine(growth=0.02), "expansion"),
        (affine(growth=-0.02), "contraction"),
        (affine(turn=0.02), "counter-clockwise"),
        (affine(turn=-0.02), "clockwise"),
        (constant(0.09, 0.0), "still"),
        (constant(0.11, 0.0), "right"),
        (constant(0.0, 0.3) + affine(growth=-0.02), "down"),
        (
            constant(0.0, 0.2) + affine(growth=-0.02),
            "contraction",
        ),  # half of 0.04, at 13 px: 0.26 px per frame
        (constant(0.0, 0.3) + affine(turn=0.02), "down"),
        (constant(0.0, 0.2) + affine(turn=0.02), "counter-clockwise"),  # 0.02 at 13 px is 0.26 px per frame
    ],
)
def test_labels(field: Tensor, word: str) -> None:
    assert label_motion(field) == word
    assert word in MOTION_LABELS


def test_colour_is_direction_and_speed() -> None:
    x, y, scale = -0.6, -0.8, 4.0
    hue = math.degrees(math.atan2(-y, x)) / 360
    wanted = colorsys.hsv_to_rgb(hue, 1.0, 1.0 / scale)
    assert flow_to_rgb(constant(x, y), scale)[2, :, 7, 9].tolist() == pytest.approx(wanted, abs=1e-5)
    fast = flow_to_rgb(constant(100 * x, 100 * y), scale)[2, :, 7, 9]
    assert fast.max().item() == pytest.approx(1.0, abs=1e-5)


def test_displacement_tv_is_in_fractions_of_the_frame() -> None:
    field = torch.randn(T, 2, H, W, generator=torch.Generator().manual_seed(0))
    fractions = field.double().numpy() / np.array([W, H]).reshape(1, 2, 1, 1)
    wanted = sum(np.abs(np.diff(fractions, axis=axis)).mean() for axis in (3, 2, 0))
    assert displacement_tv(field) == pytest.approx(wanted, rel=1e-5)
    # x moves by 1 px per frame: over both components the mean is half of 1 / W
    assert displacement_tv(accumulate(constant(1.0, 0.0), PIXEL)) == pytest.approx(0.5 / W, rel=1e-4)


def test_psnr_is_against_peak_one_with_a_ceiling() -> None:
    image = torch.full((3, H, W), 0.4)
    assert psnr_db(image, image) == pytest.approx(100.0)
    assert psnr_db(image, image + 0.1) == pytest.approx(20.0, abs=1e-3)
    assert psnr_db(image, image + 1.0) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("errors", "shares"),
    [
        ((0.04, 0.03, 0.03, 0.01), (0.25, 0.0, 0.5, 0.25)),
        ((0.04, 0.04, 0.02, 0.01), (0.0, 0.5, 0.25, 0.25)),
        ((0.04, 0.05, 0.06, 0.07), (0.0, 0.0, 0.0, 1.0)),
        ((0.04, 0.02, 0.01, 0.01, 0.01), (0.25, 0.25, 0.0, 0.5)),
        ((0.04, 0.02, 0.016, 0.016, 0.01), (0.25, 0.1, 0.0, 0.65)),
        ((0.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)),
    ],
)
def test_variance_shares(errors: tuple[float, ...], shares: tuple[float, ...]) -> None:
    found = variance_shares(*errors)
    assert tuple(found) == ("coherent", "light", "jitter", "residual")
    assert tuple(found.values()) == pytest.approx(shares)


def test_a_planted_drift_comes_back_with_its_sign() -> None:
    video = drifting(0.8, -0.6)
    parts = decompose(video)
    motion = summarize(parts)
    assert motion.direction_deg == pytest.approx(math.degrees(math.atan2(0.6, 0.8)), abs=10)
    assert motion.speed_px_per_frame == pytest.approx(1.0, abs=0.15)
    assert motion.coherence == pytest.approx(motion.speed_px_per_frame / motion.mean_speed_px_per_frame)
    assert motion.label == "up-right"
    assert sum(parts.variance_explained.values()) == pytest.approx(1.0)
    assert parts.variance_explained["coherent"] > 0.8
    fetched = pixel_grid(H, W) + parts.displacement
    limit = torch.tensor([W - 1, H - 1]).view(1, 2, 1, 1)
    inside = ((fetched >= 0) & (fetched <= limit)).all(dim=1, keepdim=True).expand_as(video)
    warped = parts.light_gain * sample(parts.static_image[None], fetched) + parts.light_offset
    assert torch.allclose(warped[inside], parts.reconstruction[inside], atol=1e-4)
    assert not torch.allclose(warped, parts.reconstruction, atol=1e-2), "the margin is no part of the texture"


def test_responses_are_to_the_clips_the_page_names() -> None:
    torch.manual_seed(5)
    network = nn.Sequential(nn.Conv3d(3, 2, (3, 5, 5))).eval()
    card = ModelCard(clip=(T, 16, 20), mean=(0.4,), std=(0.3,))
    (result,) = visualize(
        network, "0", [1], card=card, objective="channel", preset="strong", steps=8, seed=2, seeds=1
    )

    def response(clip: Tensor) -> float:
        with torch.no_grad():
            output: Tensor = network(((clip - 0.4) / 0.3).transpose(0, 1)[None])
        return output[0, 1].mean().item()

    found, parts, video = result.activation, result.decomposition, result.video
    assert found["flat_colour"] == pytest.approx(
        response(video.mean(dim=(0, 2, 3), keepdim=True).expand_as(video)), abs=1e-4
    )
    assert found["optimal"] == pytest.approx(response(video), abs=1e-4)
    assert found["reconstruction"] == pytest.approx(response(parts.reconstruction), abs=1e-4)
    assert found["static_only"] == pytest.approx(response(parts.static_image.expand_as(video)), abs=1e-4)
    assert found["reversed"] == pytest.approx(response(video.flip(0)), abs=1e-4)
    assert found["random_input"] == pytest.approx(response(torch.full_like(video, 0.5)), abs=0.02)
    assert found["optimal"] > found["random_input"] + 0.02
    assert abs(found["reversed"] - found["optimal"]) > 1e-3


def test_receptive_fields_are_counted_in_the_clip() -> None:
    network = nn.Sequential(
        nn.Conv3d(3, 4, (3, 5, 7), stride=(1, 2, 3)), nn.AvgPool3d((1, 2, 2)), nn.Conv3d(4, 6, 3)
    )
    rows = {row.name: row for row in list_layers(network, ModelCard(clip=(9, 32, 48)))}
    field = rows["2"].receptive_field
    assert (field.frames, field.height, field.width) == (5, 5 + 2 + 2 * 4, 7 + 3 + 2 * 6)
    assert field.stride == (1, 4, 6)
    assert rows["0"].output_shape == (4, 7, 14, 14)


def test_every_key_of_a_record_is_on_the_page() -> None:
    network = nn.Sequential(nn.Conv3d(3, 2, 3))
    results = visualize(network, "0", [1], card=ModelCard(clip=(T, 16, 20)), steps=1, seeds=2)
    page = "".join(p.read_text(encoding="utf-8") for p in (PAGE, PAGE.with_name("truth.md")))
    record = record_of(results[0], 0.1)
    parts = ("seconds", "activation", "indices", "confidence", "motion")
    keys = {*record, *(key for part in parts for key in record[part])}
    keys |= {*record["decomposition"], *record["decomposition"]["variance_explained"]}
    assert keys >= {"optimize", "reversed", "label", "psnr_db", "residual"}
    assert {key for key in keys if f"`{key}`" not in page} == set()
    assert {word for word in MOTION_LABELS if f"`{word}`" not in page} == set()
    json.dumps(record, allow_nan=False)


def test_the_papers_formulation_has_no_coherent_part() -> None:
    few = DecomposeSettings(formulation="paper", paper=PaperSettings(steps=20))
    parts = decompose(drifting(0.8, 0.0), few)
    assert parts.coherent_velocity.abs().max() == 0
    assert parts.variance_explained["coherent"] == 0
