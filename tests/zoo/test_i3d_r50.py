import re

import pytest
import torch

from kinetoscope.zoo import i3d_r50


def test_softmax_at_every_place_and_then_the_mean() -> None:
    torch.manual_seed(0)
    head = i3d_r50.ResNetBasicHead(6, num_classes=5).eval()
    torch.nn.init.normal_(head.projection.weight, std=3)
    x = 5 * torch.randn(2, 6, 5, 8, 9)
    places = [
        head.projection(x[:, :, t : t + 4, i : i + 7, j : j + 7].mean((2, 3, 4)))
        for t in range(2)
        for i in range(2)
        for j in range(3)
    ]
    want = torch.stack([logits.softmax(1) for logits in places]).mean(0)
    torch.testing.assert_close(head(x), want)
    assert (torch.stack(places).mean(0).softmax(1) - want).abs().max() > 1e-3
    head.train().dropout.p = 0.0
    torch.testing.assert_close(head(x), torch.stack(places, 1).flatten(1), msg="logits while training")


def test_a_list_with_one_clip_counts_as_the_clip() -> None:
    with torch.device("meta"):
        model = i3d_r50.build_i3d_r50(num_classes=3).eval()
        clip = torch.zeros(2, 3, 9, 195, 225)
        assert model([clip]).shape == model(clip).shape == (2, 3)


def blob_of(name: str) -> str:
    """The Caffe2 name of one of the network's tensors, word by word."""
    for there, here in (
        (r"s1\.pathway0_stem\.conv\.", "conv1."),
        (r"s1\.pathway0_stem\.bn\.", "res_conv1_bn."),
        (r"s(.)\.pathway0_res(.)\.branch2\.", r"res\1_\2_branch2"),
        (r"s(.)\.pathway0_res(.)\.branch1", r"res\1_\2_branch1"),
        (r"head\.projection", "pred"),
        (r"bn\.weight", "bn_s"),
        (r"\.weight", "_w"),
        (r"\.bias", "_b"),
        (r"\.running_mean", "_rm"),
        (r"\.running_var", "_riv"),
    ):
        name = re.sub(there, here, name)
    return name


def test_every_blob_finds_its_tensor_unchanged() -> None:
    torch.manual_seed(1)
    state = {k: t for k, t in i3d_r50.build_i3d_r50().state_dict().items() if "num_batches" not in k}
    blobs = {blob_of(name): tensor for name, tensor in state.items()}
    assert len(blobs) == 267
    assert {"conv1_w", "res_conv1_bn_riv", "res5_2_branch2c_bn_s", "res3_0_branch1_w", "pred_b"} <= set(blobs)
    named = i3d_r50.from_caffe2(blobs)
    assert named.keys() == state.keys()
    assert all(named[k].equal(state[k]) for k in state)
    i3d_r50.build_i3d_r50().load_state_dict(named)  # without batch norm's counters


@pytest.mark.parametrize("stem", ["conv1_w", "res_conv1_w"])
def test_blobs_that_differ_in_more_than_the_name(stem: str) -> None:
    blobs = {
        stem: torch.ones(2, 3, 5, 7, 7),
        "res2_1_branch2c_w": torch.ones(256, 64),
        "pred_w": torch.ones(400, 2048, 1, 1, 1),
        "pred_b": torch.ones(400),
        "conv1_w_momentum": torch.ones(2),
        "lr": torch.ones(1),
        "model_iter": torch.ones(1),
        "res6_0_branch2a_w": torch.ones(3),
    }
    shapes = {name: tuple(tensor.shape) for name, tensor in i3d_r50.from_caffe2(blobs).items()}
    assert shapes == {
        "s1.pathway0_stem.conv.weight": (2, 3, 5, 7, 7),
        "s2.pathway0_res1.branch2.c.weight": (256, 64, 1, 1, 1),
        "head.projection.weight": (400, 2048, 1, 1, 1),  # too many axes: the loader's to refuse
        "head.projection.bias": (400,),
        "res6_0_branch2a_w": (3,),  # unknown: the loader's to name
    }
