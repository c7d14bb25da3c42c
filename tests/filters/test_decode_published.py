"""A published 3D network is decoded layer by layer, as far as its operations are additive."""

import pytest
import torch
from torch import nn

from kinetoscope.errors import ClipTooSmall, NotDecodable
from kinetoscope.filters.decode import decode_filter
from kinetoscope.zoo.registry import load_model

TINY = (4, 20, 24)


@pytest.fixture(scope="module")
def c3d() -> nn.Module:
    return load_model("c3d", weights="random", seed=0)


def test_the_first_layer_of_c3d_is_its_kernels(c3d: nn.Module) -> None:
    found = decode_filter(c3d, "conv1", 7, size=TINY)
    torch.testing.assert_close(found.decoded, c3d.get_submodule("conv1").weight[7].detach())


def test_c3d_is_decoded_through_its_pooling(c3d: nn.Module) -> None:
    found = decode_filter(c3d, "conv3a", 5, "nearest", size=TINY)
    assert found.decoded.shape == (3, 4, 18, 18)  # what conv3a sees, cut to four frames
    assert found.decoded.isfinite().all()
    assert found.decoded.abs().max() > 0
    kernel = c3d.get_submodule("conv2").weight[3].detach()
    plain = decode_filter(c3d, "conv2", 3, "nearest", size=TINY).decoded
    below = kernel.repeat_interleave(2, 2).repeat_interleave(2, 3)[None]  # unpooled over space only
    first = c3d.get_submodule("conv1").weight.detach()
    torch.testing.assert_close(plain, nn.functional.conv_transpose3d(below, first)[0][:, : plain.shape[1]])


def test_what_c3d_cannot_give_is_said_in_a_line(c3d: nn.Module) -> None:
    with pytest.raises(ClipTooSmall, match=r"8x32x32.*too small for layer"):
        decode_filter(c3d, "fc6", 0, size=(8, 32, 32))
    softmax = nn.Sequential(c3d.get_submodule("conv1"), nn.Softmax(dim=1))
    with pytest.raises(NotDecodable, match=r"layer '1' cannot be decoded: _softmax .* choose a layer before"):
        decode_filter(softmax, "1", 0, size=TINY)
