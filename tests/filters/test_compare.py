"""Correlation with decoded filters beside what a network says."""

import pytest
import torch
from torch import nn

from kinetoscope.errors import SettingInvalid
from kinetoscope.filters.compare import correlate, decoding_error, decoding_errors, most_exciting
from kinetoscope.filters.decode import decode_filters
from kinetoscope.units.tap import tap


def linear_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, (3, 4), stride=(2, 1), padding=(1, 2), bias=False),
        nn.AvgPool2d(2),
        nn.Conv2d(3, 4, 3, padding=(0, 1), bias=False),
    ).double()


def test_filters_of_a_linear_network_say_what_the_network_says() -> None:
    net, images = linear_net(), torch.randn(3, 2, 22, 17, dtype=torch.float64)
    images[..., :6] = images[..., -6:] = 0  # the network pads its maps, the filters the image
    filters = list(decode_filters(net, "2", range(4), "nearest", size=(1, 22, 17)))
    with torch.no_grad(), tap(net, "2") as forward:
        response = forward(images)
    correlation = correlate(images, filters) / 4  # the pooling's four pixels are averaged
    assert correlation.shape == response.shape
    torch.testing.assert_close(correlation[:, :, 1:-1, 2:-2], response[:, :, 1:-1, 2:-2])


def test_the_error_is_the_mean_square_after_one_normalization_per_image() -> None:
    response = torch.tensor([[[0.0, 2.0], [4.0, 1.0]], [[5.0, 5.0], [6.0, 7.0]]])
    torch.testing.assert_close(decoding_error(response, 3 * response - 1), torch.zeros(2))
    flipped = torch.tensor([[[0.0, 2.0], [4.0, 4.0]], [[5.0, 5.0], [6.0, 7.0]]])
    torch.testing.assert_close(decoding_error(response, flipped), torch.tensor([0.75**2 / 4, 0.0]))
    assert decoding_error(torch.ones(1, 2), torch.ones(1, 2)).item() == 0  # no contrast at all


def test_errors_of_a_layer_for_all_interpolations() -> None:
    net, images = linear_net(), torch.rand(5, 2, 22, 17, dtype=torch.float64)
    images[..., :6] = images[..., -6:] = images[:, :, :6] = images[:, :, -6:] = 0
    rows = decoding_errors(net, "2", images)
    assert [row.unpool for row in rows] == ["nearest", "bilinear", "bicubic"]
    exact, *blurred = (row.mean for row in rows)
    assert exact < min(blurred) / 4
    assert {(row.layer, row.images) for row in rows} == {("2", 5)}


def test_the_most_exciting_images_come_first() -> None:
    maps = torch.zeros(4, 2, 3, 5)
    maps[2, 0, 1, 4], maps[1, 0, 0, 0], maps[3, 1, 2, 2], maps[0, 1, 0, 1] = 9, 5, 1, 2
    assert most_exciting(maps, 2).tolist() == [[2, 1], [0, 3]]
    peaks = torch.tensor([[0.0, 3.0], [2.0, 1.0], [4.0, 2.0]])
    assert most_exciting(peaks, 1).tolist() == [[2], [0]]


def test_inputs_that_do_not_fit_are_named() -> None:
    filters = list(decode_filters(linear_net(), "2", [0], size=(1, 22, 17)))
    with pytest.raises(SettingInvalid, match=r"inputs of shape \(1, 22, 17\) do not fit"):
        correlate(torch.zeros(3, 1, 22, 17), filters)
