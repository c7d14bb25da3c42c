"""The numbers of a card, each where its best and its worst are known."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from kinetoscope.errors import SettingInvalid
from kinetoscope.natural.looks import FLOOR, bins_of, gap_db, look_at, natural_gaps, profile_of
from kinetoscope.natural.transfer import ratio, transferred
from kinetoscope.natural.way import layer_way, percentile, standardized
from kinetoscope.natural.windows import VIEWS, read_natural


def pink(seed: int, frames: int = 6, height: int = 20, width: int = 24) -> torch.Tensor:
    """Noise whose amplitude falls as 1 / f, (T, 3, H, W), grey, about 0.5."""
    generator = torch.Generator().manual_seed(seed)
    f = [torch.fft.fftfreq(size) for size in (frames, height, width)]
    far = (f[0].view(-1, 1, 1) ** 2 + f[1].view(-1, 1) ** 2 + f[2] ** 2).sqrt().clamp(min=1 / width)
    noise = torch.fft.fftn(torch.randn(frames, height, width, generator=generator)) / far
    noise = torch.fft.ifftn(noise).real
    return (0.5 + 0.1 * (noise - noise.mean()) / noise.std()).clamp(0, 1)[:, None].expand(-1, 3, -1, -1)


def test_white_noise_is_far_from_pink_clips_and_a_pink_one_is_not() -> None:
    natural = torch.stack([profile_of(pink(seed)) for seed in range(12)])
    own = [gap_db(profile_of(pink(seed)), natural) for seed in range(20, 24)]
    white = 0.5 + 0.1 * torch.randn(6, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    usual = natural_gaps(natural, [0] * 6 + [1] * 6)
    assert max(own) < 1.5 * max(usual)
    assert gap_db(profile_of(white.clamp(0, 1)), natural) > 1.5 * max(usual)


def test_contrast_and_level_have_no_part_in_the_spectrum() -> None:
    clip = pink(3)
    assert torch.allclose(profile_of(0.3 + 0.5 * clip), profile_of(clip), atol=1e-4)
    assert profile_of(clip).mean() == pytest.approx(0.0, abs=1e-9)
    # a clip without change is as faint as rounding leaves it, not infinitely faint
    still = profile_of(pink(3)[:1].expand(6, -1, -1, -1))
    assert bool(still.isfinite().all())
    assert math.exp(FLOOR) == pytest.approx(1 / 255 / math.sqrt(12))


def test_bins_are_those_of_the_profile() -> None:
    clip = pink(1)
    space, time = bins_of(clip)
    assert space.shape == time.shape == profile_of(clip).shape
    assert float(time.min()) == 0.0
    assert float(time.max()) == pytest.approx(5 / 12)
    assert 1 / 16 < float(space.min()) < float(space.max()) < 0.5


def test_limits_contrast_and_colour_are_as_said() -> None:
    clip = torch.full((4, 3, 8, 10), 0.5)
    clip[:, 0, :4], clip[:, 1, :4] = 1.0, 0.0
    look = look_at(clip)
    assert look.limits == pytest.approx(1 / 3)
    assert look.contrast == pytest.approx(math.sqrt(0.25 / 3))
    assert look.colour == pytest.approx(0.5)
    assert look_at(clip[:, :1]).colour is None


def test_a_clip_that_goes_the_way_of_the_best_has_a_share_of_one() -> None:
    generator = torch.Generator().manual_seed(0)
    best, other = (torch.randn(30, generator=generator) for _ in range(2))
    rows = [b + 0.3 * torch.randn(30, generator=generator) for b in [best] * 5 + [other] * 15]
    natural, apart = standardized(torch.stack(rows)), ~torch.eye(20, dtype=torch.bool)

    def way(clip: torch.Tensor):
        return layer_way("layer", standardized(clip[None])[0], natural, apart, range(5))

    with_best, with_others, backwards = way(best), way(other), way(-best)
    assert with_best.share == pytest.approx(1.0, abs=0.15)
    assert with_others.share == pytest.approx(0.0, abs=0.25)
    assert backwards.share < -0.5
    assert (backwards.percentile, with_others.percentile) == (0.0, 100.0)
    assert with_best.natural_low <= with_best.natural_median <= with_best.natural_high


def test_rank_correlation_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is for development")
    rows = torch.randint(0, 5, (2, 40), generator=torch.Generator().manual_seed(1)).double()
    first, second = standardized(rows)
    wanted = stats.spearmanr(rows[0].numpy(), rows[1].numpy()).statistic
    assert float(first @ second) == pytest.approx(wanted)
    assert bool((standardized(torch.ones(1, 40)) == 0).all())


def test_a_way_without_pairs_that_are_apart_has_no_share() -> None:
    natural = standardized(torch.randn(9, 12, generator=torch.Generator().manual_seed(0)))
    way = layer_way("layer", natural[0], natural, torch.zeros(9, 9, dtype=torch.bool), range(3))
    assert (way.among_best, way.to_others, way.share) == (None, None, None)


def test_percentiles_count_equals_by_half() -> None:
    among = torch.tensor([1.0, 2.0, 2.0, 3.0])
    assert [percentile(x, among) for x in (0.0, 2.0, 2.5, 4.0)] == [0.0, 50.0, 75.0, 100.0]
    assert ratio(6.0, among) == 2.0
    assert ratio(6.0, -among) is None


def test_the_counterpart_is_the_unit_that_goes_along() -> None:
    generator = torch.Generator().manual_seed(0)
    natural = torch.randn(40, 6, generator=generator, dtype=torch.float64)
    own = 3 * natural[:, 4] + 0.1 * torch.randn(40, generator=generator)
    found = transferred(1, own, natural, torch.full((6,), 9.0, dtype=torch.float64), is_class=False)
    assert (found.counterpart, found.same_index) == (4, False)
    assert found.correlation > 0.95
    assert found.percentile == 100.0
    same = transferred(1, own, natural, torch.full((6,), -9.0, dtype=torch.float64), is_class=True)
    assert (same.counterpart, same.same_index, same.percentile) == (1, True, 0.0)
    flat = transferred(0, torch.ones(40), natural, torch.zeros(6, dtype=torch.float64), is_class=True)
    assert flat.correlation is None


def test_windows_are_shown_whole_and_in_quarters(tmp_path: Path) -> None:
    clip = np.zeros((17, 3, 16, 20), np.float32)
    clip[:, :, :8, 10:] = 1.0  # upper right
    np.save(tmp_path / "a.npy", clip)
    natural = read_natural([tmp_path / "a.npy"], (3, 6, 8, 10))
    starts = sorted({source.start for source in natural.sources})
    assert starts == [0, 3, 6, 9, 11]
    assert len(natural) == len(starts) * len(VIEWS)
    bright = {source.view: float(natural.video(k).mean()) for k, source in enumerate(natural.sources)}
    assert bright["upper right"] == 1.0
    assert bright["lower left"] == 0.0
    assert bright["whole"] == pytest.approx(0.25, abs=0.05)
    apart = natural.apart()
    for one, first in enumerate(natural.sources):
        for two, second in enumerate(natural.sources):
            assert bool(apart[one, two]) == (abs(first.start - second.start) >= 6)


def test_of_many_windows_some_are_drawn_and_few_are_refused(tmp_path: Path) -> None:
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).random((40, 3, 9, 11), np.float32))
    files, shape = [tmp_path / "a.npy", tmp_path / "b.npy"], (3, 6, 8, 10)
    some = read_natural(files, shape, most=20)
    assert len(some) == 20
    assert {source.file.name for source in some.sources} == {"a.npy", "b.npy"}
    assert some.sources == read_natural(files, shape, most=20).sources
    assert some.sources != read_natural(files, shape, most=20, seed=1).sources
    with pytest.raises(SettingInvalid, match=r"hold 0 windows of 64 frames; give videos with 8"):
        read_natural(files, (3, 64, 8, 10))
