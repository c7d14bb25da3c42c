"""The ascent in the natural metric: closed forms, silent units, budgets, flats, colour, stills."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.errors import SettingInvalid
from kinetoscope.metric import MetricOperator, NaturalMetric, usual_metric
from kinetoscope.optimal.ascend import AdamSettings, maximize, unit_generator
from kinetoscope.optimal.beginnings import beginnings
from kinetoscope.optimal.calm import CalmSettings, variation
from kinetoscope.optimal.natural import natural_optima, natural_start
from kinetoscope.optimal.objective import channel_relu, unit
from kinetoscope.optimal.settings import OptimalSettings
from kinetoscope.stimuli import bank, contrast, grating, to_contrast

SHAPE = (3, 8, 20, 28)
UNCALMED = replace(OptimalSettings(), calm=replace(OptimalSettings().calm, kept=1.0))


def kernel(colour=(1.0, 1.0, 1.0), size=(5, 7, 7), seed=0):
    """A smooth random kernel of one colour, without response to a flat clip."""
    noise = torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(seed))
    smooth = MetricOperator(NaturalMetric(), (1, *size))(noise)
    return smooth * torch.tensor(colour).view(1, 3, 1, 1, 1)


def linear(weight, bias=0.0):
    def forward(clips):
        return nn.functional.conv3d(2 * clips - 1, weight.to(clips), padding="same") + bias

    return forward


def found(forward, objective, settings=OptimalSettings(), *, banked=False, seed=0, shape=SHAPE, **options):  # noqa: B008
    known = beginnings(forward, [objective], bank(shape), settings.contrast) if banked else []
    (result,) = natural_optima(
        forward, [objective], shape, settings, [unit_generator(seed, 0)], usual_metric(shape[0]),
        banked=known, **options,
    )  # fmt: skip
    return result, result.video.transpose(0, 1)[None] - 0.5


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("colour", [(1.0, 1.0, 1.0), (1.0, -1.0, 0.2)])
def test_a_linear_unit_gets_the_best_clip_there_is(seed, colour):
    """The best clip of natural norm x' M^-1 x is M k: 95 % of its response at equal norm."""
    forward, objective = linear(kernel(colour, seed=seed)), unit(0)
    result, x = found(forward, objective, UNCALMED, seed=seed)
    start = torch.zeros(1, *SHAPE, requires_grad=True)
    (k,) = torch.autograd.grad(objective(forward(0.5 + start)).sum(), start)
    metric = NaturalMetric() if result.notes.colour_free else usual_metric(3)
    operator = MetricOperator(metric, SHAPE)
    best = (k * operator(k)).sum().sqrt()
    reached = (k * x).sum() / operator.norm(x).sqrt()
    assert float(reached / best) > 0.95
    assert result.notes.colour_free == (colour[1] < 0)


@pytest.mark.parametrize("bias", [0.2, 0.5])
def test_a_unit_that_is_silent_at_grey_is_found(bias):
    """Its ReLU opens for clips near its kernel only; noise leaves it shut, and gives no gradient."""
    weight = kernel()
    k = torch.zeros(1, *SHAPE, requires_grad=True)
    (k,) = torch.autograd.grad(unit(0)(linear(weight)(0.5 + k)).sum(), k)
    best = MetricOperator(usual_metric(3), SHAPE)(k)
    most = float(
        (k * best).sum() / (2 * best.abs().max())
    )  # what the best clip between black and white reaches

    def rectified(clips):
        return (linear(weight)(clips) - bias * most).relu()

    settings = OptimalSettings(steps=40)
    start = natural_start(settings, SHAPE, unit_generator(0, 0), usual_metric(3)).transpose(0, 1)[None]
    assert not bool(rectified(start).any())
    _, x = found(rectified, unit(0), settings)
    assert float(unit(0)(rectified(0.5 + x))) > 0


@pytest.mark.parametrize("phase_lock", [True, False])
def test_never_below_the_best_of_the_bank(phase_lock):
    """A unit made for one stimulus of the bank, at its own phase: noise hardly finds it."""
    wanted = grating(SHAPE, 4.0, 90.0, 0.0)

    def forward(clips):
        likeness = ((clips - 0.5) * wanted).mean(dim=(1, 2, 3, 4))
        likeness = likeness if phase_lock else likeness.abs()
        return (40 * likeness).pow(3).relu()[:, None]

    settings = OptimalSettings(steps=30)
    result, x = found(forward, channel_relu(0), settings, banked=True)
    same = to_contrast(wanted[None], result.notes.contrast_budget)
    assert float(forward(0.5 + x)) >= 0.999 * float(forward(0.5 + same))
    assert result.notes.bank_response == pytest.approx(float(forward(0.5 + same)), rel=1e-4)


def test_a_flat_clip_is_shown_only_where_nothing_structured_does():
    def brightness(clips):
        return clips.mean(dim=(1, 2, 3, 4))[:, None]

    result, x = found(brightness, channel_relu(0), OptimalSettings(steps=12), banked=True)
    assert result.notes.start == "flat"
    assert float(x.std(dim=(2, 3, 4)).max()) < 1e-6
    result, x = found(linear(kernel()), channel_relu(0), OptimalSettings(steps=12), banked=True)
    assert result.notes.start != "flat"


def test_contrast_grows_only_for_a_unit_that_gains_by_it():
    plain, squashed = linear(kernel()), linear(20 * kernel())
    grown, x = found(plain, channel_relu(0), UNCALMED)
    assert grown.notes.contrast_budget == pytest.approx(0.3)
    assert float(contrast(x)) == pytest.approx(0.3, rel=0.02)
    kept, x = found(lambda clips: squashed(clips).tanh(), channel_relu(0), UNCALMED)
    assert kept.notes.contrast_budget == pytest.approx(0.2)
    _, x = found(plain, channel_relu(0), replace(UNCALMED, contrast=0.1, most_contrast=0.1))
    assert float(contrast(x)) == pytest.approx(0.1, rel=0.02)


def test_calming_keeps_nine_tenths_and_lowers_variation():
    forward, objective = linear(kernel()), channel_relu(0)
    _, x = found(forward, objective, UNCALMED)
    calm, y = found(forward, objective)
    gains = [float(objective(forward(0.5 + clip))) for clip in (x, y)]
    assert gains[1] >= 0.9 * calm.notes.best_response
    rough = [float(clip.diff(dim=-1).abs().mean() + clip.diff(dim=-2).abs().mean()) for clip in (x, y)]
    assert rough[1] < 0.95 * rough[0]


def test_units_of_a_batch_do_not_know_of_each_other():
    weights = torch.cat([kernel(seed=1), kernel((1.0, -1.0, 0.0), seed=2)])
    both = natural_optima(
        linear(weights), [channel_relu(0), channel_relu(1)], SHAPE, OptimalSettings(steps=12),
        [unit_generator(0, 0), unit_generator(0, 1)], usual_metric(3),
    )  # fmt: skip
    for index in (0, 1):
        (alone,) = natural_optima(
            linear(weights[index : index + 1]), [channel_relu(0)], SHAPE, OptimalSettings(steps=12),
            [unit_generator(0, index)], usual_metric(3),
        )  # fmt: skip
        torch.testing.assert_close(both[index].video, alone.video, atol=2e-3, rtol=0)


def test_a_still_optimum_is_one_image_in_every_frame():
    result, _ = found(linear(kernel()), channel_relu(0), OptimalSettings(steps=12, still=True), banked=True)
    assert result.video.shape == (8, 3, 20, 28)
    assert torch.equal(result.video, result.video[:1].expand_as(result.video))


def test_ends_take_no_colour_of_their_own():
    """Padding makes a unit's first and last frames special; the clip must not show it."""
    biased = nn.Conv3d(3, 4, 5, padding=2)
    with torch.no_grad():
        biased.weight.copy_(torch.randn(biased.weight.shape, generator=torch.Generator().manual_seed(5)))
        biased.bias.zero_()
    biased.requires_grad_(False)
    _, x = found(lambda clips: biased(2 * clips - 1), channel_relu(2))
    colour = x.mean(dim=(3, 4)).abs().amax(dim=1)[0]
    (bare,) = maximize(
        lambda clips: biased(2 * clips - 1), [channel_relu(2)], SHAPE, AdamSettings(), [unit_generator(0, 0)]
    )
    loud = (bare.video - 0.5).mean(dim=(2, 3)).abs().amax(dim=1)
    assert float(colour.max()) < 0.25 * float(loud.max())


def test_starts():
    settings = OptimalSettings(steps=12)
    start = natural_start(settings, SHAPE, unit_generator(0, 4), usual_metric(3))
    assert start.shape == (8, 3, 20, 28)
    assert float((start - 0.5).square().mean().sqrt()) == pytest.approx(0.01, rel=1e-3)
    assert torch.equal(start, natural_start(settings, SHAPE, unit_generator(0, 4), usual_metric(3)))
    clip = (0.5 + grating(SHAPE, 7.0, 0.0, 1.0)).transpose(0, 1)
    result, x = found(linear(kernel()), channel_relu(0), settings, start=clip)
    assert result.notes.start == "clip"
    likeness = float((x * (clip - 0.5).transpose(0, 1)[None]).sum() / (x.norm() * (clip - 0.5).norm()))
    assert likeness > 0.3


@pytest.mark.parametrize(
    "setting",
    [{"steps": 0}, {"rate": 0.0}, {"contrast": 0.0}, {"contrast": 0.6}, {"warmup": 2.0}, {"together": 0}],
)
def test_settings_say_what_is_wrong(setting):
    with pytest.raises(SettingInvalid, match=next(iter(setting))):
        OptimalSettings(**setting)


def test_requests_that_make_no_sense_are_refused():
    model, card = nn.Conv3d(3, 2, 3), ks.ModelCard(clip=(6, 12, 16))
    model = nn.Sequential(model)
    for options, words in (
        ({"start": "grating"}, "noise or a clip"),
        ({"start": torch.rand(4, 3, 12, 16)}, "4x3x12x16"),
        ({"start": torch.rand(6, 3, 12, 16), "preset": "strong"}, "begins with noise"),
        ({"contrast": 0.2, "preset": "paper"}, "no contrast"),
        ({"contrast": 0.7}, "contrast"),
    ):
        with pytest.raises(SettingInvalid, match=words):
            ks.visualize(model, "0", [0], card=card, **options)


@pytest.mark.parametrize("free", [False, True])
def test_the_slope_of_variation_is_its_gradient(free):
    x = 0.1 * torch.randn(2, 3, 4, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    freed = torch.tensor([free, False])
    settings = CalmSettings(chroma=3.0, contrast=0.7)
    x.requires_grad_(True)
    cost, slope = variation(x, settings, freed)
    (wanted,) = torch.autograd.grad(cost.sum(), x)
    torch.testing.assert_close(slope, wanted)
