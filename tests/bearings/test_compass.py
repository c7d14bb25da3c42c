"""A network of motion energy: its compass points where it is asked to, and says where there is nothing."""

import json

import pytest
import safetensors.torch
from motion_shares import MotionShares
from PIL import Image
from quick import DECOMPOSITIONS

import kinetoscope as ks
from kinetoscope.bearings import make
from kinetoscope.bearings.needle import SHUFFLED
from kinetoscope.errors import SettingInvalid
from kinetoscope.inquiry import settle

CARD = ks.ModelCard(clip=(8, 20, 24))
ASKED = {"card": CARD, "angles": 4, "clips": 96, "steps": 14}


@pytest.fixture(scope="module", autouse=True)
def quick_motion():
    """Of all needles, those that tests share too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settle, "DECOMPOSE_PRESETS", DECOMPOSITIONS)
        yield


@pytest.fixture(scope="module")
def model():
    return MotionShares()


@pytest.fixture(scope="module")
def compass(model):
    return ks.compass(model, "shares", **ASKED)


def test_clips_go_where_they_are_asked_to(compass):
    own = [needle for needle in compass.needles if needle.kind == "probe"]
    assert [needle.asked_deg for needle in own] == [0.0, 90.0, 180.0, 270.0]
    assert compass.reading.knows
    assert compass.score.circular_correlation > 0.8
    assert compass.score.median_error_deg < 25
    assert all(needle.error_deg < 45 for needle in own)
    assert "asked for 4 angles" in repr(compass)


def test_the_control_has_as_many_clips_and_other_probes(compass):
    other = [needle for needle in compass.needles if needle.kind == SHUFFLED]
    assert [needle.asked_deg for needle in other] == [0.0, 90.0, 180.0, 270.0]
    assert len(compass.reading.dealt) == 4
    assert len({score.median_error_deg for score in compass.reading.dealt}) == 4


def test_a_layer_without_a_plane_says_so_and_shows_nothing(model, tmp_path):
    # the mean of a linear map is that of the colours
    nothing = ks.compass(model, "conv", **ASKED)
    assert not nothing.reading.knows
    assert (nothing.needles, nothing.score, nothing.shuffled) == ((), None, None)
    page = nothing.save(tmp_path)
    assert "no plane of direction here" in page.read_text()
    record = json.loads((tmp_path / "compass.json").read_text())
    assert record["recovered"] == {"probe": None, "shuffled": None}
    assert record["probe"]["knows_direction"] is False
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "compass.json",
        "compass.png",
        "index.html",
        "probe.safetensors",
    ]


@pytest.mark.painted
@pytest.mark.usefixtures("blank_summaries")
def test_what_is_saved_can_be_read(compass, tmp_path):
    page = compass.save(tmp_path)
    record = json.loads((tmp_path / "compass.json").read_text())
    assert record["recovered"]["probe"]["within_45_deg"] == 1.0
    assert record["clips"] == {"trained_on": 72, "held_out": 24}
    assert record["size"] == [8, 20, 24]
    for row in record["needles"]:
        assert (tmp_path / row["folder"] / "summary.png").exists()
        again = ks.load_result(tmp_path / row["folder"])
        assert again.motion.label == row["label"]
    arrays = safetensors.torch.load_file(tmp_path / "probe.safetensors")
    assert arrays["weights"].shape == (2, 8)
    assert arrays["planted_deg"].shape == arrays["read_deg"].shape == (24,)
    with Image.open(tmp_path / "compass.png") as picture:
        assert picture.width == 1600
    assert "probe/090.00/optimal.gif" in page.read_text()


def test_clips_that_are_known_are_not_searched_for_again(model, compass, monkeypatch):
    def refuse(*_args, **_more):
        raise AssertionError("searched")

    monkeypatch.setattr(make, "find_needle", refuse)
    known = {(needle.kind, needle.asked_deg): needle.result for needle in compass.needles}
    again = ks.compass(model, "shares", **ASKED, known=known)
    assert again.score == compass.score
    assert [n.read_deg for n in again.needles] == pytest.approx([n.read_deg for n in compass.needles])


def test_the_model_comes_back_as_it_was(model, compass):
    assert compass.layer == "shares"
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"angles": 3}, "angles is 3"), ({"clips": 10}, "at least 64"), ({"size": (4, 4, 4)}, "8")],
)
def test_what_cannot_be_is_refused(model, wrong, told):
    with pytest.raises((SettingInvalid, ks.KinetoscopeError), match=told):
        ks.compass(model, "shares", **{**ASKED, **wrong})
