"""What is known about a unit's tuning, and how the numbers come from its answers."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..results import DEAD, FLAT, UNDIRECTED_SPEED, UnitResult
from . import sets
from .answers import Answers, Best
from .classes import Rivals, pattern_or_component, speed_or_frequency
from .curves import DirectionTuning, direction_tuning, modulation
from .field import Field
from .sets import Optimum


@dataclass(frozen=True)
class Shown:
    """What a unit's picture shows.

    Attributes:
        direction_deg: of the motion; None where it goes nowhere, or nothing was found.
        speed_px_per_frame, label: as in `unit.json`.
    """

    direction_deg: float | None
    speed_px_per_frame: float
    label: str


@dataclass(frozen=True)
class TextureTuning:
    """What a unit answers to its own texture, drifting.

    Attributes:
        direction: of the curve at the preferred speed.
        speed_px_per_frame: at which it answers most in its best of eight directions.
        best_response, still_response, grey_response: beyond grey: drifting, standing, and drifting without
            colour at that speed.
    """

    direction: DirectionTuning
    speed_px_per_frame: float
    best_response: float
    still_response: float
    grey_response: float


@dataclass(frozen=True)
class UnitTuning:
    """One unit; definitions, ranges and units of all numbers in docs/tuning.md.

    Attributes:
        unit, unit_name: which.
        gratings: the direction curve of drifting gratings, at the wavelength and speed of `optimum`.
        optimum: wavelength, speed and direction of the moving grating answered most; None: none is.
        preferred_speed_px_per_frame: 0 where a standing grating is answered more; `preferred_wavelength_px`.
        dsi_with_grey: dsi of the answers as they are, what is answered to grey not taken away.
        response_to_grey: mean positive part of the map for mid grey, or the logit.
        best: by kind of stimulus: largest answer beyond grey, name, contrast.
        f1_f0, speed, plaid, contrast_half, flash_latency_frames, noise, field: see the page.
        texture, shown, optimum_response: where a picture was given: what is answered to its texture, what
            it shows, and the answer to the optimal input beyond grey.
        natural_response: the largest answer to a window of natural videos beyond grey; None without any.
    """

    unit: int
    unit_name: str
    gratings: DirectionTuning
    optimum: Optimum | None
    preferred_speed_px_per_frame: float | None
    preferred_wavelength_px: float | None
    dsi_with_grey: float | None
    response_to_grey: float
    best: dict[str, Best]
    f1_f0: float | None
    speed: Rivals | None
    plaid: Rivals | None
    contrast_half: float | None
    flash_latency_frames: dict[str, float | None]
    noise: DirectionTuning
    field: Field | None
    texture: TextureTuning | None = None
    shown: Shown | None = None
    optimum_response: float | None = None
    natural_response: float | None = None

    @property
    def best_kind(self) -> str:
        """Kind of the stimulus that is answered most."""
        return max(self.best, key=lambda kind: self.best[kind][0])

    @property
    def beaten_by(self) -> str | None:
        """Name of the best stimulus where it is answered more than the optimal input; else None."""
        value, name, _ = self.best[self.best_kind]
        margin = 1e-4 * abs(self.optimum_response or 0.0)
        return None if self.optimum_response is None or value <= self.optimum_response + margin else name


def measured(answers: Answers, index: int, field: Field | None, seed: int) -> UnitTuning:
    """All numbers of one unit but those that need its picture."""
    layer, arrays = answers.layer, {key: part[index] for key, part in answers.arrays.items()}
    optimum, unit = answers.optima[index], layer.units[index]
    cell = sets.cells(layer.shape).index(optimum[:2])
    trials = arrays["gratings"][cell]
    tuning = direction_tuning(trials, seed)
    answered = tuning.direction_deg is not None
    still = arrays["static_gratings"].mean(dim=2)
    stands = float(still.max()) > max(0.0, float(trials.mean(dim=1).max()))
    wavelengths = sets.wavelengths(layer.shape)
    longest = wavelengths[int(still.max(dim=1).values.argmax())]
    grey = float(answers.grey[index])
    natural = answers.natural
    return UnitTuning(
        unit=unit,
        unit_name=layer.unit_names[unit] if unit < len(layer.unit_names) else "",
        gratings=tuning,
        optimum=optimum if answered else None,
        preferred_speed_px_per_frame=0.0 if stands else optimum[1] if answered else None,
        preferred_wavelength_px=longest if stands else optimum[0] if answered else None,
        dsi_with_grey=direction_tuning(trials + max(grey, 0.0) * bool(layer.map_shape), seed).dsi,
        response_to_grey=grey,
        best=answers.best[index],
        f1_f0=modulation(arrays["phases"]),
        speed=_speed(arrays["gratings"], optimum, layer.shape) if answered else None,
        plaid=_plaid(arrays["plaids"], trials) if answered else None,
        contrast_half=half_contrast(arrays["contrast_series"].mean(dim=1)),
        flash_latency_frames={
            word: latency(course, layer.shape[1])
            for word, course in zip(("on", "off"), arrays["flashes"], strict=True)
        },
        noise=_at_best_speed(arrays["textures"], seed),
        field=field,
        natural_response=None if natural is None else float(natural[index]),
    )


def with_picture(
    tuning: UnitTuning,
    result: UnitResult,
    arrays: dict[str, Tensor],
    best: dict[str, Best],
    answer: float,
    seed: int,
) -> UnitTuning:
    """The same beside what the unit's picture shows; arguments as `answers.ask_about_picture` gives them."""
    some = arrays["own_texture_speeds"]
    motion = result.motion
    moves = motion.label not in (DEAD, FLAT) and motion.speed_px_per_frame >= UNDIRECTED_SPEED
    return replace(
        tuning,
        best={**tuning.best, **best},
        texture=TextureTuning(
            direction_tuning(arrays["own_texture"][:, None], seed),
            sets.TEXTURE_SPEEDS[int(some.max(dim=1).values.argmax())],
            float(torch.cat([some.flatten(), arrays["own_texture"]]).max()),
            float(arrays["own_texture_still"]),
            float(arrays["own_texture_grey"].max()),
        ),
        shown=Shown(motion.direction_deg if moves else None, motion.speed_px_per_frame, motion.label),
        optimum_response=answer,
    )


def _at_best_speed(trials: Tensor, seed: int) -> DirectionTuning:
    """The direction curve (speed, direction, trial) at the speed that is answered most in any direction."""
    place = int(trials.mean(dim=2).max(dim=1).values.argmax())
    return direction_tuning(trials[place], seed)


def _speed(gratings: Tensor, optimum: Optimum, shape: tuple[int, int, int, int]) -> Rivals | None:
    answers = gratings[:, sets.DIRECTIONS.index(optimum[2])].mean(dim=1)
    pairs = torch.tensor(sets.cells(shape))
    return speed_or_frequency(answers, pairs[:, 0], pairs[:, 1])


def _plaid(plaids: Tensor, trials: Tensor) -> Rivals | None:
    return pattern_or_component(plaids.mean(dim=1), trials.mean(dim=1)[::2])


def half_contrast(series: Tensor) -> float | None:
    """The contrast at which half of the answer to the highest one is reached, linear in between."""
    top = float(series[-1])
    if not top > 0:
        return None
    contrasts, values = [0.0, *sets.CONTRASTS], [0.0, *series.tolist()]
    for k in range(1, len(values)):
        if values[k] >= top / 2:
            share = (top / 2 - values[k - 1]) / (values[k] - values[k - 1])
            return contrasts[k - 1] + share * (contrasts[k] - contrasts[k - 1])
    return None


def latency(course: Tensor, frames: int) -> float | None:
    """Frames from a flash until half of the largest answer above that to grey; None without one, or time.

    Args:
        course: positive part over the map's time, the flash being at frame T // 2.
        frames: of the clip; a map's steps are spread over it evenly.
    """
    rise = course - course[0]
    top = float(rise.max())
    if len(course) < 4 or top <= 1e-6 * float(course.abs().max()):
        return None
    first = int((rise >= top / 2).nonzero()[0])
    return (first + 0.5) * frames / len(course) - 0.5 - frames // 2
