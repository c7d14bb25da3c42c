import json
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from kinetoscope.errors import OutputUnwritable, SettingInvalid
from kinetoscope.models.motion13 import build_motion13
from kinetoscope.training.motion13 import Recipe, accuracy, held_out_clips, main, normalize, train

SMOKE = Recipe(steps=3, batch=4, push_from=0.3, validate_every=2, validation_per_class=1, test_per_class=1)


@pytest.mark.filterwarnings(
    "ignore::UserWarning:lightning", "ignore::FutureWarning", "ignore::DeprecationWarning"
)
def test_a_few_steps_leave_whole_files_that_load(tmp_path):
    record = train(SMOKE, tmp_path)
    state = load_file(tmp_path / "motion13.safetensors")
    net = build_motion13()
    before = net.conv1.weight.clone()
    net.load_state_dict(state)
    assert not torch.equal(net.conv1.weight, before)
    assert json.loads((tmp_path / "motion13.json").read_text()) == json.loads(json.dumps(record))
    assert record["held_out_clips"] == 13
    assert record["recipe"]["steps"] == 3
    assert "train_loss" in (tmp_path / "stage-1" / "metrics.csv").read_text()
    assert not list(tmp_path.glob(".*.part"))


def test_folding_the_norms_changes_nothing():
    from kinetoscope.training.motion13_task import add_norms, fold_norms

    torch.manual_seed(1)
    net, clip = add_norms(build_motion13()), torch.randn(3, 3, 8, 32, 40)
    net(clip * 2 + 1)
    with torch.no_grad():
        expected = net.eval()(clip)
        folded = fold_norms(net)
        torch.testing.assert_close(folded(clip), expected, rtol=1e-4, atol=1e-5)
    assert list(folded.state_dict()) == list(build_motion13().state_dict())


def test_background_is_a_fixed_logit_of_zero():
    from kinetoscope.training.motion13_task import background_loss

    low, high = torch.full((1, 13), -9.0), torch.full((1, 13), 9.0)
    nothing, still = torch.tensor([13]), torch.tensor([12])
    assert background_loss(low, nothing) < 0.01
    assert background_loss(high, nothing) > 9
    only_still = torch.where(torch.arange(13) == 12, 9.0, -9.0)[None]
    assert background_loss(only_still, still) < 0.01 < 9 < background_loss(low, still)


def test_mirrored_clips_have_the_label_of_what_is_seen():
    from kinetoscope.training.clips import ClipSettings, make_clips, velocity_field
    from kinetoscope.training.motion13_task import _MIRRORS, mirror

    settings = replace(ClipSettings(clip=(4, 24, 32)).clean(), direction_jitter_deg=0.0, centre_jitter=0.0)
    labels = torch.arange(13)
    made = make_clips(labels, torch.Generator().manual_seed(0), settings)
    velocity = velocity_field(made.motions, settings.clip).mean(1)
    # what flipping does to vectors: in time turns all of them round, in space one component and the places
    seen = {2: -velocity, 3: velocity.flip(2), 4: velocity.flip(3)}
    seen[3] = seen[3] * torch.tensor([1.0, -1.0])[:, None, None]
    seen[4] = seen[4] * torch.tensor([-1.0, 1.0])[:, None, None]
    for axis, names in _MIRRORS:
        renamed = torch.tensor(names)
        assert renamed[13] == 13
        wanted = velocity[renamed[:13]]
        alike = torch.cosine_similarity(seen[axis].flatten(1), wanted.flatten(1))
        assert alike[:12].min() > 0.99, axis
    video, renamed = mirror(made.video, labels, torch.Generator().manual_seed(1))
    again, back = mirror(video, renamed, torch.Generator().manual_seed(1))
    assert not torch.equal(video, made.video)
    assert torch.equal(again, made.video)
    assert torch.equal(back, labels)


def test_normalize_follows_the_card():
    clip = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1, 1)
    torch.testing.assert_close(normalize(clip).flatten(), torch.tensor([-2.0, 0.0, 2.0]))


def test_accuracy_of_a_network_that_always_says_still():
    class Still(torch.nn.Module):
        def forward(self, clips):
            return torch.eye(13)[12].expand(len(clips), 13)

    assert accuracy(Still(), held_out_clips(1)) == pytest.approx(1 / 13)


def test_missing_lightning_is_one_clear_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.delitem(sys.modules, "kinetoscope.training.motion13_task", raising=False)
    assert main(["--out", str(tmp_path / "x"), "--steps", "1"]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "pip install 'kinetoscope[train]'" in message


def test_unwritable_folder_and_bad_settings_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputUnwritable, match="file': File exists; choose another --out"):
        train(SMOKE, tmp_path / "file")
    with pytest.raises(SettingInvalid, match="minutes is positive, not -1"):
        Recipe(minutes=-1.0)
    with pytest.raises(SettingInvalid, match="at least 1"):
        Recipe(steps=0)
