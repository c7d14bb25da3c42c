"""Decoded filters as results, on networks whose answers are known."""

import pytest
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.card import ModelCard
from kinetoscope.errors import ClipTooSmall, LayerNotFound, ModelUnusable, SettingInvalid, UnitOutOfRange
from kinetoscope.filters.decode import decode_filter, decode_filters
from kinetoscope.filters.substitute import UNPOOLINGS
from kinetoscope.zoo.characters import LETTERS, built_by_hand
from kinetoscope.zoo.lenet import CARD, build_lenet


def test_lenet_is_decoded_to_the_papers_sizes() -> None:
    net = build_lenet()
    sizes = [decode_filter(net, f"conv{n}", 3, size=CARD.clip).decoded.shape for n in (1, 3, 5, 7)]
    assert sizes == [(1, 5, 5), (1, 14, 14), (1, 28, 28), (1, 28, 28)]


@pytest.mark.parametrize("unpool", UNPOOLINGS)
def test_every_decoded_letter_excites_its_own_unit_most(unpool: str) -> None:
    net = built_by_hand()
    letters = torch.stack(
        [f.decoded for f in decode_filters(net, "conv4", range(8), unpool, size=(1, 14, 14))]
    )
    assert letters.shape == (8, 1, 14, 14)
    with torch.no_grad():
        responses = net(letters).flatten(1)
    assert responses.argmax(dim=1).tolist() == list(range(len(LETTERS)))


def test_shapes_of_letters_excite_their_own_unit_most() -> None:
    net = built_by_hand()
    shapes = torch.stack([f.decoded for f in decode_filters(net, "conv2", range(14))])
    assert shapes.shape == (14, 1, 9, 9)
    with torch.no_grad():
        answers = net.conv2(net.conv1(shapes)).flatten(1).argmax(dim=1)
    # two arms of a corner are also the ends of two others: the shape itself must be among the winners
    assert (answers == torch.arange(14)).sum() >= 12


def test_a_model_comes_back_as_it_was() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 2)).train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    decode_filter(net, "2", 0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert net.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_a_stated_clip_frames_the_filter() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv3d(1, 2, 5, padding=2), nn.Conv3d(2, 1, 5, padding=2))
    free = decode_filter(net, "1", 0)
    net.kinetoscope_card = ModelCard(clip=(5, 8, 20), channels=1)
    framed = decode_filter(net, "1", 0)
    assert free.decoded.shape == (1, 9, 9, 9)
    assert framed.decoded.shape == (1, 5, 8, 9)
    assert framed.corner == (0, 0, 6)
    torch.testing.assert_close(framed.decoded, free.decoded[:, 2:7, :8])


def test_pictures_and_thresholds() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, (1, 4), bias=False))
    net[0].weight.data = torch.tensor([[[[2.0, -4.0, 0.0, 0.5]]]])
    found = decode_filter(net, "0", 0)
    torch.testing.assert_close(found.picture, torch.tensor([[[0.75, 0.0, 0.5, 0.5625]]]))
    positive, negative = found.thresholded(0.25)
    torch.testing.assert_close(positive, torch.tensor([[[0.5, 0.0, 0.0, 0.0]]]))
    torch.testing.assert_close(negative, torch.tensor([[[0.0, 1.0, 0.0, 0.0]]]))
    with pytest.raises(SettingInvalid, match="is no video"):
        _ = found.video
    net[0].weight.data.zero_()
    assert (decode_filter(net, "0", 0).picture == 0.5).all()


def test_a_3d_filter_is_a_video_that_can_be_decomposed() -> None:
    y, x = torch.arange(13.0)[:, None], torch.arange(17.0)
    bars = torch.stack([(((x - t) / 2.5).sin() + 0 * y) for t in range(5)])
    net = nn.Sequential(nn.Conv3d(1, 1, (5, 13, 17), bias=False))
    net[0].weight.data = bars[None, None]
    video = decode_filter(net, "0", 0, size=(5, 13, 17)).video
    assert video.shape == (5, 1, 13, 17)
    parts = ks.decompose(video)
    direction = parts.velocity.mean(dim=(0, 2, 3))
    assert 0.5 < direction[0] < 1.5  # one pixel per frame to the right was put in
    assert abs(direction[1]) < 0.2


def test_what_is_wrong_is_named() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    with pytest.raises(UnitOutOfRange, match="layer '0' has 2 units"):
        decode_filter(net, "0", 2)
    with pytest.raises(LayerNotFound, match="no layer 'conv'"):
        decode_filter(net, "conv", 0)
    with pytest.raises(ClipTooSmall, match="does not fit layer '2'"):
        decode_filter(net, "2", 0)
    with pytest.raises(ModelUnusable, match="kinetoscope_card"):
        decode_filter(nn.Sequential(nn.Linear(3, 2)), "0", 0)
    assert decode_filter(net, "2", 2, size=(1, 4, 4)).decoded.shape == (1, 4, 4)
