"""What was collected frame by frame reads as one plain safetensors file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kinetoscope.activations.spool import Spool, write_spools
from kinetoscope.errors import OutputUnwritable


def test_spools_come_back_as_arrays(tmp_path: Path) -> None:
    clip, maps, small = torch.rand(7, 3, 4, 5), torch.rand(2, 6, 3, 4), torch.rand(2, 3)
    with Spool(tmp_path) as first, Spool(tmp_path) as second:
        for piece in clip.split([2, 0, 4, 1]):
            first.append(piece)
        for piece in maps.split([5, 1], dim=1):
            second.append(piece.transpose(0, 1))
        assert first.shape == (7, 3, 4, 5)
        assert len(second) == 6
        assert torch.equal(second[3], maps[:, 3])
        with pytest.raises(IndexError):
            first[7]
        path = write_spools(
            tmp_path / "a.safetensors", {"clip": (first, 0), "maps": (second, 1)}, {"k": small}
        )
    found = load_file(path)
    assert found.keys() == {"clip", "maps", "k"}
    for name, wanted in (("clip", clip), ("maps", maps), ("k", small)):
        assert torch.equal(found[name], wanted)
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_nothing_is_left_where_nothing_can_be_written(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(torch.rand(2, 3))
        with pytest.raises(OutputUnwritable, match="missing"):
            write_spools(tmp_path / "missing" / "a.safetensors", {"x": (spool, 0)})
    assert not list(tmp_path.iterdir())
