"""Feature maps are what sliding a kernel by hand gives, and cutting a clip into windows changes nothing."""

from collections.abc import Iterator

import pytest
import torch
from naive_correlation import naive_correlation
from torch import nn

from kinetoscope.activations.maps import (
    Block,
    Filters,
    kernel_filters,
    layer_filters,
    maps_of,
    random_kernels,
    stream_maps,
    strongest,
)
from kinetoscope.card import ModelCard, card_of
from kinetoscope.clips.video import Window
from kinetoscope.errors import ClipTooSmall, LayerNotFound, SettingInvalid
from kinetoscope.zoo.registry import load_model

CARD = ModelCard(clip=(8, 10, 12), mean=(0.5,), std=(0.2,))


def clip(frames: int, height: int = 10, width: int = 12, seed: int = 0) -> torch.Tensor:
    return torch.rand(frames, 3, height, width, generator=torch.Generator().manual_seed(seed))


def windows(video: torch.Tensor, length: int, step: int) -> Iterator[Window]:
    start = 0
    while start + length < len(video):
        yield Window(start, video[start : start + length], last=False)
        start += step
    start = max(0, len(video) - length)
    yield Window(start, video[start:], last=True)


def joined(blocks: list[Block]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.cat([b.clip for b in blocks]), torch.cat([b.maps for b in blocks], dim=1)


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 2, 5), (4, 10, 12)])
def test_kernels_slide_as_by_hand(size: tuple[int, int, int]) -> None:
    video, kernels = clip(6).double(), random_kernels(2, 3, size, seed=1).double()
    found = maps_of(video, kernel_filters(kernels))
    torch.testing.assert_close(found.maps, naive_correlation(video, kernels))
    assert torch.equal(found.clip, video)


def strided() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(3, 4, (3, 3, 5), stride=(2, 1, 2), padding=(1, 1, 2)),
        nn.ReLU(),
        nn.MaxPool3d((3, 2, 2), stride=(2, 2, 1), padding=(1, 1, 0)),
        nn.Conv3d(4, 5, (3, 1, 1), padding=(2, 0, 0), dilation=(2, 1, 1)),
    ).eval()


@pytest.mark.parametrize("frames", [9, 41, 48])
@pytest.mark.parametrize("core", [1, 5])
@pytest.mark.parametrize("layer", ["kernels", "0", "2", "3"])
def test_windows_equal_the_whole_clip(layer: str, core: int, frames: int) -> None:
    filters: Filters = (
        kernel_filters(random_kernels(3, 3, (4, 3, 2)))
        if layer == "kernels"
        else layer_filters(strided(), layer, [3, 1], CARD)
    )
    video = clip(frames)
    whole = maps_of(video, filters)
    seen, maps = joined(list(stream_maps(windows(video, *filters.window(core)), filters)))
    torch.testing.assert_close(maps, whole.maps)
    torch.testing.assert_close(seen, whole.clip)


def test_windows_that_overlap_too_little_differ() -> None:
    filters = layer_filters(strided(), "3", [0, 1], CARD)
    video = clip(57)
    length, step = filters.window(4)
    short = length - 12
    seen = list(stream_maps(windows(video, short, step), filters))
    whole = maps_of(video, filters).maps
    same_shape = sum(b.maps.shape[1] for b in seen) == whole.shape[1]
    assert not same_shape or not torch.allclose(joined(seen)[1], whole)


def test_a_layer_sees_the_clip_as_its_card_says() -> None:
    model = nn.Sequential(nn.Conv3d(1, 2, 1, bias=False))
    nn.init.constant_(model[0].weight, 1.0)
    card = ModelCard(clip=(4, 6, 8), channels=1, value_range=(0.0, 10.0), mean=(1.0,), std=(2.0,))
    video = clip(5, 12, 16)
    found = maps_of(video, layer_filters(model, "0", [1], card))
    assert found.clip.shape == (5, 1, 6, 8)
    torch.testing.assert_close(found.maps[0], (found.clip[:, 0] * 10.0 - 1.0) / 2.0)


def test_the_bundled_network_streams_and_its_last_layers_do_not() -> None:
    model = load_model("motion13", weights="random")
    filters = layer_filters(model, "conv3a", [5], card_of(model), size=(16, 24))
    video = clip(61, 16, 24)
    _, maps = joined(list(stream_maps(windows(video, *filters.window(8)), filters)))
    torch.testing.assert_close(maps, maps_of(video, filters).maps, atol=1e-5, rtol=1e-4)
    for layer in ("pool4", "fc"):
        with pytest.raises(LayerNotFound, match=f"{layer}.*choose a convolution"):
            layer_filters(model, layer, [0], card_of(model))


def test_random_kernels_depend_on_the_seed_and_have_unit_energy() -> None:
    first, again, other = (random_kernels(4, 3, (2, 3, 5), seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    torch.testing.assert_close(first.square().sum(dim=(1, 2, 3, 4)), torch.ones(4))


def test_the_strongest_maps_are_found_over_all_blocks() -> None:
    quiet, loud = torch.zeros(3, 2, 4, 5), torch.zeros(3, 1, 4, 5)
    quiet[0] = -9.0
    loud[2], loud[1] = 3.0, 1.0
    blocks = [Block(clip(2), quiet), Block(clip(1), loud)]
    assert strongest(blocks, 2) == [2, 1]
    assert strongest(blocks, 9) == [2, 1, 0]
    kernels = random_kernels(3, 3, (2, 2, 2))
    chosen = kernel_filters(kernels).select([2, 0])
    assert chosen.names == ("2", "0")
    torch.testing.assert_close(maps_of(clip(4), chosen).maps, naive_correlation(clip(4), kernels[[2, 0]]))


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(ClipTooSmall, match=r"3x10x12 is smaller than a kernel of 4x3x3"):
        maps_of(clip(3), kernel_filters(random_kernels(1, 3, (4, 3, 3))))
    with pytest.raises(SettingInvalid, match="at least 1"):
        random_kernels(0, 3, (1, 1, 1))
    with pytest.raises(SettingInvalid, match="at least 1"):
        strongest([], 0)
