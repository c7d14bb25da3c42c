"""From a recipe's data set to clips: reading, cutting, augmenting, and the order of it all.

Everything drawn at random for a clip comes from (seed, epoch, index), never from a global generator: so a run
that is taken up again, or read by several processes, sees the same clips.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ..clips.cuts import first_fault, read_cut
from ..clips.video import fit_clip
from ..errors import ClipTooSmall, SettingInvalid, VideoUnreadable
from ..synthetic.appearance import TEXTURE_KINDS, make_appearance_clips
from ..synthetic.motions import ClipSettings, make_clips
from ..synthetic.textures import Split
from ..types import MOTION_LABELS, Video
from .datasets import LabelledVideo, list_jester, list_ucf101, present
from .mirror import mirrored_classes
from .recipes import PROCEDURAL, DataRecipe

TRIES = 20
"""So many unreadable videos in a row end a run."""

Clip = Float[Tensor, "3 frames rows columns"]
Key = tuple[int, int]
"""Epoch and index of a clip."""


class Sample(NamedTuple):
    """A labelled clip, (3, T, H, W) in [0, 1], or None where it cannot be read; and what was unreadable."""

    clip: Clip | None
    label: int
    faults: tuple[str, ...] = ()


class Batch(NamedTuple):
    """Labelled clips, (B, 3, T, H, W) in [0, 1]; B may be 0. And a line for each unreadable video met."""

    clips: Tensor
    labels: Tensor
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Data:
    """What a network is trained and validated with.

    Attributes:
        class_names: in the order of its outputs.
        train, validation: clips by (epoch, index).
        missing: a line for each video of the lists that is not there; those are in neither.
    """

    class_names: tuple[str, ...]
    train: "VideoClips | ProceduralClips"
    validation: "VideoClips | ProceduralClips"
    missing: tuple[str, ...] = ()


def open_data(recipe: DataRecipe, seed: int) -> Data:
    """List the clips of a data set that are there; none is read yet.

    Raises:
        SettingInvalid: the lists are missing or wrong, a class is unknown or without videos, or `flip` does
            not fit all classes.
    """
    if recipe.name in PROCEDURAL:
        known = MOTION_LABELS if recipe.name == "motion" else TEXTURE_KINDS
        if unknown := [name for name in recipe.classes if name not in known]:
            raise SettingInvalid(f"{recipe.name} has no class {unknown[0]!r}; it has {', '.join(known)}")
        names = recipe.classes or known
        kinds = tuple(known.index(name) for name in names)
        train, held_out = (ProceduralClips(recipe, seed, kinds, split) for split in get_args(Split))
        return Data(names, train, held_out)
    folder = Path(recipe.folder)
    found = list_jester(folder) if recipe.name == "jester" else list_ucf101(folder, recipe.split)
    if not found.train or not found.validation:
        raise SettingInvalid(f"{recipe.name} in {recipe.folder!r} has an empty list; fetch the lists again")
    found, missing = present(found, folder)
    mirror = mirrored_classes(found.class_names) if recipe.flip else None
    return Data(
        found.class_names,
        VideoClips(found.train, recipe, seed, mirror, training=True),
        VideoClips(found.validation, recipe, seed, None, training=False),
        missing,
    )


class ProceduralClips(Dataset[Sample]):
    """Clips made when they are asked for; labels take turns."""

    def __init__(self, recipe: DataRecipe, seed: int, kinds: tuple[int, ...], split: Split) -> None:
        """Args: kinds: which motion or texture each class is."""
        self.recipe, self.seed, self.kinds, self.split = recipe, seed, kinds, split
        # two frames at least are made, of which a still is the first
        clip = (max(recipe.frames, 2), recipe.height, recipe.width)
        settings = ClipSettings(clip=clip, texture_size=2 * max(clip[1:]))
        self.settings = settings.clean() if recipe.clean else settings

    def __len__(self) -> int:
        """Clips in an epoch."""
        return self.recipe.clips if self.split == "train" else self.recipe.validation_clips

    def __getitem__(self, key: Key) -> Sample:
        """Make a clip; without `endless` the same in every epoch."""
        epoch, index = key
        label = index % len(self.kinds)
        draw = generator_for(self.split, self.seed, epoch * self.recipe.endless, index)
        kind = torch.tensor([self.kinds[label]])
        if self.recipe.name == "motion":
            video = make_clips(kind, draw, self.settings, self.split).video
        else:
            video = make_appearance_clips(kind, draw, self.settings)
        return Sample(video[0, :, : self.recipe.frames], label)


class VideoClips(Dataset[Sample]):
    """Clips cut from videos: at a random place in training, in the middle for validation."""

    def __init__(
        self,
        videos: Sequence[LabelledVideo],
        recipe: DataRecipe,
        seed: int,
        mirror: tuple[int, ...] | None,
        *,
        training: bool,
    ) -> None:
        """Args: mirror: the class of each class's mirrored clips; None: clips are not mirrored."""
        self.videos, self.recipe, self.seed = videos, recipe, seed
        self.mirror, self.training = mirror, training

    def __len__(self) -> int:
        """How many videos there are."""
        return len(self.videos)

    def __getitem__(self, key: Key) -> Sample:
        """Read a clip; in training the next readable video stands in for an unreadable one.

        Raises:
            VideoUnreadable: `TRIES` videos in a row.
        """
        epoch, index = key
        faults: list[str] = []
        for attempt in range(TRIES if self.training else 1):
            chosen = self.videos[(index + attempt) % len(self.videos)]
            draw = generator_for("train", self.seed, epoch, index) if self.training else None
            try:
                clip, label = self._read(chosen.path, draw), chosen.label
            except (VideoUnreadable, ClipTooSmall) as error:
                faults.append(first_fault(chosen.path, error))
                continue
            if self.mirror is not None and draw is not None and bool(torch.rand(1, generator=draw) < 0.5):
                clip, label = clip.flip(-1), self.mirror[label]
            return Sample(clip, label, tuple(faults))
        if self.training:
            raise VideoUnreadable(f"{TRIES} videos in a row cannot be read, the last: {faults[-1]}")
        return Sample(None, self.videos[index].label, tuple(faults))

    def _read(self, path: Path, draw: torch.Generator | None) -> Clip:
        recipe = self.recipe
        state = None if draw is None else draw.get_state()

        def choose(count: int) -> list[int]:
            if draw is not None and state is not None:
                draw.set_state(state)  # asked again, it draws the same
            return pick_frames(count, recipe.frames, recipe.stride, draw).tolist()

        video = read_cut(path, choose)
        if draw is not None and recipe.crop < 1:
            video = random_crop(video, recipe.crop, draw)
        return fit_clip(video, 3, recipe.height, recipe.width).transpose(0, 1)


def generator_for(*key: str | int) -> torch.Generator:
    """Random numbers that depend on all parts of the key and on nothing else."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def pick_frames(count: int, frames: int, stride: int, draw: torch.Generator | None) -> Int[Tensor, " frames"]:
    """Which frames of a video of `count` make the clip: from a random start, or (None) in the middle.

    Where the video is too short its last frame stays on.
    """
    spare = max(0, count - 1 - (frames - 1) * stride)
    start = spare // 2 if draw is None else int(torch.randint(spare + 1, (1,), generator=draw))
    return (start + stride * torch.arange(frames)).clamp(max=count - 1)


def random_crop(video: Video, smallest: float, draw: torch.Generator) -> Float[Tensor, "time channel _ _"]:
    """The same part of every frame: its sides are a random share of the frame's, at least `smallest`."""
    share = smallest + (1 - smallest) * float(torch.rand(1, generator=draw))
    for axis in (2, 3):
        whole = video.shape[axis]
        part = max(1, round(share * whole))
        video = video.narrow(axis, int(torch.randint(whole - part + 1, (1,), generator=draw)), part)
    return video


def collate(samples: Sequence[Sample]) -> Batch:
    """Put readable clips together."""
    clips = [sample.clip for sample in samples if sample.clip is not None]
    labels = [sample.label for sample in samples if sample.clip is not None]
    faults = tuple(fault for sample in samples for fault in sample.faults)
    return Batch(torch.stack(clips) if clips else torch.empty(0), torch.tensor(labels), faults)


class EpochSampler(Sampler[Key]):
    """Which clips an epoch trains with: the next ones of an endless row of shuffled passes over all.

    Each of `world` devices gets every `world`-th of them. The epoch is set from outside (`set_epoch`).
    """

    def __init__(self, count: int, per_epoch: int, seed: int, rank: int = 0, world: int = 1) -> None:
        """Args: count: clips there are. per_epoch: clips in an epoch, over all devices."""
        self.count, self.seed, self.rank, self.world = count, seed, rank, world
        self.per_epoch = per_epoch - per_epoch % world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Clips of this device in an epoch."""
        return self.per_epoch // self.world

    def __iter__(self) -> Iterator[Key]:
        """Give (epoch, index)."""
        shuffled: tuple[int, list[int]] = (-1, [])
        first = self.epoch * self.per_epoch
        for position in range(first + self.rank, first + self.per_epoch, self.world):
            turn, place = divmod(position, self.count)
            if turn != shuffled[0]:
                order = torch.randperm(self.count, generator=generator_for("order", self.seed, turn))
                shuffled = (turn, order.tolist())
            yield self.epoch, shuffled[1][place]
