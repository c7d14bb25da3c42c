"""The moments and places in a folder of videos that excite a unit most."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..card import ModelCard, card_of
from ..clips.folder import find_clips
from ..clips.video import Window, fit_clip, read_windows
from ..errors import ClipTooSmall, SettingInvalid, VideoUnreadable
from ..types import Video
from ..units.receptive.fields import Box, field_box, layer_spans
from ..units.tap import output_shape, tap
from ..units.unit import unit_indices


@dataclass(frozen=True)
class Hit:
    """Where a unit responded.

    Attributes:
        unit: channel, or index of the output.
        source: the file.
        response: the unit's largest in the window, in the layer's own scale.
        window: number of the window's first frame in the file.
        position: (t, y, x) in the layer's map; None for a layer without one.
        box: what the unit saw there, per axis the first and the one behind the last: frames of the file; rows
            and columns of the frame as the network got it (see `fit_clip`).
    """

    unit: int
    source: Path
    response: float
    window: int
    position: tuple[int, int, int] | None
    box: Box


@dataclass(frozen=True)
class Found:
    """What a search came back with.

    Attributes:
        hits: per unit, best first; no two overlap in time within one file.
        skipped: files that could not be used, and why.
        windows: how many were looked at.
    """

    hits: dict[int, tuple[Hit, ...]]
    skipped: dict[Path, str]
    windows: int


def search(
    model: nn.Module,
    layer: str,
    units: int | str | Sequence[int | str],
    files: Iterable[str | Path] | str | Path,
    card: ModelCard | None = None,
    *,
    count: int = 9,
    step: int | None = None,
    partial: bool = False,
    device: str = "cpu",
    progress: Callable[[Path, int], None] | None = None,
) -> Found:
    """Look through videos window by window for what excites units most; one window is in memory at a time.

    Args:
        model: any video network; it comes back as it was.
        layer: dotted name.
        units: channels by index, or by class name in the output layer.
        files: videos, or a folder that holds some at any depth; those that cannot be read, or are too short
            for the network, are skipped.
        card: what the network expects; windows have its clip's size. None: what came with it from
            `load_model`, else inferred.
        count: hits kept per unit.
        step: frames from one window to the next; None: half a window.
        partial: as for `video.read_video`; otherwise a damaged file is skipped from its damage on, and told.
        device: where to compute.
        progress: told about every window: the file, and the window's first frame.

    Returns:
        Per unit its `hits`, best first: file, frames, place, and the response in the layer's own scale.
        `activations.search.crops` reads what was seen there.

    Raises:
        SettingInvalid: `count` below 1, or a step beyond the window.
        LayerNotFound: no such layer.
        UnitOutOfRange: no such unit.
        VideoUnreadable: no videos below the folder.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> found = ks.search(model, "conv1", [0], "clips", count=2)  # a folder of films
        >>> len(found.hits[0])  # each with its source, box and response, the largest first
        2
    """
    if count < 1:
        raise SettingInvalid(f"{count} clips per unit were asked for; give at least 1")
    card, windows = card or card_of(model), 0
    skipped: dict[Path, str] = {}
    if isinstance(files, (str, Path)):
        files, skipped = find_clips(Path(files))
    shape = (card.channels, *card.clip)
    named = card.names_of(layer)
    index = unit_indices(units, output_shape(model, layer, shape)[0], named)
    spans = layer_spans(model, layer, shape)
    best: dict[int, list[Hit]] = {unit: [] for unit in index}
    with tap(model, layer, units=index, device=device) as forward, torch.no_grad():
        for file in map(Path, files):
            try:
                for window in _windows(file, card, step, partial):
                    clip = fit_clip(window.video, card.channels, *card.clip[1:])
                    maps = forward(card.normalize(clip.transpose(0, 1)[None]))[0].cpu()
                    windows += 1
                    for unit, values in zip(index, maps, strict=True):
                        response, position = _peak(values)
                        place = position or (0, 0, 0)
                        (first, end), *area = field_box(spans, place, (len(clip), *card.clip[1:]))
                        box = ((window.start + first, window.start + end), *area)
                        best[unit] = _kept(
                            best[unit], Hit(unit, file, response, window.start, position, box), count
                        )
                    if progress is not None:
                        progress(file, window.start)
            except (VideoUnreadable, ClipTooSmall) as error:
                skipped[file] = str(error)
    return Found({unit: tuple(hits) for unit, hits in best.items()}, skipped, windows)


def _windows(file: Path, card: ModelCard, step: int | None, partial: bool) -> Iterator[Window]:
    """Windows as long as the network's clip, `step` frames apart, or half a window."""
    length = card.clip[0]
    return read_windows(file, length, step or max(1, length // 2), channels=card.channels, partial=partial)


def _peak(values: Tensor) -> tuple[float, tuple[int, int, int] | None]:
    if values.ndim != 3:
        return float(values.max()), None
    t, y, x = (int(i) for i in torch.unravel_index(values.argmax(), values.shape))
    return float(values[t, y, x]), (t, y, x)


def _kept(hits: list[Hit], new: Hit, count: int) -> list[Hit]:
    """The best `count` with the new one among them; of hits that share frames of a file the best stays."""
    (first, end), rivals = new.box[0], []
    for hit in hits:
        start, stop = hit.box[0]
        if hit.source == new.source and start < end and first < stop:
            rivals.append(hit)
    if any(rival.response >= new.response for rival in rivals):
        return hits
    return sorted([*(h for h in hits if h not in rivals), new], key=lambda h: -h.response)[:count]


def crops(
    hits: Iterable[Hit], card: ModelCard, *, step: int | None = None, partial: bool = False
) -> Iterator[tuple[Hit, Video]]:
    """Read what the units saw, file by file: each hit with its (T, C, h, w) in [0, 1].

    Args:
        hits: from `search`.
        card, step, partial: as they were there.
    """
    by_source: dict[Path, list[Hit]] = {}
    for hit in hits:
        by_source.setdefault(hit.source, []).append(hit)
    for source, wanted in by_source.items():
        last = max(hit.window for hit in wanted)
        for window in _windows(source, card, step, partial):
            here = [hit for hit in wanted if hit.window == window.start]
            clip = fit_clip(window.video, card.channels, *card.clip[1:]) if here else None
            for hit in here:
                assert clip is not None
                (first, end), rows, columns = hit.box
                piece = clip[first - window.start : end - window.start]
                yield hit, piece[:, :, slice(*rows), slice(*columns)]
            if window.start >= last:
                break
