"""`kinetoscope temporal --show` and `--agree`: channels of a 3T layer beside what excites them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .progress import Reporter

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..evaluation.trajectories import ActiveFrame
    from ..tconv.read import LayerMotion
    from ..types import Video

_COLUMNS = (
    *("layer", "channel", "content_x", "content_y", "content_direction_deg", "content_speed"),
    *("found_x", "found_y", "found_direction_deg", "found_speed", "direction_error_deg", "label"),
)


@dataclass(frozen=True)
class Search:
    """How optimal inputs are looked for.

    Attributes:
        model: as it was named.
        network: the model.
        objective: what is made large, as for `visualize`; None: the usual.
        size: of the clip, (frames, height, width); None: the model's own.
        steps: of the optimization; None: the usual ones.
        seed: of everything drawn.
        device: where to compute.
        quiet: tell no progress.
        partial: of a damaged clip, use what comes before the damage.
    """

    model: str
    network: "nn.Module"
    objective: str | None
    size: tuple[int, int, int] | None
    steps: int | None
    seed: int
    device: str
    quiet: bool
    partial: bool


def show_channels(
    out: Path, search: Search, motion: "LayerMotion", pages: Sequence[list[int]], clip: Path | None
) -> Iterator[Path]:
    """Write `channels.png`, a dozen channels a page: still optima, and most active frames of a clip."""
    from ..evaluation.trajectories import still_optima
    from ..files import write_bytes_atomically
    from ..render.trajectories import ChannelPictures, draw_channels

    for page, channels in enumerate(pages, start=1):
        rows = []
        active = [None] * len(channels) if clip is None else _active(search, motion.layer, channels, clip)
        names = [f"still optimum of {motion.layer}:{channel}" for channel in channels]
        with Reporter(names, quiet=search.quiet) as reporter:
            optima = still_optima(
                search.network,
                motion.layer,
                channels,
                objective=search.objective,
                size=search.size,
                steps=search.steps,
                seed=search.seed,
                device=search.device,
                progress=reporter.step,
            )
            for channel, still, seen in zip(channels, optima, active, strict=True):
                row = ChannelPictures(channel, still)
                if seen is not None:
                    row = replace(row, frame=seen.frame, picture=seen.picture, gradient=seen.gradient)
                rows.append(row)
        picture = draw_channels(
            f"{search.model} / {motion.layer}: channels and their motion",
            rows,
            motion.content[:, :, channels],
            motion.sampling[:, :, channels],
            motion.path_px[:, :, channels],
            (motion.kernel_size[1], motion.kernel_size[2]),
        )
        name = "channels" + (f"~{page}" if page > 1 else "")
        yield write_bytes_atomically(out / f"{name}.png", picture)


def _active(search: Search, layer: str, channels: list[int], clip: Path) -> "list[ActiveFrame]":
    from ..card import card_of
    from ..clips.video import fit_clip, read_windows
    from ..evaluation.trajectories import active_frames

    card = card_of(search.network)
    frames, height, width = search.size or card.clip

    def windows() -> "Iterator[tuple[int, Video]]":
        partial = search.partial
        for window in read_windows(clip, frames, frames, channels=card.channels, partial=partial):
            yield window.start, fit_clip(window.video, card.channels, height, width)

    return active_frames(search.network, layer, channels, windows(), device=search.device)


def compare_velocities(out: Path, search: Search, motion: "LayerMotion", channels: list[int]) -> str:
    """Write `agreement.csv` and `agreement.png`; give a line that sums them up."""
    import torch

    from ..evaluation.trajectories import channel_velocities, velocity_correlation, why_no_correlation
    from ..files import write_bytes_atomically
    from ..render.trajectories import ChannelVelocities, draw_agreement
    from .table import write_csv

    names = [f"optimal input of {motion.layer}:{channel}" for channel in channels]
    with Reporter(names, quiet=search.quiet) as reporter:
        found = list(
            channel_velocities(
                search.network,
                motion,
                channels,
                objective=search.objective,
                size=search.size,
                steps=search.steps,
                seed=search.seed,
                device=search.device,
                progress=reporter.step,
            )
        )
    pairs = [(about.content, about.found) for about in found if about.found is not None]
    sides = [torch.stack(side) for side in zip(*pairs, strict=True)] if pairs else [torch.empty(0, 2)] * 2
    correlation = velocity_correlation(*sides)
    why = why_no_correlation(*sides)
    rows, pictures = [], []
    kernel: Any = search.network.get_submodule(motion.layer).weight
    for channel, about in zip(channels, found, strict=True):
        error = None if about.error_deg is None else f"{about.error_deg:.1f}"
        label = about.result.motion.label
        rows.append([motion.layer, channel, *_polar(about.content), *_polar(about.found), error or "", label])
        words = f"optimal input: {label}; " + (
            "no direction to compare" if error is None else f"directions {error}\N{DEGREE SIGN} apart"
        )
        pictures.append(
            ChannelVelocities(channel, kernel[channel], about.result.video, about.content, about.found, words)
        )
    write_csv(out / "agreement.csv", _COLUMNS, rows)
    title = f"{search.model} / {motion.layer}: velocity, read twice"
    write_bytes_atomically(out / "agreement.png", draw_agreement(title, pictures, correlation, why))
    said = f"is undefined: {why}" if correlation is None else f"{correlation:.2f}"
    return f"{out / 'agreement.csv'}: correlation over {len(pairs)} channels {said}"


def _polar(velocity: "Tensor | None") -> list[str]:
    """x, y, direction and length; empty where there is none."""
    from ..motion.summary import direction_deg

    if velocity is None:
        return [""] * 4
    numbers = (*velocity.tolist(), direction_deg(velocity), float(velocity.norm()))
    return [f"{number:.5g}" for number in numbers]
