"""The default account of version 0.1.0 gives what it gave, under its new name."""

import pytest
import torch

from kinetoscope.motion.decompose import DecomposeSettings, decompose
from kinetoscope.motion.summary import summarize
from kinetoscope.synthetic.light import cross_fade
from kinetoscope.synthetic.planted import noise_texture, planted_clip, rotation

FETCH = DecomposeSettings(formulation="fetch")


def texture(seed):
    return noise_texture(80, 90, torch.Generator().manual_seed(seed))


# PSNR (dB), coherent and jitter shares, mean speed as version 0.1.0 gave them
RECORDED = {
    "rotation": (
        planted_clip(texture(0), rotation(0.03), 6, 32, 40).video,
        (56.4965, 0.9834, 0.0159, 0.4093),
    ),
    "cross-fade": (cross_fade(texture(1), texture(2), 6, 32, 40).video, (29.4442, 0.0, 0.8674, 0.3502)),
}


@pytest.mark.parametrize("name", RECORDED)
def test_version_0_1_0_is_kept_whole(name):
    video, (psnr, coherent, jitter, speed) = RECORDED[name]
    found = decompose(video, FETCH)
    assert found.psnr_db == pytest.approx(psnr, abs=0.02)
    assert found.variance_explained["coherent"] == pytest.approx(coherent, abs=1e-3)
    assert found.variance_explained["jitter"] == pytest.approx(jitter, abs=1e-3)
    assert float(found.velocity.norm(dim=1).mean()) == pytest.approx(speed, rel=0.01)
    assert found.variance_explained["light"] == 0
    assert found.settings["formulation"] == "fetch"
    assert found.carried is found.texture_lifetime_frames is None


def test_what_is_fetched_is_not_called_motion():
    video, _ = RECORDED["cross-fade"]
    assert summarize(decompose(video, FETCH)).label == "jitter"
