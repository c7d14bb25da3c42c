import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from kinetoscope.errors import ModelNotFound, ModelUnusable, SettingInvalid
from kinetoscope.models import registry
from kinetoscope.models.card import ModelCard
from kinetoscope.models.registry import (
    card_of,
    load_model,
    load_weights,
    read_weights,
    registered,
    weights_sha256,
)
from kinetoscope.types import MOTION_LABELS


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


class Evil:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("executed"),))


def test_files_that_are_no_weights_are_refused_and_never_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("no weights at all")
    (tmp_path / "empty").write_bytes(b"")
    torch.save({"a": Evil()}, tmp_path / "evil")
    torch.save([1, 2], tmp_path / "list")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    for name in ("text", "empty", "evil", "list", "zip", "missing"):
        with pytest.raises(ModelUnusable, match=name) as caught:
            read_weights(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()


def test_wrong_requests_say_what_to_do() -> None:
    with pytest.raises(ModelNotFound, match="'motion31'; closest: motion13"):
        load_model("motion31")
    with pytest.raises(ModelUnusable, match="download the file"):
        load_model("motion13", weights="https://example.org/w.pt")
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
    for entry in registry.ENTRIES:
        assert isinstance(entry.get(entry.card), ModelCard)
        assert callable(entry.get(entry.build))
        assert not entry.bundled or callable(entry.get(entry.bundled))


def test_cards_are_guessed_from_the_first_convolution() -> None:
    assert card_of(small()).channels == 1
    assert card_of(nn.Sequential(nn.Flatten(), nn.LazyLinear(3))).channels == 3
    with pytest.raises(ModelUnusable, match="non-RGB input of 2 channels"):
        card_of(nn.Sequential(nn.Conv3d(2, 3, 1)))
    with_card = small()
    with_card.kinetoscope_card = ModelCard(channels=3, clip=(4, 6, 8))
    assert card_of(with_card).clip == (4, 6, 8)
