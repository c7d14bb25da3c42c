import json
from importlib import resources

import pytest
import torch

from kinetoscope.errors import ModelUnusable
from kinetoscope.training.motion13_recipe import confusion, held_out_clips
from kinetoscope.types import MOTION_LABELS
from kinetoscope.zoo import motion13


def test_card_says_what_the_network_takes_and_gives():
    card, net = motion13.CARD, motion13.build_motion13()
    logits = net(torch.zeros(2, card.channels, *card.clip))
    assert logits.shape == (2, len(card.class_names))
    assert card.class_names == MOTION_LABELS
    assert net.get_submodule(card.output_layer).out_features == 13


def test_other_clip_sizes_work():
    assert motion13.build_motion13()(torch.rand(1, 3, 9, 40, 52)).shape == (1, 13)


def test_bundled_weights_are_small_float32_and_in_evaluation_mode():
    net = motion13.load_bundled()
    assert all(p.dtype == torch.float32 for p in net.parameters())
    assert not net.training
    weights = resources.files("kinetoscope.weights") / "shipped" / motion13.WEIGHTS
    assert len(weights.read_bytes()) <= 4_000_000


def test_bundled_network_names_the_motion_of_held_out_clips():
    counts = confusion(motion13.load_bundled(), held_out_clips(8, seed=123))
    assert counts.sum() == 104
    assert (counts.trace() / counts.sum()).item() >= 0.95
    # a network that names nothing must fail the same measurement
    torch.manual_seed(0)
    random_counts = confusion(motion13.build_motion13(), held_out_clips(1))
    assert (random_counts.trace() / random_counts.sum()).item() < 0.5


def test_record_beside_the_weights_states_accuracy_and_recipe():
    record = json.loads((resources.files("kinetoscope.weights") / "shipped" / "motion13.json").read_text())
    assert record["accuracy"] >= 0.95
    assert set(record["accuracy_per_class"]) == set(MOTION_LABELS)
    assert {"recipe", "minutes", "versions"} <= set(record)


def test_missing_weights_are_named(monkeypatch):
    monkeypatch.setattr(motion13, "WEIGHTS", "nowhere.safetensors")
    with pytest.raises(ModelUnusable, match=r"nowhere\.safetensors is missing"):
        motion13.load_bundled()
