"""Video transformers of the transformers package, tiny ones, from configurations and folders, offline."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import kinetoscope as ks
from kinetoscope.errors import ModelNotFound, ModelUnusable, SettingInvalid
from kinetoscope.zoo import hugging_face

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

needs_it = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
COMMON = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
SMALL = {"image_size": 32, "num_frames": 4, **COMMON}
JEPA = {"crop_size": 32, "frames_per_clip": 4, "pred_hidden_size": 16, "pred_num_attention_heads": 2}
KINDS = {
    "videomae": SMALL,
    "timesformer": SMALL,
    "vivit": SMALL,
    "vjepa2": {**JEPA, "pred_num_hidden_layers": 1, "num_pooler_layers": 1, **COMMON},
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    if find_spec("huggingface_hub") is not None:  # it reads that once, and may have been loaded before
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A tiny network's configuration and weights, as `save_pretrained` leaves them."""
    transformers = pytest.importorskip("transformers")
    config = transformers.AutoConfig.for_model(request.param, **KINDS[request.param])
    config.id2label = {0: "wave", 1: "walk"}
    torch.manual_seed(0)
    net = transformers.AutoModelForVideoClassification.from_config(config)
    net.save_pretrained(tmp_path / "net")
    torch.save(net.state_dict(), tmp_path / "net" / "state.pt")  # files of the hub may have other names
    return tmp_path / "net"


def test_layers_keep_their_names_and_a_unit_can_be_looked_at(folder: Path) -> None:
    net = ks.load_model(f"hf:{folder}")
    card = ks.card_of(net)
    assert (card.clip, card.class_names) == ((4, 32, 32), ("wave", "walk"))
    rows = {row.name: row for row in ks.list_layers(net, card)}
    assert set(rows) <= {name for name, _ in net.named_modules()}
    assert rows["classifier"].units == 2
    (patches,) = (row for name, row in rows.items() if name.endswith(("projection", "patch_embeddings.proj")))
    assert patches.units == 32
    assert patches.map_shape[1:] == (2, 2)
    (found,) = ks.visualize(net, "classifier", ["walk"], steps=2, seeds=1)
    assert found.video.shape == (4, 3, 32, 32)
    assert found.activation["optimal"] > found.activation["random_input"]


def test_weights_are_the_folders_or_drawn_from_the_seed(folder: Path) -> None:
    net = ks.load_model(f"hf:{folder}")
    stored = torch.load(folder / "state.pt", weights_only=True)
    assert all(torch.equal(tensor, stored[name]) for name, tensor in net.state_dict().items())
    one, same, other = (ks.load_model(f"hf:{folder}", weights="random", seed=seed) for seed in (1, 1, 2))
    sums = [m.kinetoscope_weights["sha256"] for m in (net, one, same, other)]
    assert len(set(sums)) == 3
    assert sums[1] == sums[2]
    filled = ks.load_model(f"hf:{folder}", weights=str(folder / "state.pt"))
    assert filled.kinetoscope_weights["sha256"] == sums[0]
    assert ks.load_model(f"hf:{folder}", weights="random", num_classes=7).classifier.out_features == 7
    with pytest.raises(SettingInvalid, match="fixed classes"):
        ks.load_model(f"hf:{folder}", num_classes=7)


@needs_it
def test_clips_are_normalized_as_the_file_beside_the_weights_says(tmp_path: Path) -> None:
    import transformers

    transformers.AutoConfig.for_model("videomae", **SMALL).save_pretrained(tmp_path)
    assert ks.card_of(ks.load_model(f"hf:{tmp_path}", weights="random")).mean == (0.485, 0.456, 0.406)
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5]}')
    card = ks.card_of(ks.load_model(f"hf:{tmp_path}", weights="random"))
    assert (card.mean, card.std, card.class_names) == ((0.1, 0.2, 0.3), (0.5,), ())


@needs_it
@pytest.mark.parametrize(
    ("name", "weights", "kind", "told"),
    [
        ("videomae", "default", ModelUnusable, "hf:videomae is an architecture without weights"),
        ("nobody/nothing", "default", ModelUnusable, "hf:nobody/nothing cannot be had"),
        ("videomeh", "random", ModelUnusable, "such as videomae"),
        ("BERT", "random", ModelNotFound, "which is no video network"),
        ("BARE", "default", ModelUnusable, "cannot be had"),
    ],
)
def test_what_cannot_be_had_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, weights: str, kind: type[Exception], told: str
) -> None:
    import transformers

    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    if name in ("BERT", "BARE"):
        config = transformers.AutoConfig.for_model("bert" if name == "BERT" else "videomae")
        config.save_pretrained(tmp_path)
        name = str(tmp_path)
    with pytest.raises(kind, match=told) as error:
        ks.load_model(f"hf:{name}", weights=weights)
    assert "\n" not in str(error.value)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(hugging_face, "import_module", missing)
    with pytest.raises(ModelNotFound, match=r"pip install 'kinetoscope\[hf\]'"):
        ks.load_model("hf:videomae")
