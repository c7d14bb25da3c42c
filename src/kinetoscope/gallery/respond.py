"""What the units of one network answer to the optimal inputs of another."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..card import ModelCard, card_of
from ..clips.video import fit_clip, read_video
from ..errors import KinetoscopeError, SettingInvalid
from ..optimal.objective import KINDS, make_objective
from ..records import ARRAYS_FILE, RecordUnreadable, load_arrays
from ..types import Video
from ..units.tap import tap
from ..zoo.registry import load_model, weights_of
from .columns import Table
from .pairs import Pairs, best

KEPT = 3
"""Counterparts kept of each unit."""

_BATCH = 8
_HELD = 2**31
"""Bytes of clips that are kept from one layer to the next; where all of them take more, none is."""
_FILM = "optimal.mp4"


def by_response(
    mine: Table,
    other: Table,
    *,
    weights: str | None = None,
    device: str = "cpu",
    told: Callable[[int, int], None] = lambda done, count: None,
) -> Pairs:
    """For each unit of the first atlas, the units of the other network that answer most to its optimum.

    A unit's answer is its gain over noise as a share of the gain of its own optimum, so that 1 is as good and
    units of all layers compare. The clip is brought to the other network's size; a longer one is shown from
    its middle, a shorter one begins anew.

    Args:
        weights: of the other network, where its atlas does not say where they lie.
        told: hears how many of the layers are done.

    Raises:
        SettingInvalid: the other network's weights are not those of its atlas.
        KinetoscopeError: it cannot be loaded, or the clips cannot be read.
    """
    network, card, size = _network(other.source.said, weights)
    clips = _Clips(mine, card, size)
    shares: list[np.ndarray] = []
    rows: list[int] = []
    for done, layer in enumerate(other.layers):
        place = range(layer["start"], layer["start"] + layer["count"])
        found = _layer(network, card, layer["name"], other, place, clips, device)
        shares.append(_shares(found, other, place))
        rows += place
        told(done + 1, len(other.layers))
    kept, numbers = best(np.concatenate(shares, axis=1), rows, KEPT)
    return Pairs("response", kept, numbers)


def _network(said: Mapping[str, Any], weights: str | None) -> tuple[nn.Module, ModelCard, tuple[int, ...]]:
    network = load_model(str(said["model"]), weights=weights or str(said["weights"]), seed=int(said["seed"]))
    if weights_of(network).sha256 != said.get("weights_sha256"):
        raise SettingInvalid(
            f"the weights of {said['model']} are not those of its atlas; "
            "give --weights, the file it was made of"
        )
    size = said.get("settings", {}).get("size")
    card = card_of(network)
    return network, card, tuple(size) if size else card.clip


class _Clips:
    """The optima of an atlas as another network takes them, read when they are needed."""

    def __init__(self, table: Table, card: ModelCard, size: Sequence[int]) -> None:
        self._card, self._size, self._held = card, size, dict[int, tuple[list[int], Tensor | None]]()
        root = table.source.root
        self._folders = [
            root / layer["folder"] / str(table.units[row])
            for layer in table.layers
            for row in range(layer["start"], layer["start"] + layer["count"])
        ]

    def __len__(self) -> int:
        return len(self._folders)

    def batches(self) -> "list[slice]":
        return [slice(start, start + _BATCH) for start in range(0, len(self), _BATCH)]

    def batch(self, which: slice) -> tuple[list[int], Tensor | None]:
        """Rows whose clip lies there, and the clips, normalized (B, C, T, H, W)."""
        if which.start in self._held:
            return self._held[which.start]
        rows, clips = [], []
        for row, folder in zip(range(len(self))[which], self._folders[which], strict=True):
            clip = _optimum(folder)
            if clip is not None:
                rows.append(row)
                clips.append(_fitted(clip, self._card, self._size))
        read = rows, self._card.normalize(torch.stack(clips).transpose(1, 2)) if clips else None
        if read[1] is not None and read[1].nbytes * len(self) <= _HELD * _BATCH:
            self._held[which.start] = read
        return read


def _optimum(folder: Path) -> Video | None:
    """A unit's optimal input: its array, or its film where that is what was kept."""
    try:
        if (folder / ARRAYS_FILE).is_file():
            return load_arrays(folder)["optimal_video"]
        return read_video(folder / _FILM) if (folder / _FILM).is_file() else None
    except (RecordUnreadable, KinetoscopeError, KeyError):
        return None


def _fitted(clip: Video, card: ModelCard, size: Sequence[int]) -> Tensor:
    """The clip at a network's size and length."""
    frames, height, width = size
    start = max(0, (len(clip) - frames) // 2)
    times = torch.arange(start, start + frames) % len(clip)
    return fit_clip(clip[times], card.channels, height, width)


def _layer(
    network: nn.Module,
    card: ModelCard,
    layer: str,
    other: Table,
    place: Sequence[int],
    clips: _Clips,
    device: str,
) -> np.ndarray:
    """What a layer's units answer to each clip by their own objectives, (clips, units); NaN where unknown."""
    found = np.full((len(clips), len(place)), np.nan)
    asked = [
        (index, make_objective(kind, index, None if position is None else tuple(position)))
        for index, (kind, position) in enumerate(other.objectives[row] for row in place)
        if kind in KINDS
    ]
    units = [other.units[row] for row in place]
    with tap(network, layer, units=units, device=device) as forward, torch.no_grad():
        for which in clips.batches():
            rows, batch = clips.batch(which)
            if batch is None:
                continue
            output = forward(batch)
            for index, objective in asked:
                found[rows, index] = objective(output).float().cpu().numpy()
    return found


def _shares(found: np.ndarray, other: Table, place: Sequence[int]) -> np.ndarray:
    """Gains as shares of the gain of each unit's own optimum, (clips, units)."""
    optimal, noise = other.column("activation_optimal"), other.column("activation_random_input")
    shares = np.full(found.shape, np.nan)
    for index, row in enumerate(place):
        own = optimal[row] - noise[row]
        if other.labels[row] not in ("dead", "flat") and own > 0:
            shares[:, index] = (found[:, index] - noise[row]) / own
    return shares
