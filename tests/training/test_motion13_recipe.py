import json
import sys

import pytest
import torch
from safetensors.torch import load_file

from kinetoscope.errors import OutputUnwritable, SettingInvalid
from kinetoscope.training.motion13 import main, train
from kinetoscope.training.motion13_recipe import Motion13Recipe, accuracy, held_out_clips, normalize
from kinetoscope.zoo.motion13 import build_motion13

SMOKE = Motion13Recipe(
    steps=3, batch=4, push_from=0.3, validate_every=2, validation_per_class=1, test_per_class=1
)


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
    assert not list(tmp_path.glob("*.part"))


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


def test_stillness_asks_only_still_clips_for_contrast():
    from kinetoscope.training.motion13_task import stillness_loss

    video = torch.rand(2, 3, 1, 12, 14, generator=torch.Generator().manual_seed(0)).expand(2, 3, 5, 12, 14)
    labels, silent = torch.tensor([3, 12]), torch.zeros(2, 13)
    wanted = 80 * video[1, :, 0].std((1, 2)).mean()
    assert stillness_loss(silent, video, labels) > 10
    assert stillness_loss(silent, video, torch.tensor([3, 4])) == 0
    assert stillness_loss(silent + wanted, video, labels) < 1e-6


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
    with pytest.raises(OutputUnwritable, match="give another --out"):
        train(SMOKE, tmp_path / "file")
    with pytest.raises(SettingInvalid, match="minutes is positive, not -1"):
        Motion13Recipe(minutes=-1.0)
    with pytest.raises(SettingInvalid, match="at least 1"):
        Motion13Recipe(steps=0)
