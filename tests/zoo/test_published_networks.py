"""What the published architectures have in common: names, cards, sizes, and weights from a seed."""

import pytest
import torch
from torch import nn

from kinetoscope.units.layers import list_layers
from kinetoscope.zoo import c3d, i3d_r50, inception_i3d_hassony2, inception_i3d_piergiaj
from kinetoscope.zoo.init import he_normal

# module, builder, parameters, stored tensors without counters, first and last of them
NETWORKS = {
    "c3d": (c3d, c3d.build_c3d, 79_991_015, 22, "conv1.weight", "fc8.bias"),
    "i3d_r50": (
        i3d_r50,
        i3d_r50.build_i3d_r50,
        28_043_472,
        267,
        "s1.pathway0_stem.conv.weight",
        "head.projection.bias",
    ),
    "piergiaj": (
        inception_i3d_piergiaj,
        inception_i3d_piergiaj.build_inception_i3d_piergiaj,
        12_697_264,
        287,
        "logits.conv3d.weight",
        "Mixed_5c.b3b.bn.running_var",
    ),
    "hassony2": (
        inception_i3d_hassony2,
        inception_i3d_hassony2.build_inception_i3d_hassony2,
        12_697_264,
        287,
        "conv3d_1a_7x7.conv3d.weight",
        "conv3d_0c_1x1.conv3d.bias",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_tensors_are_those_of_the_published_file(name: str) -> None:
    _, build, parameters, tensors, first, last = NETWORKS[name]
    with torch.device("meta"):
        model = build()
    stored = [key for key in model.state_dict() if not key.endswith("num_batches_tracked")]
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert (len(stored), stored[0], stored[-1]) == (tensors, first, last)


@pytest.mark.parametrize("name", NETWORKS)
def test_cards_name_layers_that_every_clip_of_theirs_reaches(name: str) -> None:
    module, build, *_ = NETWORKS[name]
    card = module.CARD
    with torch.device("meta"):
        rows = {row.name: row for row in list_layers(build(), card)}
    assert set(card.suggested_layers) <= rows.keys()
    assert len(card.class_names) in rows[card.output_layer].output_shape
    assert all(None not in (row.receptive_field.frames, row.receptive_field.width) for row in rows.values())
    first = rows[card.suggested_layers[0]].receptive_field
    assert first.frames < card.clip[0]
    assert first.height == first.width < 20


@pytest.mark.parametrize("name", NETWORKS)
def test_classes_can_be_others(name: str) -> None:
    module, build, *_ = NETWORKS[name]
    with torch.device("meta"):
        model = build(num_classes=7).eval()
        output = model(torch.zeros(2, 3, *module.CARD.clip))
    for scores in output if isinstance(output, tuple) else (output,):
        assert scores.shape[:2] == (2, 7)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("c3d", (16, 96, 96)),
        ("i3d_r50", (8, 193, 193)),
        ("piergiaj", (9, 193, 193)),
        ("hassony2", (9, 194, 194)),
    ],
)
def test_the_least_clip_is_the_one_stated(name: str, least: tuple[int, int, int]) -> None:
    with torch.device("meta"):
        model = NETWORKS[name][1]()
        model(torch.zeros(1, 3, *least))
        for axis in range(3):
            smaller = (n - (i == axis) for i, n in enumerate(least))
            with pytest.raises(RuntimeError):
                model(torch.zeros(1, 3, *smaller))


def test_c3d_never_takes_a_large_clip_for_several() -> None:
    with torch.device("meta"):
        model = c3d.build_c3d()
        assert model(torch.zeros(2, 3, 31, 96, 127)).shape == (2, 487)
        with pytest.raises(RuntimeError, match="8192"):
            model(torch.zeros(1, 3, 16, 224, 224))


def test_weights_follow_the_seed_and_need_no_counters() -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(inception_i3d_piergiaj.build_inception_i3d_piergiaj(num_classes=2).state_dict())
    weight = "Mixed_5c.b1b.conv3d.weight"
    assert states[0][weight].equal(states[1][weight])
    assert not states[0][weight].equal(states[2][weight])
    bare = {key: tensor for key, tensor in states[2].items() if not key.endswith("num_batches_tracked")}
    model = inception_i3d_piergiaj.build_inception_i3d_piergiaj(num_classes=2)
    model.load_state_dict(bare)
    assert model.get_parameter(weight).equal(states[2][weight])


def test_random_weights_keep_the_signal_alive_in_depth() -> None:
    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Conv3d(16, 16, 3, padding=1, bias=False), nn.ReLU()) for _ in range(10)]
    clip = torch.rand(1, 16, 5, 9, 11)
    faded = nn.Sequential(*layers)(clip).std()
    he_normal(nn.Sequential(*layers))
    assert faded < 1e-3 < 0.05 < nn.Sequential(*layers)(clip).std() < 20
