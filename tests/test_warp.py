"""Sampling, composing, inverting: against slow references, on grids where T, H and W all differ."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetoscope.warp import (
    accumulate,
    compose,
    content_velocity,
    interpolation_matrix,
    invert,
    pixel_grid,
    resize_field,
    sample,
)

H, W, T = 7, 11, 5
ONES = torch.ones(1, 2, 1, 1)


def bilinear(image, x, y):
    """One bilinear value by hand, border repeated."""
    rows, columns = image.shape
    x, y = min(max(x, 0.0), columns - 1.0), min(max(y, 0.0), rows - 1.0)
    x0, y0 = min(int(x), columns - 2), min(int(y), rows - 2)
    fx, fy = x - x0, y - y0
    top = image[y0, x0] * (1 - fx) + image[y0, x0 + 1] * fx
    bottom = image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x0 + 1] * fx
    return top * (1 - fy) + bottom * fy


def test_pixel_grid_holds_x_then_y():
    grid = pixel_grid(H, W)
    assert grid.shape == (1, 2, H, W)
    assert grid[0, :, 2, 5].tolist() == [5.0, 2.0]


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_sample_is_bilinear_in_pixels(seed):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(1, 1, H, W, generator=generator, dtype=torch.float64)
    places = torch.rand(1, 2, 3, 4, generator=generator, dtype=torch.float64) * 16 - 3
    values = sample(image, places)[0, 0]
    for row in range(3):
        for column in range(4):
            x, y = places[0, :, row, column].tolist()
            assert float(values[row, column]) == pytest.approx(float(bilinear(image[0, 0], x, y)), abs=1e-9)


def test_sample_gradients_in_float64():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 2, 4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    # away from cell borders, where the derivative is one-sided
    places = torch.rand(3, 2, 2, 3, generator=generator, dtype=torch.float64) * 0.8 + 1.1
    assert torch.autograd.gradcheck(sample, (image, places.requires_grad_()))


def test_one_image_serves_every_frame():
    image = torch.rand(1, 3, H, W)
    places = pixel_grid(H, W).expand(T, -1, -1, -1)
    torch.testing.assert_close(sample(image, places), image.expand(T, -1, -1, -1))


def test_compose_adds_translations_and_chains_rotations():
    turn = 0.1
    matrix = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    grid = pixel_grid(H, W)
    middle = torch.tensor([(W - 1) / 2, (H - 1) / 2]).view(1, 2, 1, 1)
    step = torch.einsum("ij,bjhw->bihw", matrix, grid - middle) - (grid - middle)
    twice = torch.einsum("ij,bjhw->bihw", matrix @ matrix, grid - middle) - (grid - middle)
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    torch.testing.assert_close(compose(step, step, ONES)[inside], twice[inside], atol=1e-4, rtol=0)


def test_compose_on_a_coarse_grid_counts_in_pixels():
    rows, columns, cell = 4, 5, torch.tensor([3.0, 2.0]).view(1, 2, 1, 1)
    slope = pixel_grid(rows, columns) * cell * 0.1  # 0.1 px per px, expansion
    inner = torch.ones(1, 2, rows, columns) * torch.tensor([1.5, -0.5]).view(1, 2, 1, 1)
    composed = compose(inner, slope, cell)
    expected = inner + (pixel_grid(rows, columns) * cell + inner) * 0.1
    torch.testing.assert_close(composed[..., 1:, :-1], expected[..., 1:, :-1])


def test_accumulate_of_a_drift_is_linear_in_time():
    steps = torch.tensor([-0.5, 0.25]).view(1, 2, 1, 1).expand(T - 1, 2, H, W)
    chained = accumulate(steps, ONES)
    assert chained.shape == (T, 2, H, W)
    assert not chained[0].any()
    assert chained[4, :, 3, 3].tolist() == [-2.0, 1.0]


@given(growth=st.floats(-0.08, 0.08), shift=st.floats(-1.5, 1.5))
@settings(max_examples=20)
def test_invert_undoes_a_field(growth, shift):
    middle = torch.tensor([(W - 1) / 2, (H - 1) / 2]).view(1, 2, 1, 1)
    field = (pixel_grid(H, W) - middle) * growth + shift
    inverse = invert(field, ONES, iterations=30)
    back = compose(inverse, field, ONES)  # p -> p + v(p) + field(p + v(p)) = p
    assert float(back.abs().max()) < 1e-3


def test_content_velocity_is_the_exact_solution_for_an_expansion():
    growth = 0.03
    middle = torch.tensor([(W - 1) / 2, (H - 1) / 2]).view(1, 2, 1, 1)
    places = pixel_grid(H, W) - middle
    displacement = torch.cat([places / (1 + growth) ** t - places for t in range(T)])
    velocity = content_velocity(displacement, torch.zeros(T - 1, 2, H, W), iterations=40)
    expected = (places * growth).expand(T - 1, -1, -1, -1)
    torch.testing.assert_close(velocity[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-3, rtol=0)


def test_content_velocity_keeps_the_best_iterate_where_the_field_folds():
    displacement = torch.rand(T, 2, H, W, generator=torch.Generator().manual_seed(3)) * 6
    start = torch.zeros(T - 1, 2, H, W)

    def misfit(velocity):
        moved = sample(displacement[1:], pixel_grid(H, W) + velocity)
        return (displacement[:-1] - moved - velocity).norm(dim=1)

    found = content_velocity(displacement, start)
    assert bool((misfit(found) <= misfit(start) + 1e-5).all())


def test_interpolation_matrix_rows_are_weights():
    matrix = interpolation_matrix(torch.tensor([-2.0, 0.25, 2.5, 9.0]), 4)
    expected = torch.tensor([[1, 0, 0, 0], [0.75, 0.25, 0, 0], [0, 0, 0.5, 0.5], [0, 0, 0, 1]])
    torch.testing.assert_close(matrix, expected)


def test_resize_field_keeps_corners_and_unit():
    field = torch.rand(2, 2, 3, 4)
    large = resize_field(field, 9, 13)
    torch.testing.assert_close(large[..., 0, 0], field[..., 0, 0])
    torch.testing.assert_close(large[..., -1, -1], field[..., -1, -1])
