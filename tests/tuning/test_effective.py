"""Effective receptive fields: of kernels that are known, of stacks of them, and through the command."""

import json
import math

import pytest
import torch
from torch import nn

from kinetoscope.card import ModelCard
from kinetoscope.cli import main
from kinetoscope.errors import LayerNotFound, SettingInvalid
from kinetoscope.tuning.effective import effective_fields, measured_extent

CARD = ModelCard(clip=(11, 21, 31), mean=(0.5,), std=(0.25,))


def bells(deviations: tuple[float, float, float], sizes: tuple[int, int, int]) -> torch.Tensor:
    """A Gaussian kernel, (1, 1, D, h, w)."""
    kernel = torch.ones(1)
    for deviation, size in zip(deviations, sizes, strict=True):
        away = torch.arange(size) - (size - 1) / 2
        kernel = kernel[..., None] * (-0.5 * (away / deviation) ** 2).exp()
    return kernel[None]


def smoothing(kernel: torch.Tensor, inputs: int) -> nn.Conv3d:
    """A convolution whose every weight map is this kernel."""
    conv = nn.Conv3d(inputs, 4, kernel.shape[2:], padding=[size // 2 for size in kernel.shape[2:]])
    conv.weight = nn.Parameter(kernel.expand(4, inputs, *kernel.shape[2:]).clone())
    return conv


def test_a_gaussian_kernel_has_its_own_deviation() -> None:
    kernel = bells((1.0, 2.0, 1.5), (7, 13, 9))
    found = effective_fields(nn.Sequential(smoothing(kernel, 3)), CARD, ["0"], clips=2)["0"]
    for got, deviation in zip(found.deviation, (1.0, 2.0, 1.5), strict=True):
        assert got == pytest.approx(deviation / math.sqrt(2), rel=0.02)
    assert found.centre == pytest.approx((5, 10, 15), abs=1e-4)
    # 95 % of a Gaussian lie within 1.96 deviations of its square, to whole frames, rows and columns
    for got, deviation in zip((found.frames, found.height, found.width), (1.0, 2.0, 1.5), strict=True):
        assert abs(got - 2 * 1.96 * deviation / math.sqrt(2)) <= 1


def test_two_in_a_row_add_their_variances_and_stay_within_what_geometry_allows() -> None:
    first, second = bells((1.0, 1.0, 1.0), (5, 5, 5)), bells((1.0, 2.0, 1.0), (5, 9, 5))
    net = nn.Sequential(smoothing(first, 3), smoothing(second, 4))
    found = effective_fields(net, CARD, ["0", "1"], clips=2)
    assert found["0"].deviation[1] == pytest.approx(1 / math.sqrt(2), rel=0.05)
    assert found["1"].deviation[1] == pytest.approx(math.sqrt(1 + 4) / math.sqrt(2), rel=0.05)
    assert found["1"].frames < 9  # the theoretical span
    assert found["0"].height < found["1"].height < 13


def test_what_is_not_used_does_not_count() -> None:
    conv = nn.Conv3d(3, 2, (3, 5, 7), padding=(1, 2, 3))
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[:, :, 1, 2:4, 1] = 1.0  # one step, two rows, one column
    found = effective_fields(nn.Sequential(conv), CARD, ["0"], clips=4)["0"]  # one pair of signs cancels
    assert (found.frames, found.height, found.width) == (1, 2, 1)
    assert found.centre == pytest.approx((5, 10.5, 13))


def test_all_units_count_alike() -> None:
    conv = nn.Conv3d(3, 2, (1, 1, 9), padding=(0, 0, 4), bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, :, 0, 0, 0], conv.weight[1, :, 0, 0, 8] = 1.0, -1.0
    found = effective_fields(nn.Sequential(conv), CARD, ["0"], clips=1)["0"]
    assert (found.width, found.deviation[2]) == (9, pytest.approx(4.0))


def test_layers_that_say_nothing_have_no_field() -> None:
    class Deaf(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.detach().round()

    net = nn.Sequential(nn.Conv3d(3, 2, 1), Deaf())
    with torch.no_grad():
        net[0].weight.zero_()
    told: list[str] = []
    assert effective_fields(net, CARD, ["0", "1"], clips=1, told=told.append) == {"0": None, "1": None}
    (why,) = told
    assert "no gradient from layer '1' reaches the clip" in why
    assert measured_extent(torch.zeros(2, 3, 4)) is None
    with pytest.raises(SettingInvalid, match="at least 1 clip"):
        effective_fields(net, CARD, ["0"], clips=0)
    with pytest.raises(LayerNotFound, match="no layer 'o'"):
        effective_fields(net, CARD, ["o"])


def test_seeds_are_kept_and_the_model_comes_back() -> None:
    net = nn.Sequential(nn.Conv3d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv3d(4, 2, 3)).train()
    before = torch.random.get_rng_state()
    one, other = (effective_fields(net, CARD, ["2"], clips=2, seed=3) for _ in range(2))
    assert one == other != effective_fields(net, CARD, ["2"], clips=2, seed=4)
    assert torch.equal(before, torch.random.get_rng_state())
    assert net.training
    assert all(p.grad is None and p.requires_grad for p in net.parameters())


def test_the_command_lists_it_beside_what_geometry_allows(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["layers", "motion13", "--measure", "--samples", "1", "--size", "8x16x24"]
    assert main([*asked, "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    seen, used = rows["conv2"]["receptive_field"], rows["conv2"]["effective_field"]
    assert all(1 <= used[axis] <= seen[axis] for axis in ("frames", "height", "width"))
    assert main(asked) == 0
    printed = capsys.readouterr().out
    assert "95 % of its gradient (TxHxW)" in printed
    assert "effective_field" not in printed
    assert main(["layers", "motion13", "--json"]) == 0
    assert "effective_field" not in capsys.readouterr().out
