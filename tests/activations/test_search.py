"""A search finds the planted moment and place, and shows what the unit saw there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from kinetoscope.activations.search import Hit, crops, search
from kinetoscope.card import ModelCard
from kinetoscope.clips.folder import find_clips
from kinetoscope.errors import SettingInvalid, VideoUnreadable

H, W = 12, 16
CARD = ModelCard(clip=(6, H, W))


def folder(tmp_path: Path) -> Path:
    """Three dark clips, a red flash in one, a brighter one in another; and files that are no clips."""
    rng = np.random.default_rng(0)
    clips = {name: rng.random((frames, 3, H, W)) * 0.1 for name, frames in (("a", 23), ("b", 9), ("c", 17))}
    clips["a"][14:16, 0, 3:5, 9:11] = 0.8
    clips["c"][16, 0, 8:10, 2:4] = 1.0
    (tmp_path / "deep").mkdir()
    for name, clip in clips.items():
        np.save((tmp_path / "deep" if name == "c" else tmp_path) / f"{name}.npy", clip.astype(np.float32))
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    (tmp_path / "notes.txt").write_text("no clip")
    np.save(tmp_path / "short.npy", np.zeros((2, 3, H, W), np.float32))
    return tmp_path


class Detector(nn.Module):
    """Unit 0: red in 2 x 2 x 2 cubes; unit 1: blue there. The head sees the whole clip."""

    def __init__(self) -> None:
        super().__init__()
        self.cubes = nn.Conv3d(3, 2, 2, bias=False)
        self.head = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.cubes.weight.zero_()
            self.cubes.weight[0, 0] = self.cubes.weight[1, 2] = 1.0
            self.head.weight.copy_(torch.eye(2))

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        if clips.shape[2] < 3 and clips.device.type != "meta":
            raise RuntimeError("Kernel size can't be greater than actual input size")
        return self.head(self.cubes(clips).amax(dim=(2, 3, 4)))


def test_the_planted_flash_is_found_and_cut_out(tmp_path: Path) -> None:
    files = find_clips(folder(tmp_path)).files
    assert [file.name for file in files] == ["a.npy", "b.npy", "broken.mp4", "c.npy", "short.npy"]
    told = []
    found = search(
        Detector(), "cubes", [0, 1], files, CARD, count=3, progress=lambda file, start: told.append(file.name)
    )
    first, second = found.hits[0][:2]
    assert (first.source.name, first.box) == ("a.npy", ((14, 16), (3, 5), (9, 11)))
    assert first.response == pytest.approx(8 * 0.8)
    assert (second.source.name, second.box[1:]) == ("c.npy", ((8, 10), (2, 4)))
    assert second.box[0] == (15, 17)  # the flash in the last frame only
    assert {file.name for file in found.skipped} == {"broken.mp4", "short.npy"}
    assert found.windows == len(told) == 7 + 2 + 5
    responses = [hit.response for hit in found.hits[0]]
    assert responses == sorted(responses, reverse=True)
    pieces = dict(crops(found.hits[0], CARD))
    assert pieces[first].shape == (2, 3, 2, 2)
    assert torch.all(pieces[first][:, 0] == 0.8)
    assert float(pieces[second][1, 0].min()) == 1.0
    assert set(pieces) == set(found.hits[0])


def test_hits_of_one_file_share_no_frames(tmp_path: Path) -> None:
    files = find_clips(folder(tmp_path)).files
    found = search(Detector(), "head", [1], files, CARD, count=20, step=1)
    hits = found.hits[1]
    assert all(hit.position is None and hit.box[1:] == ((0, H), (0, W)) for hit in hits)
    for index, hit in enumerate(hits):
        for other in hits[index + 1 :]:
            apart = hit.box[0][1] <= other.box[0][0] or other.box[0][1] <= hit.box[0][0]
            assert hit.source != other.source or apart
    best = max(
        float(
            torch.from_numpy(np.load(file))[t : t + 6, 2]
            .unfold(0, 2, 1)
            .unfold(1, 2, 1)
            .unfold(2, 2, 1)
            .sum(dim=(-1, -2, -3))
            .max()
        )
        for file in files
        if file.name in ("a.npy", "b.npy", "c.npy")
        for t in range(len(np.load(file)) - 5)
    )
    assert hits[0].response == pytest.approx(best, rel=1e-5)


def test_what_cannot_be_searched_is_said(tmp_path: Path) -> None:
    with pytest.raises(VideoUnreadable, match="no videos"):
        find_clips(tmp_path)
    files = find_clips(folder(tmp_path)).files
    with pytest.raises(SettingInvalid, match="at least 1"):
        search(Detector(), "cubes", [0], files, CARD, count=0)
    with pytest.raises(SettingInvalid, match="step"):
        search(Detector(), "cubes", [0], files, CARD, step=7)


def test_hits_are_values() -> None:
    hit = Hit(0, Path("a"), 1.0, 0, None, ((0, 1),))
    assert hit == Hit(0, Path("a"), 1.0, 0, None, ((0, 1),))
    assert len({hit, hit}) == 1
