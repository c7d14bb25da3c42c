"""Average pooling over what is left: windows too large for a map take all of it, others stay as they are."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kinetoscope.units.pooling import pooled_over_what_is_left

X = torch.rand(1, 2, 3, 5, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("options", [{}, {"stride": 1}, {"padding": 1}, {"stride": 2, "ceil_mode": True}])
@pytest.mark.parametrize("window", [3, (2, 3, 3), (3, 5, 7)])
def test_windows_that_fit_stay(window, options):
    pool = nn.AvgPool3d(window, **options)
    wanted = pool(X)
    with pooled_over_what_is_left():
        assert torch.equal(pool(X), wanted)
        assert torch.equal(F.avg_pool3d(X, window, **options), wanted)


@pytest.mark.parametrize("pool", [nn.AvgPool3d(9), nn.AvgPool3d((4, 7, 8), stride=1)])
def test_windows_that_are_too_large_take_the_whole_map(pool):
    with pytest.raises(RuntimeError):
        pool(X)
    with pooled_over_what_is_left():
        found, shape = pool(X), pool(X.to("meta")).shape
    torch.testing.assert_close(found, X.mean(dim=(2, 3, 4), keepdim=True))
    assert shape == found.shape


def test_one_axis_can_be_too_small_and_the_others_fit():
    with pooled_over_what_is_left():
        found = nn.AvgPool3d((5, 4, 4), stride=(1, 1, 3))(X)
    torch.testing.assert_close(found, F.avg_pool3d(X, (3, 4, 4), stride=(1, 1, 3)))


def test_frames_and_rows_are_pooled_alike():
    with pooled_over_what_is_left():
        assert nn.AvgPool2d(9)(X[:, :, 0]).shape == (1, 2, 1, 1)
        assert nn.AvgPool1d(9)(X[0, :, 0]).shape == (2, 5, 1)


def test_windows_that_thin_a_map_out_still_fail():
    with pooled_over_what_is_left(), pytest.raises(RuntimeError):
        nn.AvgPool3d((1, 2, 2))(X[..., :1])
