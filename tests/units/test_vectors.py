"""Vectors as units, against arithmetic by hand; files that are not what they should be."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kinetoscope.errors import SettingInvalid
from kinetoscope.units.vectors import Vectors, read_vectors

OUTPUT = torch.randn(2, 4, 3, 5, 7, generator=torch.Generator().manual_seed(0))
ROWS = torch.tensor([[1.0, 0, 0, 0], [3.0, 4.0, 0, 0], [0.0, -2.0, 1.0, 2.0]])


def test_a_row_is_a_weighted_sum_of_channels_of_length_one() -> None:
    values = Vectors(ROWS).of(OUTPUT, [2, 0])
    assert values.shape == (2, 2, 3, 5, 7)
    torch.testing.assert_close(values[:, 0], (-2 * OUTPUT[:, 1] + OUTPUT[:, 2] + 2 * OUTPUT[:, 3]) / 3)
    torch.testing.assert_close(values[:, 1], OUTPUT[:, 0])
    logits = OUTPUT[:, :, 0, 0, 0]
    torch.testing.assert_close(Vectors(ROWS).of(logits, [1])[:, 0], 0.6 * logits[:, 0] + 0.8 * logits[:, 1])


def test_the_cosine_prefers_channels_that_say_nothing_else() -> None:
    alone, mixed = torch.tensor([[2.0, 0, 0, 0]]), torch.tensor([[2.0, 2, 2, 2]])
    vectors = Vectors(ROWS, cosine=2.0)
    assert float(vectors.of(alone, [0])) == pytest.approx(2.0)
    assert float(vectors.of(mixed, [0])) == pytest.approx(2.0 * 0.5**2)
    assert float(vectors.of(-alone, [0])) == pytest.approx(-2.0 * 0.1**2)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (torch.zeros(1, 4), "zero or not finite"),
        (torch.tensor([[1.0, float("nan")]]), "zero or not finite"),
        (torch.ones(4), "rows of real numbers"),
        (torch.ones(2, 4, dtype=torch.long), "rows of real numbers"),
    ],
)
def test_rows_that_are_none_are_refused(rows: torch.Tensor, words: str) -> None:
    with pytest.raises(SettingInvalid, match=words):
        Vectors(rows)


def test_a_layer_of_another_width_is_refused() -> None:
    with pytest.raises(SettingInvalid, match="4 numbers do not fit layer 'conv1' of 5"):
        Vectors(ROWS).check(5, "conv1")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "probe.safetensors"
    save_file({"plane": ROWS, "one": ROWS[1].clone(), "head": ROWS[:, :, None, None, None].clone()}, path)
    assert read_vectors(f"{path}:plane").names() == ("plane[0]", "plane[1]", "plane[2]")
    assert len(read_vectors(f"{path}:one")) == 1
    torch.testing.assert_close(read_vectors(f"{path}:head").rows, Vectors(ROWS).rows)
    with pytest.raises(SettingInvalid, match="no tensor 'plan'; closest: plane"):
        read_vectors(f"{path}:plan")
    with pytest.raises(SettingInvalid, match="give FILE"):
        read_vectors(f"{tmp_path / 'missing.safetensors'}:plane")
    (tmp_path / "odd.safetensors").write_bytes(b"no")
    with pytest.raises(SettingInvalid, match="no safetensors file"):
        read_vectors(str(tmp_path / "odd.safetensors"))


def test_the_only_tensor_needs_no_name(tmp_path: Path) -> None:
    save_file({"plane": ROWS}, tmp_path / "probe.safetensors")
    assert len(read_vectors(str(tmp_path / "probe.safetensors"))) == 3
