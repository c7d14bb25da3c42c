"""The box a place of a map is said to see is the one its gradient touches."""

import pytest
import torch
from torch import nn

from kinetoscope.errors import LayerNotFound
from kinetoscope.units.receptive.fields import field_box, layer_spans
from kinetoscope.units.receptive.span import WHOLE, Span


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(3, 2, (3, 3, 5), stride=(2, 1, 2), padding=(1, 0, 2)),
        nn.AvgPool3d((1, 2, 2)),
        nn.Conv3d(2, 2, (2, 3, 1)),
        nn.Flatten(),
    )


@pytest.mark.parametrize("position", [(0, 0, 0), (1, 2, 1), (3, 4, 3)])
def test_boxes_are_where_gradients_are(position: tuple[int, int, int]) -> None:
    model, extent = network(), (10, 17, 18)
    video = torch.rand(1, 3, *extent, requires_grad=True)
    t, y, x = position
    model[:3](video)[0, 1, t, y, x].backward()
    touched = video.grad[0].abs().sum(dim=0).nonzero()
    wanted = tuple((int(low), int(high) + 1) for low, high in zip(*touched.aminmax(dim=0), strict=True))
    assert field_box(layer_spans(model, "2", (3, *extent)), position, extent) == wanted


def test_no_place_sees_everything() -> None:
    spans = layer_spans(network(), "3", (3, 10, 17, 18))
    assert field_box(spans, (0, 0, 0), (10, 17, 18)) == ((0, 10), (0, 17), (0, 18))
    assert field_box((WHOLE, None, Span(3, 2, -1)), (0, 0, 5), (4, 6, 10)) == ((0, 4), (0, 6), (9, 10))


def test_a_model_that_looks_at_values_is_run_for_real() -> None:
    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(3, 1, 3)

        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            return self.conv(clips) if float(clips.sum()) >= 0 else clips

    assert layer_spans(Looks(), "conv", (3, 5, 6, 7)) == (Span(3, 1, 0),) * 3
    with pytest.raises(LayerNotFound, match="conf"):
        layer_spans(Looks(), "conf", (3, 5, 6, 7))
