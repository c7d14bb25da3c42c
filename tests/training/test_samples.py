"""Clips by epoch and index: the same whoever asks, cut and mirrored as told, without the unreadable ones."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kinetoscope.errors import SettingInvalid, VideoUnreadable
from kinetoscope.training.datasets import LabelledVideo
from kinetoscope.training.recipes import DataRecipe
from kinetoscope.training.samples import (
    EpochSampler,
    Sample,
    VideoClips,
    collate,
    generator_for,
    open_data,
    pick_frames,
    random_crop,
)
from kinetoscope.types import MOTION_LABELS

MOTION = DataRecipe(name="motion", frames=3, height=16, width=20, clips=26, validation_clips=13)
FILES = DataRecipe(name="jester", folder="x", frames=3, height=6, width=8)


def numbered_video(folder: Path, name: str, frames: int = 9) -> Path:
    """Frame t is t / 20 on its left half, black on its right one."""
    import numpy as np

    video = np.zeros((frames, 3, 12, 16), np.float32)
    video[:, :, :, :8] = np.arange(frames)[:, None, None, None] / 20
    np.save(folder / f"{name}.npy", video)
    return folder / f"{name}.npy"


def clips_of(paths, *, mirror=None, training=True, **changes):
    videos = [LabelledVideo(path, label) for label, path in enumerate(paths)]
    return VideoClips(videos, replace(FILES, **changes), 0, mirror, training=training)


def times_of(clip):
    return (20 * clip[0, :, 0].amax(-1)).round().int().tolist()


def test_procedural_clips_are_new_in_each_epoch_or_the_same():
    data = open_data(MOTION, 4)
    assert (len(data.train), len(data.validation)) == (26, 13)
    assert data.class_names == MOTION_LABELS
    first, again, later = (data.train[key] for key in ((0, 14), (0, 14), (1, 14)))
    assert first.clip.shape == (3, 3, 16, 20)
    assert (first.label, again.label, later.label) == (1, 1, 1)
    assert torch.equal(first.clip, again.clip)
    assert not torch.equal(first.clip, later.clip)
    assert not torch.equal(first.clip, data.validation[0, 1].clip)
    fixed = open_data(replace(MOTION, endless=False), 4).train
    assert torch.equal(fixed[3, 14].clip, first.clip)
    assert not torch.equal(open_data(MOTION, 5).train[0, 14].clip, first.clip)


def test_procedural_classes_can_be_chosen():
    data = open_data(replace(MOTION, classes=("still", "left")), 0)
    assert data.class_names == ("still", "left")
    assert [data.train[0, index].label for index in range(3)] == [0, 1, 0]
    with pytest.raises(SettingInvalid, match="motion has no class 'discs'"):
        open_data(replace(MOTION, classes=("discs",)), 0)
    stills = open_data(replace(MOTION, name="appearance", frames=1, classes=("discs",)), 0)
    assert stills.train[0, 0].clip.shape == (3, 1, 16, 20)


def test_frames_are_picked_at_random_or_from_the_middle():
    assert pick_frames(9, 3, 2, None).tolist() == [2, 4, 6]
    assert pick_frames(4, 3, 2, None).tolist() == [0, 2, 3]
    starts = {pick_frames(9, 3, 2, generator_for(n))[0].item() for n in range(200)}
    assert starts == {0, 1, 2, 3, 4}


def test_crops_keep_to_their_limits_and_to_the_frame():
    video = torch.arange(12 * 16.0).reshape(1, 1, 12, 16).expand(5, 3, 12, 16) / 192
    shapes, corners = set(), set()
    for n in range(300):
        crop = random_crop(video, 0.5, generator_for(n))
        shapes.add(crop.shape[2:])
        corners.add(round(crop[0, 0, 0, 0].item() * 192))
        assert torch.equal(crop[0], crop[4])
    assert min(shapes) == (6, 8)
    assert max(h for h, _ in shapes) == 12
    assert len(corners) > 20


def test_training_clips_differ_by_epoch_and_validation_clips_do_not(tmp_path):
    path = numbered_video(tmp_path, "a")
    clips = clips_of([path])
    assert clips[0, 0].clip.shape == (3, 3, 6, 8)
    starts = {times_of(clips[epoch, 0].clip)[0] for epoch in range(60)}
    assert starts == set(range(7))
    assert torch.equal(clips[5, 0].clip, clips_of([path])[5, 0].clip)
    fixed = clips_of([path], training=False, stride=2)
    assert times_of(fixed[0, 0].clip) == times_of(fixed[7, 0].clip) == [2, 4, 6]


def test_a_mirrored_clip_gets_the_mirrored_label(tmp_path):
    paths = [numbered_video(tmp_path, name) for name in "ab"]
    clips = clips_of(paths, mirror=(1, 0))
    seen = set()
    for epoch in range(40):
        clip, label, _ = clips[epoch, 0]
        bright_left = bool(clip[0, -1, :, :3].mean() > clip[0, -1, :, -3:].mean())
        assert label == (0 if bright_left else 1)
        seen.add(label)
    assert seen == {0, 1}


def test_an_unreadable_video_is_replaced_in_training_and_left_out_of_validation(tmp_path):
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"no film")
    paths = [broken, tmp_path / "absent.avi", numbered_video(tmp_path, "c")]
    sample = clips_of(paths)[0, 0]
    assert sample.label == 2
    assert [str(path) in fault for path, fault in zip(paths[:2], sample.faults, strict=True)] == [True, True]
    left_out = clips_of(paths, training=False)[0, 1]
    assert left_out.clip is None
    batch = collate([left_out, clips_of(paths, training=False)[0, 2]])
    assert (len(batch.clips), batch.labels.tolist(), len(batch.faults)) == (1, [2], 1)
    assert len(collate([left_out]).labels) == 0
    with pytest.raises(VideoUnreadable, match="20 videos in a row"):
        clips_of(paths[:2])[0, 0]


def test_batches_hold_what_the_samples_hold():
    samples = [Sample(torch.full((3, 2, 4, 5), n / 4), n) for n in range(3)]
    batch = collate(samples)
    assert batch.clips.shape == (3, 3, 2, 4, 5)
    assert batch.clips[:, 0, 0, 0, 0].tolist() == [0, 0.25, 0.5]
    assert batch.labels.tolist() == [0, 1, 2]


def test_epochs_walk_through_shuffled_passes():
    sampler = EpochSampler(count=10, per_epoch=4, seed=1)
    seen = []
    for epoch in range(5):
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert len(keys) == len(sampler) == 4
        assert {number for number, _ in keys} == {epoch}
        seen += [index for _, index in keys]
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]
    assert seen[:10] != list(range(10))
    sampler.set_epoch(2)
    assert [index for _, index in sampler] == seen[8:12]


def test_devices_share_an_epoch():
    parts = [EpochSampler(10, 7, 1, rank, 3) for rank in range(3)]
    assert [len(part) for part in parts] == [2, 2, 2]
    both = [index for part in parts for _, index in part]
    assert sorted(both) == sorted(index for _, index in EpochSampler(10, 6, 1))
