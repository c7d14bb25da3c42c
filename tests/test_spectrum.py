"""Spectra of natural clips: measured ones against planted ones, and clips whose magnitudes are held."""

import math

import pytest
import torch

import kinetoscope as ks
from kinetoscope.errors import SettingInvalid
from kinetoscope.metric import usual_metric
from kinetoscope.optimal.parameters import CONTRAST, PhaseParameters, make_parameters
from kinetoscope.spectrum import metric_spectrum, natural_spectrum
from kinetoscope.stimuli import drifting_noise, grating
from kinetoscope.synthetic.networks import MotionEnergy

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

SHAPE = (3, 8, 18, 22)


def test_a_drifting_wave_has_its_magnitude_where_it_drifts() -> None:
    shape = (1, 16, 24, 24)
    clip = 0.5 + grating(shape, wavelength=6.0, direction_deg=0.0, speed=1.5).transpose(0, 1)
    found = natural_spectrum([clip])
    t, y, x = (int(place) for place in torch.nonzero(found.magnitude[0] == found.magnitude[0].max())[0])
    assert (t, y, x) == (12, 0, 4)  # a quarter of a cycle per frame, against x: 24 / 6 cycles across


def test_space_and_time_are_joint() -> None:
    """Noise drifting at one speed has its power at ft = speed fx: no product of two spectra says that."""
    draw = torch.Generator().manual_seed(0)
    clips = [0.5 + drifting_noise((1, 16, 24, 24), 0.0, 1.0, draw).transpose(0, 1) for _ in range(4)]
    power = natural_spectrum(clips).magnitude[0].square().sum(dim=1)
    on = sum(float(power[(16 - round(16 * x / 24)) % 16, x]) for x in range(2, 9))
    off = sum(float(power[round(16 * x / 24) % 16, x]) for x in range(2, 9))
    assert on > 10 * off


def test_clips_of_free_phases_keep_their_magnitudes() -> None:
    natural = metric_spectrum(usual_metric(3), SHAPE)
    draw = torch.Generator().manual_seed(1)
    parameters = PhaseParameters(torch.randn(2, *SHAPE, generator=draw), natural)
    for moved in (0.0, 2.0):
        parameters.values.data += moved * torch.randn(parameters.values.shape, generator=draw)
        clips = parameters.video().detach()
        assert float((clips == 0).float().mean() + (clips == 1).float().mean()) < 0.05
        contrast = (clips - 0.5).square().mean(dim=(1, 2, 3, 4)).sqrt()
        torch.testing.assert_close(contrast, torch.full((2,), CONTRAST), atol=0.01, rtol=0)
        principal = torch.einsum("cp,bcthw->bpthw", natural.colours, clips - 0.5)
        found = torch.fft.rfftn(principal, dim=(2, 3, 4)).abs()[:, :, 1:7, 1:8, 1:10]
        wanted = natural.magnitude[:, 1:7, 1:8, 1:10].expand_as(found)
        strong = wanted > 0.05 * wanted.max()
        ratio = (found / wanted)[strong]
        assert float(ratio.std() / ratio.mean()) < 0.15


def test_frames_of_the_2d_domain_are_free_of_each_other() -> None:
    start = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(2))
    parameters = make_parameters("fourier-2d", start)
    (gradient,) = torch.autograd.grad(parameters.video()[:, :, 3].sum(), parameters.values)
    touched = gradient.abs().amax(dim=(0, 1, 3, 4, 5)) > 0
    assert touched.tolist() == [t == 3 for t in range(SHAPE[1])]


@pytest.mark.parametrize("preset", ["maco", "fourier-3d", "fourier-2d"])
def test_presets_raise_the_response(preset: str) -> None:
    model = MotionEnergy([(0.0, 1.0), (90.0, 1.0)], wavelength=5.0, size=(3, 5))
    card = ks.ModelCard(clip=SHAPE[1:])
    how = {"card": card, "position": (4, 9, 11), "steps": 8, "seeds": 1}  # on average phases count little
    (found,) = ks.visualize(model, "energy", [0], preset=preset, **how)
    assert found.activation["optimal"] > 2 * found.activation["random_input"]
    assert math.isfinite(found.activation["optimal"])


def test_a_measured_spectrum_is_taken_and_is_in_the_key() -> None:
    model = MotionEnergy([(0.0, 1.0)], wavelength=5.0, size=(3, 5))
    card = ks.ModelCard(clip=SHAPE[1:])
    draw = torch.Generator().manual_seed(0)
    clips = [torch.rand(8, 3, 18, 22, generator=draw) for _ in range(2)]
    spectrum = ks.natural_spectrum(clips)
    how = {"card": card, "preset": "maco", "steps": 1, "seeds": 1}
    plain, own = (ks.visualize(model, "energy", [0], spectrum=s, **how)[0] for s in (None, spectrum))
    assert not torch.equal(plain.video, own.video)
    assert own.record["settings"]["spectrum_sha256"] == spectrum.sha256()
    assert "spectrum_sha256" not in plain.record["settings"]
    fine = [float(one.video.diff(dim=3).square().mean()) for one in (plain, own)]
    assert fine[1] > 1.5 * fine[0]  # white noise has no 1 / f
    for wrong, told in (
        ({"preset": "default", "spectrum": spectrum}, "give the preset maco"),
        ({"preset": "maco", "size": (8, 20, 22), "spectrum": spectrum}, "measure it at the clip's size"),
    ):
        with pytest.raises(SettingInvalid, match=told):
            ks.visualize(model, "energy", [0], card=card, **wrong)


def test_clips_that_have_no_spectrum_are_refused() -> None:
    for clips, told in (
        ([], "one size"),
        ([torch.rand(3, 3, 9, 9)], "at least 4 frames"),
        ([torch.full((5, 3, 9, 9), 0.3)], "that vary"),
        ([torch.rand(5, 3, 9, 9), torch.rand(5, 3, 9, 10)], "one size"),
    ):
        with pytest.raises(SettingInvalid, match=told):
            natural_spectrum(clips)
