"""Clips as 8-bit frames that can be looked at, and frames as the bytes of picture files."""

import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from typing import cast

import av
import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image as PillowImage
from PIL import ImageDraw
from torch import Tensor

from ..clips.films import DRAWN
from ..types import Flow, Image, Video
from .colour import DEFAULT_SCALE, FAINT, PAPER, flow_to_rgb, font, legend, wheel_rgba

ColourVideo = Float[Tensor, "time 3 height width"]
# Named apart from a clip's axes: pictures are enlarged and stand beside legends.
Frames = UInt8[np.ndarray, "count rows columns 3"]
Picture = UInt8[np.ndarray, "_ _ 3"]

DEFAULT_FPS = 10.0
"""Playback, frames per second: a whole number of the hundredths of a second that GIF counts in."""

VIEW_SIZE = 256
"""Small clips are enlarged by a whole factor until their longer side reaches this, pixels."""


def as_rgb(video: Video) -> ColourVideo:
    """Three channels to show: grey is repeated, two are coloured as motion is, of many the first three.

    Two channels are the x and y of a vector; 0.5 is zero, and a length of half the range is full brightness.
    """
    channels = video.shape[1]
    if channels == 2:
        return flow_to_rgb(torch.nan_to_num(video) * 2 - 1, scale=1.0)
    return video.expand(-1, 3, -1, -1) if channels == 1 else video[:, :3]


def colour_words(channels: int) -> str | None:
    """How clips that are neither RGB nor grey are shown; None for those that are."""
    if channels == 2:
        return "vectors: hue is direction, brightness length"
    return None if channels in (1, 3) else f"the first 3 of {channels} channels as red, green and blue"


def to_frames(video: Video) -> Frames:
    """(T, C, H, W) in [0, 1] to (T, H, W, 3) bytes; values outside are clipped, NaN is black."""
    levels = torch.nan_to_num(as_rgb(video).detach().cpu().float()).clamp(0.0, 1.0) * 255.0
    return np.ascontiguousarray(levels.round().to(torch.uint8).permute(0, 2, 3, 1).numpy())


def to_frame(image: Image) -> Picture:
    """One image (C, H, W) in [0, 1] to (H, W, 3) bytes."""
    return to_frames(image[None])[0]


def view_factor(height: int, width: int) -> int:
    """How many times a clip is enlarged to be seen well."""
    return max(1, -(-VIEW_SIZE // max(height, width)))


def enlarge(frames: np.ndarray, factor: int) -> np.ndarray:
    """Repeat every pixel of (T, H, W, 3): nearest neighbour, no new colours."""
    return frames.repeat(factor, axis=1).repeat(factor, axis=2)


def motion_frames(velocity: Flow, scale: float = DEFAULT_SCALE) -> Frames:
    """A velocity field as enlarged colour frames beside their legend and the step they show."""
    height, width = velocity.shape[2:]
    pictures = enlarge(to_frames(flow_to_rgb(velocity, scale)), view_factor(height, width))
    clipped = bool((torch.linalg.vector_norm(velocity, dim=1) > scale).any())
    column = legend(scale, height=pictures.shape[1], clipped=clipped)
    pad = column.shape[0] - pictures.shape[1]
    above = pad // 2
    pictures = np.pad(pictures, ((0, 0), (above, pad - above), (0, 0), (0, 0)))
    pictures[:, :above], pictures[:, pictures.shape[1] - (pad - above) :] = PAPER, PAPER
    return np.stack(
        [np.concatenate([picture, _with_step(column, t)], 1) for t, picture in enumerate(pictures)]
    )


def _with_step(column: np.ndarray, t: int) -> np.ndarray:
    """Print which two frames a velocity lies between; it also keeps equal frames apart in a GIF."""
    page = PillowImage.fromarray(column)
    draw = ImageDraw.Draw(page)
    draw.text((column.shape[1] - 6, column.shape[0] - 4), f"t {t} → {t + 1}", FAINT, font(11), anchor="rb")
    return np.asarray(page)


def encode_png(picture: np.ndarray) -> bytes:
    """(H, W, 3) or (H, W, 4) bytes as PNG."""
    buffer = io.BytesIO()
    PillowImage.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def motion_palette(pictures: Frames) -> PillowImage.Image:
    """One palette for all frames of a motion picture, half of it for the wheel: colours must not flicker."""
    side = 128  # enough for the colours; the time of it grows with their number
    wheel = np.full((side, side, 3), PAPER, np.uint8)
    disc = wheel_rgba(side)
    wheel[disc[..., 3] > 127] = disc[disc[..., 3] > 127][:, :3]
    sample = np.concatenate(pictures[list(pick(len(pictures), 6))])
    thumb = PillowImage.fromarray(sample).resize((side, side), PillowImage.Resampling.NEAREST)
    both = PillowImage.fromarray(np.concatenate([wheel, np.asarray(thumb)]))
    return both.quantize(256, method=PillowImage.Quantize.MEDIANCUT)


def encode_gif(
    frames: Frames,
    *,
    fps: float = DEFAULT_FPS,
    factor: int = 1,
    hold_last: int = 1,
    palette: PillowImage.Image | None = None,
) -> bytes:
    """Frames as a GIF that loops for ever.

    Equal neighbours are stored as one frame of longer duration.

    Args:
        frames: (T, H, W, 3) bytes.
        fps: frames per second; GIF counts in hundredths of a second.
        factor: enlarge by this whole number, nearest neighbour.
        hold_last: show the last frame for so many frames (a clip of T - 1 velocities beside one of T frames).
        palette: an image with the palette to use throughout; None: each frame has its own.
    """
    duration = max(20, 10 * round(100.0 / fps))
    size = (frames.shape[2] * factor, frames.shape[1] * factor)
    # The palette is found before enlarging: the same colours, a fraction of the work.
    pictures = [
        PillowImage.fromarray(frame)
        .quantize(256, method=PillowImage.Quantize.MEDIANCUT, palette=palette, dither=PillowImage.Dither.NONE)
        .resize(size, PillowImage.Resampling.NEAREST)
        for frame in frames
    ]
    durations = [duration] * (len(pictures) - 1) + [duration * hold_last]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        optimize=False,
        comment=DRAWN,
    )
    return buffer.getvalue()


def encode_webp(frames: Frames, *, fps: float = DEFAULT_FPS, quality: int | None = None) -> bytes:
    """Frames as a WebP that loops for ever; one frame makes a still picture.

    Args:
        frames: (T, H, W, 3) bytes.
        fps: frames per second.
        quality: 0 to 100; None: no loss.
    """
    first, *rest = (PillowImage.fromarray(frame) for frame in frames)
    how = {"lossless": True, "quality": 40} if quality is None else {"quality": quality}
    buffer = io.BytesIO()
    first.save(
        buffer, "WEBP", save_all=True, append_images=rest, duration=round(1000 / fps), loop=0, method=3, **how
    )
    return buffer.getvalue()


def encode_mp4(
    frames: Iterable[Picture], *, fps: float = DEFAULT_FPS, factor: int = 1, loss: int = 0
) -> bytes:
    """Frames as an MP4 that players and browsers open (H.264 where the build has it, else MPEG-4 part 2).

    Args:
        frames: (H, W, 3) bytes each, of one size, one in memory at a time; odd sizes gain one repeated row
            or column.
        fps: frames per second.
        factor: enlarge by this whole number, nearest neighbour.
        loss: 0 for none that is seen; each step makes the file about a third smaller.
    """
    pictures = (_even(enlarge(frame[None], factor)[0]) for frame in frames)
    first, buffer = next(pictures), io.BytesIO()
    codec, options = film_codec(loss)
    with av.open(buffer, "w", format="mp4") as container:
        container.metadata["comment"] = DRAWN
        rate = Fraction(fps).limit_denominator(1000)
        stream = cast(av.VideoStream, container.add_stream(codec, rate=rate, options=options))
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in chain([first], pictures):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def _even(picture: Picture) -> Picture:
    return np.pad(picture, ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0)), mode="edge")


def film_codec(loss: int = 0) -> tuple[str, dict[str, str]]:
    """The encoder this build of PyAV has, and its settings: 0 is no visible loss."""
    if "libx264" in av.codecs_available:
        return "libx264", {"crf": str(14 + 4 * loss), "preset": "veryfast", "threads": "1"}
    return "mpeg4", {"qscale": str(2 + 2 * loss)}


def pick(count: int, wanted: int) -> Sequence[int]:
    """Up to `wanted` evenly spaced indices out of `count`, first and last among them."""
    if count <= wanted:
        return range(count)
    return [round(index * (count - 1) / (wanted - 1)) for index in range(wanted)]
