"""Both ports of Inception-I3D at sizes no published digest covers."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from windows import same_windows, slide

from kinetoscope.zoo import inception_i3d_hassony2 as hassony2
from kinetoscope.zoo import inception_i3d_piergiaj as piergiaj

SIZES = [(5, 7, 9), (6, 7, 10), (7, 8, 9), (4, 10, 6)]


def normal(*shape: int) -> Tensor:
    # below zero as well, so that padding with zeros differs from padding with minus infinity
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def biggest(patch: Tensor) -> Tensor:
    return patch.flatten(1).amax(1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("kernel", "stride"), [((3, 3, 3), (2, 2, 2)), ((1, 3, 3), (1, 2, 2))])
def test_piergiaj_pools_same_windows_of_a_clip_with_zeros_around(size, kernel, stride) -> None:
    clip = normal(2, *size)
    windows = tuple(list(same_windows(n, k, s)) for n, k, s in zip(size, kernel, stride, strict=True))
    got = piergiaj.MaxPool3dSamePadding(kernel, stride)(clip[None])[0]
    torch.testing.assert_close(got, slide(clip, windows, biggest), atol=0, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_piergiaj_convolves_same_windows(size) -> None:
    unit = piergiaj.Unit3D(2, 3, kernel=7, stride=2).double().eval()
    clip = normal(2, *size)
    windows = tuple(list(same_windows(n, 7, 2)) for n in size)
    got = unit.conv3d(torch.zeros(1, 2, 7, 7, 7).double())  # its own padding is none
    assert got.shape[2:] == (1, 1, 1)
    want = slide(clip, windows, lambda patch: (unit.conv3d.weight * patch).flatten(1).sum(1))
    torch.testing.assert_close(unit(clip[None])[0], (want / (1 + 1e-3) ** 0.5).relu())


def even_windows(size: int, kernel: int, stride: int, ceil: bool) -> list[range]:
    """Windows over an axis padded as if its size were a multiple of the stride, and cut off there."""
    front, total = (kernel - stride) // 2, kernel - stride
    count = -((size + total - kernel) // -stride) + 1 if ceil else (size + total - kernel) // stride + 1
    stop = size + total - front
    return [range(i * stride - front, min(i * stride - front + kernel, stop)) for i in range(count)]


@pytest.mark.parametrize("size", SIZES)
def test_hassony2_adapts_its_padding_to_the_length_only(size) -> None:
    clip = normal(2, *size)
    (t, y, x) = size
    windows = (list(same_windows(t, 3, 2)), even_windows(y, 3, 2, True), even_windows(x, 3, 2, True))
    got = hassony2.MaxPool3dTFPadding((3, 3, 3), (2, 2, 2))(clip[None])[0]
    torch.testing.assert_close(got, slide(clip, windows, biggest), atol=0, rtol=0)

    unit = hassony2.Unit3Dpy(2, 3, kernel=7, stride=2).double().eval()
    windows = (list(same_windows(t, 7, 2)), even_windows(y, 7, 2, False), even_windows(x, 7, 2, False))
    want = slide(clip, windows, lambda patch: (unit.conv3d.weight * patch).flatten(1).sum(1))
    torch.testing.assert_close(unit(clip[None])[0], (want / (1 + 1e-3) ** 0.5).relu())


def note(shapes: list[tuple[int, ...]], module: nn.Module, args: object, output: Tensor) -> None:
    shapes.append(tuple(output.shape))


@pytest.mark.parametrize(
    ("size", "first", "last"),
    # the ports differ where a height or width is odd, and only there
    [((16, 224, 256), [(8, 112, 128)] * 2, 1), ((33, 225, 251), [(17, 113, 126), (17, 112, 125)], 4)],
)
def test_sizes_through_the_whole_networks(size, first, last) -> None:
    for model, stem, logits, shape in (
        (piergiaj.InceptionI3d(5), "Conv3d_1a_7x7", "logits", first[0]),
        (hassony2.I3D(5), "conv3d_1a_7x7", "conv3d_0c_1x1", first[1]),
    ):
        shapes: list[tuple[int, ...]] = []
        for name in (stem, logits):
            model.get_submodule(name).register_forward_hook(partial(note, shapes))
        model.to("meta")(torch.zeros(1, 3, *size, device="meta"))
        assert shapes[0] == (1, 64, *shape)
        assert shapes[1][:3] == (1, 5, last)


def headed(model: nn.Module) -> nn.Module:
    """The network from its average pooling on."""
    for name in model._endpoints:
        setattr(model, name, nn.Identity())
    return model.eval()


def test_piergiaj_gives_logits_for_every_time_step() -> None:
    model = headed(piergiaj.InceptionI3d(num_classes=5))
    features = torch.rand(2, 1024, 4, 7, 7)
    want = [model.logits.conv3d(features[:, :, t : t + 2].mean((2, 3, 4), keepdim=True)) for t in range(3)]
    torch.testing.assert_close(model(features), torch.cat(want, 2)[..., 0, 0], atol=1e-6, rtol=1e-5)
    assert model(torch.rand(1, 1024, 3, 8, 9)).shape == (1, 5, 2, 2, 3)


def test_hassony2_averages_logits_over_time_before_the_softmax() -> None:
    model = headed(hassony2.I3D(num_classes=5))
    torch.manual_seed(0)
    torch.nn.init.normal_(model.conv3d_0c_1x1.conv3d.weight, std=0.3)
    features = torch.randn(2, 1024, 4, 7, 7)
    steps = [model.conv3d_0c_1x1(features[:, :, t : t + 2].mean((2, 3, 4), keepdim=True)) for t in range(3)]
    mean = torch.cat(steps, 2).mean(2)[..., 0, 0]
    probabilities, logits = model(features)
    torch.testing.assert_close(logits, mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(probabilities, mean.softmax(1), atol=1e-4, rtol=1e-4)
    other = torch.cat(steps, 2).softmax(1).mean(2)[..., 0, 0]
    assert (probabilities - other).abs().max() > 1e-3
