"""Clips written to files, and what reading them must give."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from kinetoscope.errors import KinetoscopeError, VideoUnreadable
from kinetoscope.video import read_video

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


def film(path: Path, frames: np.ndarray, codec: str, kind: str) -> Path:
    """Write a film of frames (T, H, W, 3), bytes."""
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def animation(path: Path, frames: np.ndarray, **options: object) -> Path:
    """Write an animated picture of frames (T, H, W, 3 or 4), bytes."""
    pictures = [PillowImage.fromarray(frame) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, **options)
    return path


def refusal(path: Path, kind: type[KinetoscopeError] = VideoUnreadable, **options: int) -> str:
    """The one line that `read_video` refuses a file with; it names the file."""
    with pytest.raises(kind) as caught:
        read_video(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message
