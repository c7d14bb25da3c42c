"""The metric of natural videos: symmetric, its inverse is its norm, and it can be measured."""

import math

import pytest
import torch

import kinetoscope as ks
from kinetoscope.errors import SettingInvalid
from kinetoscope.metric import RGB, MetricOperator, NaturalMetric, cosine_matrix, natural_metric, usual_metric

SHAPE = (3, 5, 9, 14)


def clips(seed, batch=2, shape=SHAPE):
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("metric", [usual_metric(3), NaturalMetric(power=1.5, slowness=2.0)])
def test_it_is_symmetric_and_its_norm_is_its_inverse(metric):
    operator = MetricOperator(metric, SHAPE)
    x, y = clips(0), clips(1)
    mx, my = operator(x), operator(y)
    torch.testing.assert_close((x * my).sum(), (mx * y).sum(), rtol=1e-6, atol=1e-6)
    # (M x)' M^-1 (M x) = x' M x
    torch.testing.assert_close(operator.norm(mx), (x * mx).sum(dim=(1, 2, 3, 4)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 7, 16])
def test_the_cosine_transform_is_orthonormal(size):
    matrix = cosine_matrix(size).double()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(size, dtype=torch.float64), atol=1e-6, rtol=0)


def test_no_frame_gets_a_colour_of_its_own():
    moved = MetricOperator(usual_metric(3), SHAPE)(clips(2))
    assert float(moved.mean(dim=(3, 4)).abs().max()) < 1e-6


def test_amplitudes_fall_as_one_over_the_frequency():
    operator = MetricOperator(NaturalMetric(power=1.0, slowness=0.5), (1, 16, 32, 64))

    def gain(t, y, x):
        wave = torch.ones(1, 1, 16, 32, 64)
        for axis, (cycles, size) in enumerate(((t, 16), (y, 32), (x, 64)), start=2):
            row = cosine_matrix(size)[cycles]
            wave = wave * row.view(*(size if a == axis else 1 for a in range(5)))
        return float((wave * operator(wave)).sum() / wave.square().sum())

    assert gain(0, 0, 32) == pytest.approx(0.5 * gain(0, 0, 16), rel=1e-4)  # 1/4 and 1/8 cycles per pixel
    assert gain(0, 16, 0) == pytest.approx(gain(0, 0, 32), rel=1e-4)
    assert gain(0, 1, 1) == pytest.approx(gain(0, 0, 2), rel=1e-4)  # both below a sixteenth
    # 1/4 cycles per frame, at half a pixel per frame, counts as 1/8 per pixel
    assert gain(8, 0, 16) == pytest.approx(gain(0, 0, 16) / math.sqrt(2), rel=1e-4)


def test_colour_is_weighed_down_but_where_it_is_free():
    operator = MetricOperator(usual_metric(3), SHAPE)
    wave = clips(3, 1)[:, :1]
    colour = wave * torch.tensor([1.0, -1.0, 0.0]).view(1, 3, 1, 1, 1)
    grey = wave.expand(-1, 3, -1, -1, -1) * math.sqrt(2 / 3)
    free = torch.tensor([True])
    assert operator(colour).norm() < 0.15 * operator(grey).norm()
    torch.testing.assert_close(operator(colour, free).norm(), operator(grey, free).norm(), rtol=1e-5, atol=0)


def test_energies_tell_brightness_from_colour():
    operator = MetricOperator(usual_metric(3), SHAPE)
    wave = clips(4, 1)[:, :1]
    axes = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    colour, brightness = operator.energies(torch.cat([wave * axis.view(1, 3, 1, 1, 1) for axis in axes]))
    assert float(colour[0]) < 1e-10 * float(brightness[0])
    assert float(brightness[1]) < 1e-10 * float(colour[1])
    assert float(colour[2] / brightness[2]) == pytest.approx(2.0)  # one channel: a third is brightness


def planted(power, slowness, channels=1, seed=0, shape=(16, 48, 64)):
    """Noise whose amplitudes fall as a metric says, (T, C, H, W)."""
    operator = MetricOperator(
        NaturalMetric(power=power, slowness=slowness, coarsest=1e-3), (channels, *shape)
    )
    noise = torch.randn(1, channels, *shape, generator=torch.Generator().manual_seed(seed))
    clip = operator(noise)[0].transpose(0, 1)
    return 0.5 + 0.1 * clip / clip.std()


@pytest.mark.parametrize(("power", "slowness"), [(1.0, 0.5), (1.5, 2.0), (0.7, 0.2)])
def test_planted_statistics_are_measured(power, slowness):
    found = natural_metric([planted(power, slowness, seed=seed) for seed in range(3)])
    assert found.power == pytest.approx(power, abs=0.15)
    assert found.slowness == pytest.approx(slowness, rel=0.35)
    assert found.colour == ()


def test_the_colours_of_clips_are_measured():
    mix = torch.tensor([[1.0, 0.2], [0.4, 0.6]])
    clip = torch.einsum("ij,tjhw->tihw", mix, planted(1.0, 0.5, channels=2) - 0.5) + 0.5
    table = torch.tensor(natural_metric([clip]).colour)
    wanted = mix @ mix.T
    torch.testing.assert_close(table, wanted / torch.linalg.eigvalsh(wanted)[-1], atol=0.08, rtol=0)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: natural_metric([]), "at least one clip"),
        (lambda: natural_metric([torch.rand(2, 3, 16, 16)]), "at least 4 frames"),
        (lambda: natural_metric([torch.rand(4, c, 8, 8) for c in (1, 3)]), r"\[1, 3\]"),
        (lambda: natural_metric([torch.full((4, 3, 8, 8), 0.3)]), "one colour"),
        (lambda: NaturalMetric(power=-1.0), "at least 0"),
        (lambda: NaturalMetric(colour=((1.0, 0.0),)), "square"),
        (lambda: NaturalMetric(colour=((1.0, 2.0), (2.0, 1.0))), "covariance"),
        (lambda: MetricOperator(usual_metric(3), (2, 4, 8, 8)), "3 channels"),
        (lambda: ks.ModelCard(channels=2, metric=usual_metric(3)), "3 channels"),
    ],
)
def test_what_cannot_be_a_metric_says_why(made, words):
    with pytest.raises(SettingInvalid, match=words):
        made()


def test_a_card_has_natural_colours_or_its_own():
    assert ks.ModelCard().natural.colour == RGB
    assert ks.ModelCard(channels=5).natural.colour == ()
    own = NaturalMetric(power=0.5)
    assert ks.ModelCard(metric=own).natural is own
