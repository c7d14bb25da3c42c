"""Channels beside their parameters, as pictures: what is drawn where, and which way it points."""

import io
import math

import numpy as np
import torch
from PIL import Image

from kinetoscope.render.temporal import CONTENT, END
from kinetoscope.render.trajectories import (
    FOUND,
    ChannelPictures,
    ChannelVelocities,
    draw_agreement,
    draw_channels,
    draw_directions,
)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def middle(picture: np.ndarray, colour: str) -> np.ndarray:
    """Mean row and column of a colour, written #rrggbb."""
    wanted = [int(colour[index : index + 2], 16) for index in (1, 3, 5)]
    places = np.argwhere(np.abs(picture - wanted).max(axis=-1) < 12)
    assert len(places) > 20
    return places.mean(axis=0)


def test_arrows_point_where_content_goes() -> None:
    up, right = torch.tensor([0.0, -1.0]), torch.tensor([1.0, 0.0])
    kernel, optimum = torch.randn(1, 3, 5, 7), torch.rand(6, 1, 12, 16)
    rows = [ChannelVelocities(4, kernel, optimum, up, right, "words")]
    picture = pixels(draw_agreement("net / conv", rows, None))[170:300, 1005:1140]
    above, beside = middle(picture, CONTENT), middle(picture, FOUND)
    assert above[0] < beside[0] - 15
    assert beside[1] > above[1] + 15


def test_a_channel_without_motion_has_no_second_arrow() -> None:
    kernel, optimum = torch.randn(1, 3, 5, 7), torch.rand(6, 1, 12, 16)
    rows = [ChannelVelocities(4, kernel, optimum, torch.ones(2), None, "dead")]
    picture = pixels(draw_agreement("net / conv", rows, 0.5))[170:]
    wanted = [int(FOUND[index : index + 2], 16) for index in (1, 3, 5)]
    assert not (np.abs(picture - wanted).max(axis=-1) < 12).any()


def test_a_clip_adds_its_frame_and_the_gradient() -> None:
    steps, path = torch.zeros(4, 2, 1), torch.zeros(3, 2, 1)
    gradient = torch.zeros(8, 12)
    gradient[:, 6:] = 1.0  # the right half counts
    still = torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1).expand(3, 8, 12)
    frame = torch.tensor([0.0, 0.0, 1.0]).view(3, 1, 1).expand(3, 8, 12)
    row = ChannelPictures(2, still, 7, frame, gradient)
    drawn = pixels(draw_channels("net / conv", [row], steps, steps, path, (3, 3)))[170:, :900]
    blue, red, green = (middle(drawn, colour)[1] for colour in ("#0000ff", "#e60d1a", "#00ff00"))
    assert blue < red < green
    alone = pixels(draw_channels("net / conv", [ChannelPictures(2, still)], steps, steps, path, (3, 3)))
    assert middle(alone[170:, :900], "#00ff00")[1] < blue + 5


def test_paths_run_beside_the_direction_of_their_class() -> None:
    angle = math.radians(90)
    path = torch.tensor([math.cos(angle), -math.sin(angle)]) * torch.arange(4)[:, None]
    classes = [("up", 90.0, [0], [0.5])]
    picture = pixels(draw_directions("title", classes, path[:, :, None], torch.randn(1, 1, 3, 5, 5)))
    plot = picture[170:415, 50:295]  # without its frame
    end, grey = middle(plot, END), middle(plot, "#d0d4da")
    assert end[0] < plot.shape[0] / 2 - 30
    assert abs(end[1] - grey[1]) < 6
