"""The kernel function: worked by hand, against torch's own sampling, and its gradients in float64."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kinetoscope.tconv.kernel import temporal_kernel

# What the official code makes of the slice 1..9 (redsphinx/3tconv, abf86fa): s, r, t_x, t_y, then slice 1
WORKED = [
    ((1, 0, 0, 0), [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
    ((1, 0, 1, 0), [[2, 3, 0], [5, 6, 0], [8, 9, 0]]),
    ((1, 0, 0, 1), [[4, 5, 6], [7, 8, 9], [0, 0, 0]]),
    ((1, 0, 0.5, 0), [[1.5, 2.5, 1.5], [4.5, 5.5, 3], [7.5, 8.5, 4.5]]),
    ((2, 0, 0, 0), [[0, 0, 0], [0, 5, 0], [0, 0, 0]]),
    ((0.5, 0, 0, 0), [[3, 3.5, 4], [4.5, 5, 5.5], [6, 6.5, 7]]),
    ((1, math.pi / 2, 0, 0), [[3, 6, 9], [2, 5, 8], [1, 4, 7]]),
    ((1, math.pi / 6, 0, 0), [[1.0359, 2.9019, 3.1077], [2.6340, 5, 7.3660], [3.2321, 7.0981, 5.3038]]),
]


def steps(*rows: tuple[float, ...]) -> list[Tensor]:
    """s, r, t_x, t_y for one output channel, one row a step."""
    return [torch.tensor(rows, dtype=torch.float32)[:, index : index + 1] for index in range(4)]


def drawn(out: int, inputs: int, depth: int, height: int, width: int) -> tuple[Tensor, list[Tensor]]:
    generator = torch.Generator().manual_seed(7)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    size = (depth - 1, out)
    trajectory = [1 + 0.1 * normal(*size), 0.3 * normal(*size), 0.2 * normal(*size), 0.2 * normal(*size)]
    return normal(out, inputs, 1, height, width), trajectory


@pytest.mark.parametrize(("step", "wanted"), WORKED)
def test_worked_examples(step: tuple[float, ...], wanted: list[list[float]]) -> None:
    first = torch.arange(1.0, 10).view(1, 1, 1, 3, 3)
    kernel = temporal_kernel(first, *steps(step))
    assert torch.equal(kernel[:, :, :1], first)
    torch.testing.assert_close(kernel[0, 0, 1], torch.tensor(wanted).float(), atol=1e-4, rtol=0)


def test_each_slice_resamples_the_one_before() -> None:
    first = torch.arange(1.0, 10).view(1, 1, 1, 3, 3)
    kernel = temporal_kernel(first, *steps((1, 0, 0.5, 0), (1, 0, 0.5, 0), (1, 0, 0, 0)))
    assert kernel[0, 0, 2].tolist() == [[2, 2, 0.75], [5, 4.25, 1.5], [8, 6.5, 2.25]]
    assert torch.equal(kernel[0, 0, 3], kernel[0, 0, 2])


@pytest.mark.parametrize("size", [(2, 3, 4, 5, 3), (3, 1, 3, 7, 7), (2, 2, 2, 2, 6)])
def test_against_sampling_one_slice_after_the_other(size: tuple[int, ...]) -> None:
    first, trajectory = drawn(*size)
    slices = [first[:, :, 0]]
    for s, r, x, y in zip(*trajectory, strict=True):
        c, d = s * r.cos(), s * r.sin()
        theta = torch.stack([c, -d, x * c - y * d, d, c, x * d + y * c], dim=1).view(-1, 2, 3)
        grid = F.affine_grid(theta, list(slices[-1].shape), align_corners=True)
        slices.append(F.grid_sample(slices[-1], grid, align_corners=True))
    torch.testing.assert_close(temporal_kernel(first, *trajectory), torch.stack(slices, dim=2))


@pytest.mark.parametrize("size", [(2, 3, 3, 3, 4), (1, 2, 2, 5, 2)])
def test_gradients_away_from_the_identity(size: tuple[int, ...]) -> None:
    first, trajectory = drawn(*size)
    inputs = (first.requires_grad_(), *(part.requires_grad_() for part in trajectory))
    assert torch.autograd.gradcheck(temporal_kernel, inputs)


@pytest.mark.parametrize("size", [2, 3, 7])
def test_standing_still_is_exact_and_its_derivative_one_sided(size: int) -> None:
    first = torch.rand(1, 1, 1, size, size, generator=torch.Generator().manual_seed(1))
    still = [part.requires_grad_() for part in steps((1, 0, 0, 0))]
    kernel = temporal_kernel(first, *still)
    assert torch.equal(kernel[:, :, 1], first[:, :, 0])
    kernel[0, 0, 1, 0, 0].backward()
    rise = (first[0, 0, 0, 0, 1] - first[0, 0, 0, 0, 0]) * (size - 1) / 2
    assert float(still[2].grad) == pytest.approx(float(rise), rel=1e-5)


def test_one_slice_needs_no_steps() -> None:
    first = torch.rand(2, 3, 1, 4, 5)
    assert torch.equal(temporal_kernel(first, *[torch.empty(0, 2)] * 4), first)


@pytest.mark.parametrize(("early", "late"), [(0, 0), (2, 1), (2, 2), (0, 4), (0, 5), (1, 0), (5, 0)])
def test_slices_are_left_out_at_either_end(early: int, late: int) -> None:
    first, trajectory = drawn(2, 3, 6, 4, 3)
    parts = [first.requires_grad_(), *(part.requires_grad_() for part in trajectory)]
    whole = temporal_kernel(*parts)[:, :, early : 6 - late]
    weights = torch.linspace(-1, 2, whole.numel(), dtype=torch.float64).view_as(whole)
    results = []
    for kernel in (temporal_kernel(*parts, early=early, late=late), whole):
        found = torch.autograd.grad(
            (weights * kernel).sum(), parts, allow_unused=True, materialize_grads=True
        )
        results.append((kernel, *found))
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want)
