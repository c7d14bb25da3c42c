"""Which layer Grad-CAM looks at unless it is told."""

import torch
from torch import nn

from kinetoscope.attribution.attribute import attribute, find_cam_layer
from kinetoscope.attribution.methods import AttributionSettings
from kinetoscope.card import ModelCard

CARD = ModelCard(clip=(4, 6, 7))


def test_the_outermost_of_nested_layers_is_taken() -> None:
    inner = nn.Sequential(nn.Conv3d(3, 4, 3), nn.ReLU())
    model = nn.Sequential(inner, nn.AdaptiveAvgPool3d((1, 2, 2)), nn.Flatten(), nn.Linear(16, 2))
    assert find_cam_layer(model, CARD, "3") == "0"
    assert find_cam_layer(model, CARD, "0.1") == "0.0"
    assert not inner._forward_hooks


def test_a_layer_inside_the_target_is_not_before_it() -> None:
    block = nn.Sequential(nn.Conv3d(4, 4, 1), nn.ReLU())
    model = nn.Sequential(nn.Conv3d(3, 4, 1), block)
    assert find_cam_layer(model, CARD, "1") == "0"


def test_what_lies_behind_the_target_need_not_fit_the_clip() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv3d(3, 4, 3), nn.ReLU(), nn.Conv3d(4, 2, 1), nn.AvgPool3d(40), nn.Flatten())
    assert find_cam_layer(model, CARD, "2") == "1"
    found = attribute(
        model, torch.rand(4, 3, 6, 7), "2:1", "grad-cam", AttributionSettings(points=1), card=CARD
    )
    assert (found.cam_layer, found.map.shape) == ("1", (4, 6, 7))


def test_a_layer_that_runs_again_counts_where_it_ran_first() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu, self.first, self.second = nn.ReLU(), nn.Conv3d(3, 4, 1), nn.Conv3d(4, 4, 1)
            self.head = nn.Linear(4, 2)

        def forward(self, clip: torch.Tensor) -> torch.Tensor:
            maps = self.relu(self.second(self.relu(self.first(clip))))
            return self.head(maps.mean((2, 3, 4)))

    assert find_cam_layer(Shared(), CARD, "head") == "second"
