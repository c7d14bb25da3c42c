"""What a tap cannot do is said in one line, and other failures pass through."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from borrowed_net import CLIP, fresh
from torch import Tensor, nn

import kinetoscope as ks
from kinetoscope.errors import ClipTooSmall, LayerNotFound, ModelUnusable, SettingInvalid
from kinetoscope.units.tap import output_shape, tap


def test_wrong_layers_are_named_with_the_closest() -> None:
    with pytest.raises(LayerNotFound, match=r"'block\.3'; closest: .*block\.0"):
        tap(fresh(), "block.3")
    with pytest.raises(LayerNotFound, match="no layer ''"):
        tap(fresh(), "")
    with pytest.raises(LayerNotFound, match=r"'spare'.*never reaches"), tap(fresh(), "spare") as forward:
        forward(torch.rand(CLIP))


@pytest.mark.parametrize(
    ("layers", "failing"),
    [
        ([nn.Conv3d(3, 4, (1, 7, 3)), nn.ReLU()], "0"),
        ([nn.MaxPool3d((1, 2, 2)), nn.MaxPool3d((1, 4, 1))], "1"),
        ([nn.AvgPool3d((1, 2, 2)), nn.AvgPool3d((1, 4, 1))], "1"),
        ([nn.Conv3d(3, 4, 1), nn.Sequential(nn.MaxPool3d(2), nn.Conv3d(4, 4, 2))], "1.1"),
    ],
)
def test_small_clips_are_told_with_layer_and_size(layers: list[nn.Module], failing: str) -> None:
    net = nn.Sequential(*layers)
    for probe in (lambda: tapped(net, "1"), lambda: output_shape(net, "1", (3, 3, 6, 8))):
        with pytest.raises(ClipTooSmall, match=f"3x6x8.*too small for layer '{failing}'; give"):
            probe()


def tapped(net: nn.Module, layer: str) -> Tensor:
    with tap(net, layer) as forward:
        return forward(torch.rand(1, 3, 3, 6, 8))


def test_a_clip_that_does_not_fit_a_linear_layer_is_told() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    for probe in (lambda: tapped(net, "1"), lambda: output_shape(net, "1", (3, 3, 6, 8))):
        with pytest.raises(ClipTooSmall, match=r"3x6x8.*does not fit layer '1'"):
            probe()


@pytest.mark.parametrize(
    "message",
    ["[enforce fail] DefaultCPUAllocator: can't allocate memory", "CUDA out of memory", "shape mismatch"],
)
def test_other_runtime_errors_pass_through(message: str) -> None:
    net = nn.Sequential(nn.Identity(), nn.Identity())

    def fail(module: nn.Module, args: Any) -> None:
        raise RuntimeError(message)

    net[0].register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match=message.replace("[", r"\[").replace("(", r"\(")):
        tapped(net, "1")


def test_unusable_weights_are_named() -> None:
    net = fresh()
    with torch.no_grad():
        net.head.bias[2] = torch.nan
        net.norm.running_var[0] = torch.inf
    with pytest.raises(ModelUnusable, match=r"head\.bias, norm\.running_var"), tap(net, "conv1"):
        pass
    with pytest.raises(ModelUnusable, match="not initialized"), tap(nn.Sequential(nn.LazyConv3d(4, 3)), "0"):
        pass


def test_wrong_use_is_refused() -> None:
    with pytest.raises(SettingInvalid, match="fp16"):
        tap(fresh(), "conv1", precision="fp16")
    with pytest.raises(SettingInvalid, match="with"):
        tap(fresh(), "conv1")(torch.rand(CLIP))


@pytest.mark.parametrize("made", [lambda x: x.argmax(1), torch.fft.rfft])
def test_outputs_that_are_no_real_numbers_are_refused(made: Callable[[Tensor], Tensor]) -> None:
    class Made(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return made(x)

    refused = r"gives torch\.(int64|complex64), no real numbers"
    with (
        tap(nn.Sequential(nn.Conv3d(3, 4, 3), Made()), "1") as forward,
        pytest.raises(LayerNotFound, match=refused),
    ):
        forward(torch.rand(1, 3, 4, 6, 8))


@pytest.mark.parametrize("way", [torch.no_grad(), torch.inference_mode(), None])
def test_a_forward_without_gradients_is_refused_where_one_is_wanted(way: Any) -> None:
    class Shut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.open, self.shut = nn.Conv3d(3, 4, 3), nn.Conv3d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.open(x)
            if way is None:
                return self.shut(x.detach())
            with way:
                return self.shut(x)

    net, clip = Shut(), torch.rand(CLIP, requires_grad=True)
    refused = r"no gradient from layer 'shut' reaches the clip: .* no_grad .* detaches"
    with tap(net, "shut") as forward:
        with pytest.raises(ModelUnusable, match=refused):
            forward(clip)
        assert forward(clip.detach()).shape == (2, 4, 3, 7, 10)
        with torch.no_grad():
            forward(clip)
    with tap(net, "open") as forward:
        assert forward(clip).requires_grad
    with pytest.raises(ModelUnusable, match=refused):
        ks.visualize(net, "shut", [0], card=ks.ModelCard(clip=(5, 9, 12)), steps=1, seeds=1)
