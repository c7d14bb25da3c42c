"""Clips written to files, and what reading them must give."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from kinetoscope.clips.video import read_video
from kinetoscope.errors import KinetoscopeError, VideoUnreadable

T, H, W = 5, 24, 36


def noise(frames: int = T, height: int = H, width: int = W) -> np.ndarray:
    """Frames (T, H, W, 3) of random bytes."""
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def smooth(frames: int = T, height: int = H, width: int = W) -> np.ndarray:
    """A bright disc that moves right on a dark gradient: survives lossy film."""
    y, x = np.mgrid[:height, :width]
    clip = []
    for t in range(frames):
        disc = 200 * np.exp(-(((x - 8 - 4 * t) / 5.0) ** 2) - ((y - 8) / 5.0) ** 2)
        clip.append(np.stack([disc, 20 + 60 * x / width, 20 + 100 * y / height], -1))
    return np.clip(np.array(clip), 0, 255).astype(np.uint8)


def expected(frames: np.ndarray) -> torch.Tensor:
    """What reading must give for frames (T, H, W, 3), bytes."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255.0


def film(
    path: Path,
    frames: np.ndarray,
    codec: str,
    kind: str,
    *,
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    prepare: Callable[[Any], object] = lambda stream: None,
    **container_options: str,
) -> Path:
    """Write a film.

    Args:
        frames: (T, H, W, 3 or 4), bytes.
        pixels: the format they are stored in.
        times: at which each is shown, milliseconds; None: ten a second.
        prepare: sets what else the stream has before it is written.
    """
    form = "rgba" if frames.shape[3] == 4 else "rgb24"
    with av.open(str(path), "w", format=kind, options=container_options) as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.bit_rate = 4_000_000
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        prepare(stream)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format=form)
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def animation(path: Path, frames: np.ndarray, **options: object) -> Path:
    """Write an animated picture of frames (T, H, W, 3 or 4), bytes."""
    pictures = [PillowImage.fromarray(frame) for frame in frames]
    settings = {"duration": 100, **options}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **settings)
    return path


def refusal(path: Path, kind: type[KinetoscopeError] = VideoUnreadable, **options: int) -> str:
    """The one line that `read_video` refuses a file with; it names the file."""
    with pytest.raises(kind) as caught:
        read_video(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message
