from importlib import resources

import pytest
import torch

from kinetoscope.card import ModelCard
from kinetoscope.errors import ModelUnusable
from kinetoscope.zoo import lenet


def test_the_architecture_is_the_papers():
    net = lenet.build_lenet()
    shapes = [tuple(getattr(net, f"conv{n}").weight.shape) for n in (1, 3, 5, 7)]
    assert shapes == [(20, 1, 5, 5), (50, 20, 5, 5), (500, 50, 4, 4), (10, 500, 1, 1)]
    assert [name for name, _ in net.named_children()][1::2] == ["pool2", "pool4", "relu6"]


def test_pictures_and_clips_of_one_frame_give_the_same_logits():
    net, pictures = lenet.build_lenet(), torch.rand(2, 1, 28, 28)
    logits = net(pictures)
    assert logits.shape == (2, 10)
    torch.testing.assert_close(net(pictures[:, :, None]), logits)
    assert isinstance(lenet.CARD, ModelCard)
    assert net.get_submodule(lenet.CARD.output_layer).out_channels == len(lenet.CARD.class_names)


def test_bundled_weights_are_small_and_load_as_float32():
    net = lenet.load_bundled()
    assert all(p.dtype == torch.float32 for p in net.parameters())
    assert not net.training
    weights = resources.files("kinetoscope.weights") / "shipped" / lenet.WEIGHTS
    assert len(weights.read_bytes()) <= 1_000_000


def test_missing_weights_are_named(monkeypatch):
    monkeypatch.setattr(lenet, "WEIGHTS", "nowhere.safetensors")
    with pytest.raises(ModelUnusable, match=r"nowhere\.safetensors is missing"):
        lenet.load_bundled()
