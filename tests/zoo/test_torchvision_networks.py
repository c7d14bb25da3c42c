"""torchvision's own builders: what their layers are, and that a unit of each can be visualized.

They are pure Python; where their package's compiled part does not load next to this torch, the names of its
operators, which none of them uses, are declared first.
"""

import sys
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

import pytest
import torch

from kinetoscope.card import ModelCard, card_of
from kinetoscope.optimal.ascend import AdamSettings, maximize, normalize
from kinetoscope.optimal.objective import channel
from kinetoscope.units.layers import LayerInfo, list_layers
from kinetoscope.units.tap import tap
from kinetoscope.zoo.torchvision_video import load_torchvision

pytestmark = pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision is not installed")

OPERATORS = """nms qnms roi_align qroi_align roi_pool ps_roi_align ps_roi_pool deform_conv2d
_roi_align_backward _roi_pool_backward _ps_roi_align_backward _ps_roi_pool_backward _deform_conv2d_backward"""


@pytest.fixture(scope="module", autouse=True)
def torchvision() -> Iterator[None]:
    library = None
    try:
        import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for name in OPERATORS.split():
            library.define(f"{name}(Tensor x) -> Tensor")
        import_module("torchvision")
    yield
    del library


def listed(builder: str) -> dict[str, LayerInfo]:
    net, card = load_torchvision(builder, "random")
    began = time.process_time()
    rows = list_layers(net, card)
    assert time.process_time() - began < 5
    assert {row.name for row in rows} <= {name for name, _ in net.named_modules()}
    return {row.name: row for row in rows}


@pytest.mark.parametrize("builder", ["r3d_18", "mc3_18", "r2plus1d_18", "s3d"])
def test_convolutional_networks(builder: str) -> None:
    rows = listed(builder)
    card = load_torchvision(builder, "random")[1]
    assert rows[card.output_layer].units == 400 == len(card.class_names)
    assert all(row.units == row.output_shape[0] for row in rows.values())
    assert all(row.map_shape == row.output_shape[1:] for row in rows.values())
    if builder == "r3d_18":
        field = rows["layer1.0.conv1.0"].receptive_field
        assert (field.frames, field.height, field.width) == (5, 11, 11)
        assert (field.stride, field.centre) == ((1, 2, 2), (0, 0, 0))


def test_tokens_of_mvit_lie_on_their_grid() -> None:
    rows = listed("mvit_v2_s")
    assert (rows["conv_proj"].units, rows["conv_proj"].map_shape) == (96, (8, 56, 56))
    for name in ("pos_encoding", "blocks.0", "blocks.0.norm1", "blocks.0.mlp.1", "blocks.0.stochastic_depth"):
        assert rows[name].output_shape == (1 + 8 * 56 * 56, {"blocks.0.mlp.1": 384}.get(name, 96))
        assert rows[name].units == rows[name].output_shape[-1]
        assert rows[name].map_shape == (8, 56, 56)
    assert (rows["blocks.1"].units, rows["blocks.1"].map_shape) == (192, (8, 28, 28))
    assert (rows["blocks.1.project"].units, rows["blocks.1.project"].map_shape) == (192, (8, 56, 56))
    heads = rows["blocks.1.attn.pool_k.pool"]
    assert (heads.units, heads.map_shape) == (96, (2, 8, 14, 14))
    assert (rows["norm"].units, rows["norm"].map_shape) == (768, (8, 7, 7))
    assert (rows["head.1"].units, rows["head.1"].map_shape) == (400, ())
    assert rows["blocks.0.stochastic_depth"].calls == 2


def test_channels_last_maps_of_swin() -> None:
    rows = listed("swin3d_t")
    for name in ("patch_embed", "pos_drop", "features.0.0", "features.0.0.norm1", "features.0.0.attn"):
        assert (rows[name].output_shape, rows[name].units) == ((16, 56, 56, 96), 96)
        assert rows[name].map_shape == (16, 56, 56)
    assert (rows["features.1"].units, rows["features.1"].map_shape) == (192, (16, 28, 28))
    assert (rows["avgpool"].units, rows["avgpool"].map_shape) == (768, (1, 1, 1))
    field = rows["features.0.0.norm1"].receptive_field
    assert (field.frames, field.height, field.width, field.centre) == (2, 4, 4, (0.5, 1.5, 1.5))


def test_a_token_on_the_grid_is_the_token_of_the_model() -> None:
    torch.manual_seed(0)
    video = import_module("torchvision.models.video.mvit")
    setting = video.MSBlockConfig(1, 6, 6, [], [], [], [])
    net = video.MViT((8, 12), 4, [setting] * 2, False, False, False, False, num_classes=3, norm_layer=None)
    clip = torch.rand(2, 3, 4, 8, 12)
    whole = {}
    net.eval().norm.register_forward_hook(lambda m, a, out: whole.update(norm=out))
    net(clip)
    with tap(net, "norm") as forward, torch.no_grad():
        output = forward(clip)
    assert output.shape == (2, 6, 2, 2, 3)
    torch.testing.assert_close(output[:, :, 1, 0, 2], whole["norm"][:, 1 + 1 * 6 + 0 * 3 + 2])


@pytest.mark.parametrize(("builder", "layer"), [("r3d_18", "layer1.0.conv1.0"), ("swin3d_t", "features.0.0")])
def test_a_unit_can_be_excited(builder: str, layer: str) -> None:
    torch.manual_seed(0)
    net, card = load_torchvision(builder, "random")
    with tap(net, layer) as forward:
        (found,) = maximize(
            lambda clips: forward(normalize(clips, card)),
            [channel(5)],
            (3, 6, 24, 32),
            AdamSettings(steps=6),
            [torch.Generator().manual_seed(0)],
        )
    assert found.history[-1] > found.history[0]


def test_published_weights_come_through_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    net, _ = load_torchvision("r3d_18", "random")
    asked = {}

    def download(url: str, **options: object) -> dict[str, torch.Tensor]:
        asked.update(options, url=url)
        return net.state_dict()

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    loaded, card = load_torchvision("r3d_18", "R3D_18_Weights.KINETICS400_V1")
    assert asked["progress"]
    assert asked["check_hash"]
    assert asked["url"].endswith("r3d_18-b3b3357e.pth")
    assert torch.equal(loaded.fc.weight, net.fc.weight)
    assert isinstance(card, ModelCard)
    assert (card.clip, card.mean) == ((16, 112, 112), (0.43216, 0.394666, 0.37645))
    assert card.class_names[:2] == ("abseiling", "air drumming")
    assert card_of(loaded).channels == 3
