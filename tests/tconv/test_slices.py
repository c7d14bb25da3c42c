"""The matrices that move slices: exact at rest, and their hand-written gradients against torch's own."""

import pytest
import torch
from torch import Tensor

from kinetoscope.tconv.slices import slice_matrices


def drawn(steps: int, out: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    parts = torch.randn(4, steps, out, generator=generator, dtype=torch.float64)
    return [*(parts * torch.tensor([0.1, 0.3, 0.2, 0.2])[:, None, None] + torch.eye(4)[0][:, None, None])]


def plain(s: Tensor, r: Tensor, x: Tensor, y: Tensor, height: int, width: int) -> Tensor:
    """The same slice by slice and cell by cell, differentiated by torch."""
    half_x, half_y = (width - 1) / 2, (height - 1) / 2
    eye = torch.eye(height * width, dtype=s.dtype)
    chain = [eye.expand(s.shape[1], -1, -1)]
    for step in range(len(s)):
        a, b = s[step] * r[step].cos(), s[step] * r[step].sin()
        columns = []
        for row in range(height):
            for column in range(width):
                u = (column - half_x) / half_x + x[step]
                v = (row - half_y) / half_y + y[step]
                across = (a * u - b * v + 1) * half_x
                down = (b * u + a * v + 1) * half_y
                share_x = (1 - (across[:, None] - torch.arange(width)).abs()).clamp(min=0)
                share_y = (1 - (down[:, None] - torch.arange(height)).abs()).clamp(min=0)
                columns.append((share_y[:, :, None] * share_x[:, None]).flatten(1))
        chain.append(chain[-1] @ torch.stack(columns, dim=-1))
    return torch.cat(chain, dim=2)


@pytest.mark.parametrize("size", [(3, 3), (4, 3), (2, 5)])
@pytest.mark.parametrize(("early", "late"), [(0, 0), (1, 0), (2, 1), (3, 0), (0, 2)])
def test_values_and_gradients(size: tuple[int, int], early: int, late: int) -> None:
    cells = size[0] * size[1]
    results = []
    for whole in (False, True):
        parts = [part.clone().requires_grad_() for part in drawn(3, 2)]
        if whole:
            found = plain(*parts, *size)[:, :, early * cells : (4 - late) * cells]
        else:
            found = slice_matrices(*parts, *size, early=early, late=late)
        weights = torch.linspace(-1, 2, found.numel(), dtype=torch.float64).view_as(found)
        gradients = torch.autograd.grad((weights * found).sum(), parts, allow_unused=True)
        results.append((found, *(torch.zeros(3, 2).double() if g is None else g for g in gradients)))
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize(("early", "late"), [(0, 0), (2, 0), (1, 1)])
def test_gradcheck(early: int, late: int) -> None:
    parts = [part.requires_grad_() for part in drawn(3, 2)]
    assert torch.autograd.gradcheck(lambda *p: slice_matrices(*p, 3, 4, early=early, late=late), parts)


@pytest.mark.parametrize(("height", "width"), [(3, 3), (7, 7), (2, 5), (1, 4), (1, 1), (6, 4), (11, 9)])
def test_standing_still_is_exact(height: int, width: int) -> None:
    still = [torch.ones(2, 3), *torch.zeros(3, 2, 3)]
    eye = torch.eye(height * width).repeat(1, 3).expand(3, -1, -1)
    assert torch.equal(slice_matrices(*still, height, width), eye)


def test_a_second_derivative_is_refused() -> None:
    parts = [part.requires_grad_() for part in drawn(2, 1)]
    first = torch.autograd.grad(slice_matrices(*parts, 3, 3).square().sum(), parts, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first[0].sum().backward()
