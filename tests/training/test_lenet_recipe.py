import json

import pytest
import torch
from outside import needs, outside
from safetensors.torch import load_file

from kinetoscope.errors import SettingInvalid
from kinetoscope.filters.compare import correlate, decoding_errors, most_exciting
from kinetoscope.filters.decode import decode_filters
from kinetoscope.training.digits import Digits, load_digits
from kinetoscope.training.lenet import LenetRecipe, _shifted, accuracy, as_input, fit, main
from kinetoscope.zoo.lenet import CARD, load_bundled

MNIST = outside("mnist")
with_mnist = needs("mnist")


def few(count: int = 60) -> Digits:
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 10
    images = torch.rand(count, 1, 28, 28, generator=draw) * 0.2
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label + 2 : 2 * label + 5] = 1  # a bar whose height tells the label
    return Digits(images, labels)


def test_training_learns_and_repeats_itself_and_leaves_the_generator_alone():
    recipe, digits = LenetRecipe(epochs=12, batch=20, shift=0), few()
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    net = fit(recipe, digits)
    torch.testing.assert_close(torch.rand(2), expected, atol=0, rtol=0)
    assert accuracy(net, digits) > 0.9
    again = fit(LenetRecipe(epochs=1, batch=20, seed=3), digits)
    same = fit(LenetRecipe(epochs=1, batch=20, seed=3), digits)
    assert all(torch.equal(p, q) for p, q in zip(again.parameters(), same.parameters(), strict=True))


def test_digits_are_shifted_each_on_its_own():
    images = torch.zeros(200, 1, 28, 28)
    images[:, 0, 10, 20] = 1
    moved = _shifted(images, 2)
    assert torch.equal(moved.sum((1, 2, 3)), torch.ones(200))
    _, _, rows, columns = moved.nonzero().T
    assert rows.unique().tolist() == [8, 9, 10, 11, 12]
    assert columns.unique().tolist() == [18, 19, 20, 21, 22]
    assert len(torch.stack([rows, columns]).unique(dim=1).T) == 25


def test_the_command_writes_weights_and_record(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kinetoscope.training.lenet.load_digits", lambda folder: few())
    assert main(["--out", str(tmp_path / "o"), "--epochs", "1", "--seed", "4"]) == 0
    record = json.loads((tmp_path / "o" / "lenet.json").read_text())
    assert (record["trained_with"], record["unseen"], record["recipe"]["seed"]) == (48, 12, 4)
    state = load_file(tmp_path / "o" / "lenet.safetensors")
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    assert "of 12 unseen digits" in capsys.readouterr().out


def test_a_folder_without_digits_is_one_line(tmp_path, capsys):
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "o")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SettingInvalid, match="at least 1"):
        LenetRecipe(epochs=0)


@with_mnist
def test_the_bundled_network_names_unseen_digits():
    assert accuracy(load_bundled(), load_digits(MNIST).split()[1]) >= 0.98


@with_mnist
@pytest.mark.parametrize("unpool", ["nearest", "bilinear", "bicubic"])
def test_digits_that_excite_a_decoded_class_filter_most_are_of_its_class(unpool):
    digits = load_digits(MNIST)
    filters = list(decode_filters(load_bundled(), "conv7", range(10), unpool, size=CARD.clip))
    ranking = most_exciting(correlate(as_input(digits.images), filters).flatten(1), 4)
    own = digits.labels[ranking] == torch.arange(10)[:, None]
    assert own[:, 0].sum() >= 9
    assert (own.sum(1) >= 3).sum() >= 9


@with_mnist
def test_errors_are_of_the_papers_size_and_grow_with_depth():
    inputs = as_input(load_digits(MNIST).images[:500])
    means = [decoding_errors(load_bundled(), f"conv{n}", inputs, ["nearest"])[0].mean for n in (3, 5, 7)]
    assert means == sorted(means)
    for mean, paper in zip(means, (0.0022, 0.012, 0.077), strict=True):
        assert paper / 4 < mean < 4 * paper
