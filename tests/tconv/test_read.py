"""Reading motion: sampling and content, their order, pixels, paths and statistics."""

import math

import pytest
import torch
from torch import Tensor, nn

from kinetoscope.errors import LayerNotFound
from kinetoscope.tconv.layer import Conv3T
from kinetoscope.tconv.read import WHOLE_MODEL, read_motion, statistics


def spot(x: float, y: float, height: int, width: int) -> Tensor:
    """A smooth spot, (x, y) pixels from the middle of a slice."""
    rows = torch.arange(height)[:, None] - (height - 1) / 2 - y
    columns = torch.arange(width)[None] - (width - 1) / 2 - x
    return torch.exp(-(rows**2 + columns**2) / 8)


def centre(picture: Tensor) -> tuple[float, float]:
    height, width = picture.shape
    share = picture / picture.sum()
    x = (share.sum(dim=0) * (torch.arange(width) - (width - 1) / 2)).sum()
    y = (share.sum(dim=1) * (torch.arange(height) - (height - 1) / 2)).sum()
    return float(x), float(y)


def set_steps(layer: Conv3T, *rows: tuple[float, float, float, float]) -> None:
    for index, name in enumerate(("scale", "rotate", "translate_x", "translate_y")):
        part = getattr(layer, name)
        part.data.copy_(torch.tensor([row[index] for row in rows])[:, None].expand_as(part))


def test_signs_and_pixels() -> None:
    layer = Conv3T(1, 2, (2, 5, 9))
    set_steps(layer, (0.8, math.pi / 6, 0.5, -0.25))
    (motion,) = read_motion(nn.Sequential(layer))
    assert (motion.layer, motion.kernel_size) == ("0", (2, 5, 9))
    assert motion.sampling[:, 0, 1].tolist() == pytest.approx([0.8, 30, 0.5 * 4, -0.25 * 2], rel=1e-5)
    assert motion.content[:, 0, 1].tolist() == pytest.approx([1.25, -30, -2.0, 0.5], rel=1e-5)


@pytest.mark.parametrize(
    "rows",
    [
        [(1.0, 0.0, 0.1, -0.15), (1.0, 0.0, -0.2, 0.05)],
        [(0.9, 0.0, 0.12, 0.1), (0.9, 0.0, 0.12, 0.1)],
        [(1.0, 0.4, 0.15, 0.1), (1.0, 0.4, 0.15, 0.1), (1.0, -0.3, 0.1, 0.0)],
        [(0.95, -0.5, -0.2, 0.1), (0.9, -0.4, 0.1, 0.15)],
    ],
)
def test_the_path_follows_what_the_kernel_shows(rows: list[tuple[float, float, float, float]]) -> None:
    layer = Conv3T(1, 1, (len(rows) + 1, 31, 31), bias=False)
    layer.first_weight.data.copy_(spot(0, 0, 31, 31))
    set_steps(layer, *rows)
    (motion,) = read_motion(layer)
    seen = torch.tensor([centre(picture) for picture in layer.weight[0, 0].detach()])
    assert motion.path_px.shape == (len(rows) + 1, 2, 1)
    torch.testing.assert_close(motion.path_px[:, :, 0], seen, atol=0.15, rtol=0)
    assert float(motion.path_px[-1].norm()) > 1


def test_turning_is_clockwise_positive_and_scale_is_size() -> None:
    layer = Conv3T(1, 1, (2, 31, 31), bias=False)
    layer.first_weight.data.copy_(spot(8, 0, 31, 31))
    set_steps(layer, (1.0, -0.5, 0.0, 0.0))
    (motion,) = read_motion(layer)
    x, y = centre(layer.weight[0, 0, 1].detach())
    assert float(motion.content[1, 0, 0]) == pytest.approx(math.degrees(0.5), rel=1e-4)
    assert (x, y) == pytest.approx((8 * math.cos(0.5), 8 * math.sin(0.5)), abs=0.1)  # y down: clockwise
    set_steps(layer, (0.8, 0.0, 0.0, 0.0))
    (motion,) = read_motion(layer)
    assert centre(layer.weight[0, 0, 1].detach())[0] == pytest.approx(
        8 * float(motion.content[0, 0, 0]), abs=0.2
    )


def test_statistics_are_of_the_learned_parameters() -> None:
    network = nn.Sequential(Conv3T(1, 2, (2, 3, 5)), Conv3T(2, 1, (1, 3, 3)), Conv3T(2, 1, (3, 3, 3)))
    network[0].translate_x.data.copy_(torch.tensor([[0.5, -0.5]]))
    network[2].scale.data.copy_(torch.tensor([[1.2], [0.6]]))
    rows = {(row.layer, row.parameter): row for row in statistics(read_motion(network))}
    assert len(rows) == 3 * 4
    shift = rows["0", "shift_x_px"]
    assert (shift.count, shift.mean, shift.deviation) == (2, 0.0, 1.0)
    assert (shift.mean_magnitude, shift.deviation_magnitude) == (1.0, 0.0)
    scale = rows["2", "scale"]
    assert (scale.mean, scale.deviation) == pytest.approx((0.9, 0.3))
    assert (scale.mean_magnitude, scale.deviation_magnitude) == pytest.approx((0.3, 0.1))
    whole = rows[WHOLE_MODEL, "scale"]
    assert (whole.count, whole.mean) == (4, pytest.approx(0.95))


def test_nothing_to_read() -> None:
    with pytest.raises(LayerNotFound, match=r"Sequential has no 3T .*tconv\.convert.*--fit"):
        read_motion(nn.Sequential(nn.Conv3d(1, 1, 3), Conv3T(1, 1, (1, 3, 3))))
