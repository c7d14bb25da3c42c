"""What a person asks of units, and the same once it is checked: what, where, how, and on which device."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from ..brief import Brief
from ..card import ModelCard
from ..motion.decompose import DecomposeSettings
from ..optimal.coarse import Size
from ..optimal.held import Held, Mask
from ..optimal.objective import Objective
from ..optimal.search import SearchSettings
from ..records import sha256_of
from ..spectrum import NaturalSpectrum
from ..types import Video
from ..units.crop import Crop
from ..units.vectors import Vectors
from ..version import __version__

SEEDS = 3
"""Seeds whose motions are compared unless a number is given."""


def versions() -> dict[str, str]:
    """What a result depends on beside its settings."""
    return {
        "kinetoscope": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Options(Brief):
    """How units are to be looked at, as a person says it; `settle.request_for` checks it.

    Attributes:
        card: what the network expects; None: what came with it from `load_model`, else inferred.
        objective: `channel`, `channel-relu` or `unit`; or, filed under the one unit that is given, a sum of
            terms that read any layer: an `Objective`, or text such as `conv3b:5 - conv3b:7`
            (docs/objectives.md). None: `unit` where a position is given, else `channel-relu` for maps,
            `channel` for single numbers and in the preset `paper` (Li & Li 2025, eq. 4).
        position: (t, y, x) in the layer's map, for `unit`; None: the centre.
        size: clip as (frames, height, width); None: the card's.
        preset: `default`, natural statistics; `strong`, bare pixels; or `paper`, the published procedure.
        optimal: settings of the search; None: the preset's.
        motion: settings of the decomposition; None: the preset's.
        steps: optimization steps; None: those of the search's settings.
        contrast: root mean square about mid grey that the clip may have, in (0, 0.5]; None: 0.2, and 0.3 for
            a unit that gains by more.
        start: `bank`, noise and, where that ends lower, the best of a bank of stimuli; `noise` alone; or a
            clip (T, C, H, W) in [0, 1] of the size asked for, for the search of natural statistics only.
        seed: of every random number; the same seed, device kind and version give the same arrays.
        seeds: how many seeds, from `seed` on, the motion is compared between (`confidence`). Runs after the
            first take a quarter of the steps, so that three cost half as much again as one; with 1 there is
            no confidence. The run that is shown is the same whatever this number.
        device: torch device.
        precision: `fp32`, or `bf16` for the network's arithmetic.
        vectors: directions in the layer's channels; they are the units then, by row.
        networks: further networks of the same architecture; what is maximized is the mean over all.
        mask: (T, 1, H, W) in [0, 1], where the clip is free; elsewhere it is mid grey, or the clip that is
            given as start. Contrast is counted where it is free. None: everywhere.
        stay: how far the optimum may be from the clip given as start, as a root mean square, in (0, 0.5];
            what is searched for is then the change. None: as far as its contrast goes.
        alpha: whether to note which parts of the optimum the response rests on.
        spectrum: of natural clips, for the preset `maco`; None: what the card's metric describes.
    """

    card: ModelCard | None = None
    objective: str | Objective | None = None
    position: tuple[int, ...] | None = None
    size: tuple[int, int, int] | None = None
    preset: str = "default"
    optimal: SearchSettings | None = None
    motion: DecomposeSettings | None = None
    steps: int | None = None
    contrast: float | None = None
    start: str | Video = "bank"
    seed: int = 0
    seeds: int = SEEDS
    device: str = "cpu"
    precision: str = "fp32"
    vectors: Vectors | None = None
    networks: Sequence[nn.Module] = ()
    mask: Mask | None = None
    stay: float | None = None
    alpha: bool = False
    spectrum: NaturalSpectrum | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Request(Brief):
    """Units of one layer and how they are looked at, everything checked and nothing left open.

    Attributes:
        model, card: the network, and what it expects.
        layer: dotted name.
        units: indices of its channels, in the order asked for.
        count: how many channels the layer has, or how many vectors were given.
        shape: of the clip, (C, T, H, W).
        objective: `channel`, `channel-relu` or `unit`, or the one made by hand, in channels of known layers.
        position: (t, y, x) in the layer's map, for the objective `unit`; None: its centre.
        crop: the part of the clip that is seen from there; None: all of it.
        preset: whose settings `optimal` and `motion` are but for what was given.
        optimal, motion: settings of the two stages.
        start: `bank`, `noise`, or a clip (T, C, H, W) in [0, 1].
        sizes: first and last height and width of a search coarse to fine; empty for one at full size.
        seed, seeds: of the run that is shown, and how many from there on are compared.
        device, precision: where and in which arithmetic the network runs.
        weights_sha256, card_sha256, source_sha256: of what was in the network's tensors, on its card, and in
            the code of its classes when the request was made.
        asked: as the request was written; to ask the same of another unit, seed or network.
        vectors: that are the units; None: channels are.
        networks: further ones, and the digests of what was in their tensors.
        held: what is free of the clip, and what is shown elsewhere; None: all is.
        alpha: whether results say which parts matter.
        spectrum: that phases are free under; None: what the metric describes, or they are not.
    """

    model: nn.Module
    card: ModelCard
    layer: str
    units: tuple[int, ...]
    count: int
    shape: tuple[int, int, int, int]
    objective: str | Objective
    position: tuple[int, ...] | None
    crop: Crop | None
    preset: str
    optimal: SearchSettings
    motion: DecomposeSettings
    start: str | Video
    sizes: tuple[Size, ...]
    seed: int
    seeds: int
    device: str
    precision: str
    weights_sha256: str
    card_sha256: str
    source_sha256: str
    asked: Options
    vectors: Vectors | None = None
    networks: tuple[tuple[nn.Module, str], ...] = ()
    held: Held | None = None
    alpha: bool = False
    spectrum: NaturalSpectrum | None = None

    def name(self, unit: int) -> str:
        """The unit's class name, or what else it is called; "" where it has none."""
        if isinstance(self.objective, Objective):
            return str(self.objective)
        names = self.card.names_of(self.layer) if self.vectors is None else self.vectors.names()
        return names[unit] if unit < len(names) else ""

    def to_json(self, unit: int) -> dict[str, Any]:
        """What `unit.json` says of the request for one of its units: written at the end, never read back."""
        return {
            "network": type(self.model).__name__,
            "weights_sha256": self.weights_sha256,
            "card_sha256": self.card_sha256,
            "source_sha256": self.source_sha256,
            "layer": self.layer,
            "unit": unit,
            "unit_name": self.name(unit),
            "objective": str(self.objective),
            "seed": self.seed,
            "settings": {
                "preset": self.preset,
                "size": list(self.shape[1:]),
                "position": None if self.position is None else list(self.position),
                "optimal": asdict(self.optimal),
                "start": self.start if isinstance(self.start, str) else f"clip {sha256_of(self.start)}",
                "decompose": self.motion.describe(),
                "seeds": self.seeds,
                **self._of_the_clip(),
            },
            "versions": versions(),
            "device": self.device,
            "precision": self.precision,
            "vectors": None if self.vectors is None else self.vectors.describe(),
            "networks_sha256": [digest for _, digest in self.networks] or None,
        }

    def _of_the_clip(self) -> dict[str, Any]:
        """Settings that few requests have: constraints on the clip."""
        few: dict[str, Any] = {}
        if self.held is not None:
            few["held"] = self.held.to_json()
            if self.asked.stay is not None:
                few["stay"] = self.asked.stay
        if self.alpha:
            few["alpha"] = True
        if self.spectrum is not None:
            few["spectrum_sha256"] = self.spectrum.sha256()
        return few
