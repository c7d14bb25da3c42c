"""Natural clips to compare with: windows of videos, the whole frame and its quarters."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from ..brief import Brief
from ..clips.video import fit_clip, read_windows
from ..errors import SettingInvalid
from ..stimuli import Shape
from ..types import Video, VideoBatch

MOST = 200
"""Clips that are kept at most, drawn at random from all there are."""

FEWEST = 8
VIEWS = {
    "whole": (0.0, 0.0, 1.0),
    "upper left": (0.0, 0.0, 0.5),
    "upper right": (0.0, 0.5, 0.5),
    "lower left": (0.5, 0.0, 0.5),
    "lower right": (0.5, 0.5, 0.5),
}
"""Parts of a frame, by name: top, left and side as shares of the frame's."""


@dataclass(frozen=True)
class Source:
    """Where a natural clip comes from: `file`, its first frame there, and which of `VIEWS` of the frame."""

    file: Path
    start: int
    view: str


@dataclass(frozen=True, eq=False, repr=False)
class NaturalClips(Brief):
    """Natural clips of one size.

    Attributes:
        sources: of each.
        levels: (clips, C, T, H, W), 8 bits, as films have them.
    """

    sources: tuple[Source, ...]
    levels: UInt8[Tensor, "clip channel time height width"]

    def __len__(self) -> int:
        return len(self.sources)

    def batch(self, places: Sequence[int]) -> VideoBatch:
        """Some of the clips, (B, C, T, H, W) in [0, 1]."""
        return self.levels[list(places)].float() / 255

    def video(self, place: int) -> Video:
        """One of the clips, (T, C, H, W) in [0, 1]."""
        return self.batch([place])[0].transpose(0, 1)

    def apart(self) -> Bool[Tensor, "clip clip"]:
        """Which pairs of clips share no frame: of different files, or of times that do not overlap."""
        files = {file: index for index, file in enumerate({s.file: None for s in self.sources})}
        place = torch.tensor([files[s.file] for s in self.sources])
        start = torch.tensor([s.start for s in self.sources])
        far = (start[:, None] - start[None]).abs() >= self.levels.shape[2]
        return (place[:, None] != place[None]) | far


def read_natural(files: Iterable[str | Path], shape: Shape, most: int = MOST, seed: int = 0) -> NaturalClips:
    """Read windows of videos, half a window apart, each as the whole frame and as its four quarters.

    A quarter shows a scene twice as large: optimal inputs have no distance to what they show, so neither
    should what they are compared with.

    Args:
        files: videos; windows shorter than the clip are left out.
        shape: of the clips, (C, T, H, W); frames are scaled and cut to it.
        most: clips to keep; where there are more, they are drawn at random, each as likely as another.
        seed: of the drawing.

    Raises:
        SettingInvalid: fewer than eight clips.
        VideoUnreadable: a video cannot be read.
    """
    channels, frames, height, width = shape
    generator, seen = torch.Generator().manual_seed(seed), 0
    kept: list[tuple[Source, Tensor]] = []
    for file in files:
        for source, video in _views(Path(file), channels, frames):
            place, seen = seen, seen + 1
            if place >= most:  # Vitter 1985, algorithm R
                place = int(torch.randint(seen, (1,), generator=generator))
                if place >= most:
                    continue
            fitted = fit_clip(video, channels, height, width).mul(255).round().to(torch.uint8).transpose(0, 1)
            kept[place : place + 1] = [(source, fitted.contiguous())]
    if len(kept) < FEWEST:
        raise SettingInvalid(
            f"the clips hold {len(kept)} windows of {frames} frames; give videos with {FEWEST} or more"
        )
    kept.sort(key=lambda pair: (str(pair[0].file), pair[0].start, [*VIEWS].index(pair[0].view)))
    return NaturalClips(tuple(source for source, _ in kept), torch.stack([levels for _, levels in kept]))


def _views(file: Path, channels: int, frames: int) -> Iterator[tuple[Source, Tensor]]:
    for window in read_windows(file, frames, max(1, frames // 2), channels=channels):
        if len(window.video) < frames:
            continue
        rows, columns = window.video.shape[2:]
        for name, (top, left, side) in VIEWS.items():
            y, x = int(top * rows), int(left * columns)
            part = window.video[:, :, y : y + max(1, int(side * rows)), x : x + max(1, int(side * columns))]
            yield Source(file, window.start, name), part
