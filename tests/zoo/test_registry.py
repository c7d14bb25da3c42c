import contextlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from kinetoscope.card import ModelCard, card_of
from kinetoscope.errors import InputNotice, ModelNotFound, ModelUnusable, SettingInvalid
from kinetoscope.types import MOTION_LABELS
from kinetoscope.weights.checkpoints import load_weights
from kinetoscope.zoo import entries, i3d_r50
from kinetoscope.zoo.registry import load_model, registered, weights_sha256


def small(outputs: int = 4) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv3d(1, 2, (1, 2, 3)), nn.BatchNorm3d(2), nn.Flatten(), nn.Linear(6, outputs))


def test_random_weights_follow_the_seed_and_leave_the_generators_alone() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    first, again, other = (load_model("motion13", weights="random", seed=s) for s in (5, 5, 6))
    torch.testing.assert_close(torch.rand(3), expected, atol=0, rtol=0)
    assert weights_sha256(first) == weights_sha256(again) != weights_sha256(other)
    assert first.kinetoscope_weights == {"name": "random", "sha256": weights_sha256(first)}
    assert not first.training
    assert card_of(first).class_names == MOTION_LABELS


def test_the_sum_covers_names_types_shapes_and_values() -> None:
    net = small()
    sums = {weights_sha256(net)}
    state = net.state_dict()
    with torch.no_grad():
        state["0.bias"][1] += 1e-7
    sums.add(weights_sha256(net))
    net[0].bias = nn.Parameter(net[0].bias.detach().double())
    sums.add(weights_sha256(net))
    net[0].bias = nn.Parameter(net[0].bias.detach()[None])
    sums.add(weights_sha256(net))
    sums.add(weights_sha256(nn.Sequential(nn.Identity(), *net)))
    assert len(sums) == 5
    assert weights_sha256(net) == weights_sha256(net)


@pytest.mark.parametrize("kind", ["safetensors", "torch", "wrapped", "parallel"])
def test_weights_come_from_files(tmp_path: Path, kind: str) -> None:
    source = load_model("motion13", weights="random", seed=1)
    path = tmp_path / "weights.bin"
    state = source.state_dict()
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "parallel":
        torch.save({f"module.{k}": t for k, t in state.items()}, path)
    else:
        torch.save(state if kind == "torch" else {"epoch": 3, "state_dict": state}, path)
    told = pytest.warns(InputNotice, match=r"left 'module\.' out of the names")
    with told if kind == "parallel" else contextlib.nullcontext():
        loaded = load_model("motion13", weights=str(path))
    assert weights_sha256(loaded) == weights_sha256(source)
    assert loaded.kinetoscope_weights["name"] == "weights.bin"


def test_all_that_does_not_fit_is_named_at_once_and_nothing_is_loaded(tmp_path: Path) -> None:
    net = small()
    before = weights_sha256(net)
    state = dict(small().state_dict())
    state["extra.a"], state["extra.b"] = torch.zeros(1), torch.zeros(1)
    state["3.weight"] = torch.zeros(5, 6)
    del state["0.bias"], state["1.weight"]
    path = tmp_path / "wrong.safetensors"
    save_file(state, path)
    with pytest.raises(ModelUnusable) as caught:
        load_weights(net, path)
    told = str(caught.value)
    assert "missing: 0.bias, 1.weight" in told
    assert "extra: extra.a, extra.b" in told
    assert "3.weight (5, 6) for (4, 6)" in told
    assert "\n" not in told
    assert weights_sha256(net) == before


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for published weights."""
    monkeypatch.setenv("KINETOSCOPE_CACHE", str(tmp_path))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def test_published_weights_are_taken_from_the_cache_under_their_own_names(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(i3d_r50, "build_i3d_r50", lambda: nn.Sequential(nn.Linear(2, 3)))
    monkeypatch.setattr(
        i3d_r50, "from_caffe2", lambda blobs: {f"0.{name}": t.reshape(3, -1) for name, t in blobs.items()}
    )
    blobs = {"weight": np.arange(6, dtype=np.float32), "bias": np.ones((3, 1), np.float32)}
    (cache / "I3D_8x8_R50.pkl").write_bytes(pickle.dumps({"blobs": blobs}, 2))
    with pytest.raises(ModelUnusable, match=r"0\.bias \(3, 1\) for \(3,\)"):
        load_model("i3d_r50")
    blobs["bias"] = np.ones(3, np.float32)
    monkeypatch.setattr(
        i3d_r50, "from_caffe2", lambda b: {"0.weight": b["weight"].reshape(3, 2), "0.bias": b["bias"]}
    )
    (cache / "I3D_8x8_R50.pkl").write_bytes(pickle.dumps({"blobs": blobs}, 2))
    model = load_model("i3d_r50")
    assert model[0].weight.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert model.kinetoscope_weights == {"name": "default", "sha256": weights_sha256(model)}
    (row,) = (r for r in registered() if r["name"] == "i3d_r50")
    assert row["weights"][0]["available"] is True


def test_published_weights_that_cannot_be_had_say_where_to_put_them(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(ModelUnusable, match=f"cannot download .* put the file at {cache / 'c3d.pickle'}"):
        load_model("c3d")
    (cache / "rgb_imagenet.pt").write_bytes(b"something else")
    with pytest.raises(ModelUnusable, match=r"rgb_imagenet\.pt is not the published file"):
        load_model("i3d_inception_piergiaj")


def test_every_published_model_says_what_it_has(cache: Path) -> None:
    rows = {row["name"]: row for row in registered()}
    assert [rows[entry.name]["bundled"] for entry in entries.ENTRIES] == [
        bool(entry.bundled) for entry in entries.ENTRIES
    ]
    for entry in entries.ENTRIES:
        if entry.published is not None:
            (weights,) = rows[entry.name]["weights"]
            assert weights == {
                "name": "default",
                "source": entry.published.url,
                "sha256": entry.published.sha256,
                "available": False,
            }


def test_wrong_requests_say_what_to_do() -> None:
    with pytest.raises(ModelNotFound, match="'motion31'; closest: motion13"):
        load_model("motion31")
    with pytest.raises(ModelUnusable, match="over https only"):
        load_model("motion13", weights="http://example.org/w.pt")
    with pytest.raises(SettingInvalid, match="0 classes"):
        load_model("vqvae_ucf101", weights="random", num_classes=5)
    with pytest.raises(SettingInvalid, match="13 classes"):
        load_model("motion13", weights="random", num_classes=5)
    load_model("motion13", weights="random", num_classes=13)


def test_the_list_of_models_is_plain_and_complete() -> None:
    (row,) = (r for r in registered() if r["name"] == "motion13")
    assert row["clip"] == {"frames": 16, "height": 64, "width": 64, "channels": 3}
    assert row["parameters"] == sum(p.numel() for p in load_model("motion13", weights="random").parameters())
    assert row["bundled"] is True
    (weights,) = row["weights"]
    assert set(weights) == {"name", "source", "sha256", "available"}
    assert weights["available"] == (len(weights["sha256"]) == 64)


def test_every_entry_has_its_family() -> None:
    for entry in entries.ENTRIES:
        assert isinstance(entry.get(entry.card), ModelCard)
        assert callable(entry.get(entry.build))
        for function in (entry.bundled, entry.rename):
            assert not function or callable(entry.get(function))


def test_cards_are_guessed_from_the_first_convolution() -> None:
    assert card_of(small()).channels == 1
    assert card_of(nn.Sequential(nn.Flatten(), nn.LazyLinear(3))).channels == 3
    assert card_of(nn.Sequential(nn.Conv3d(2, 3, 1))).channels == 2
    with_card = small()
    with_card.kinetoscope_card = ModelCard(channels=3, clip=(4, 6, 8))
    assert card_of(with_card).clip == (4, 6, 8)
