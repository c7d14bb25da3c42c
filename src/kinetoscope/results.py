"""Frozen results of the stages, from an optimal input to a unit's whole account."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .brief import Brief
from .presenting import presenter
from .types import Flow, Image, Velocity, Video

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEAD, FLAT = "dead", "flat"
"""Labels of units that show nothing: no clip changes the response; noise or a flat colour does as well."""

UNDIRECTED_SPEED = 0.05
"""Length of a mean velocity, pixels per frame, below which a motion is shown without a direction."""


@dataclass(frozen=True)
class SearchNotes:
    """How an optimum in the natural metric was found; keys as under `search` in `unit.json`.

    Attributes:
        start: what it grew from: "noise", "bank" (a stimulus), "clip" (a given one), or "flat" for a flat
            colour.
        contrast_budget: root mean square about mid grey that the ascent was allowed.
        colour_free: whether colours were left unweighed, because the unit answers to colour more than to
            brightness.
        best_response: before calming.
        bank_stimulus, bank_response: the stimulus that drove the unit most at the same contrast, and how
            much; "" and None where no bank was shown.
        approach: "one ascent", or "coarse to fine" for a unit that sees all of the clip; `sizes`: height and
            width of its stages.
    """

    start: str
    contrast_budget: float
    colour_free: bool
    best_response: float
    bank_stimulus: str = ""
    bank_response: float | None = None
    approach: str = "one ascent"
    sizes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Optimal(Brief):
    """The optimal input of one unit (activation maximization).

    Attributes:
        video: (T, C, H, W) in [0, 1].
        history: the objective on the augmented clip, one number a step.
        steps: steps taken.
        seconds: wall-clock time, shared evenly when several units were optimized together.
        notes: how it was found; None for a search in bare pixels.
        alpha: how much each place matters for the response, (T, 1, H, W) in [0, 1]; None where nobody asked.
        given: the clip that it stays near to, (T, C, H, W) in [0, 1]; None where there is none.
    """

    video: Video
    history: tuple[float, ...]
    steps: int
    seconds: float
    notes: SearchNotes | None = None
    alpha: Float[Tensor, "time 1 height width"] | None = None
    given: Video | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Decomposition:
    """A video as a texture that moves in changing light: `V_t(p) ~ g_t(p) I(p + D_t(p)) + b_t(p)`.

    Without g and b it is Li & Li 2025, eq. 1-3.

    Attributes:
        static_image: the texture I on the frame's extent, (C, H, W) in [0, 1]; of several key textures the
            one nearest the clip's middle.
        displacement: D, (T, 2, H, W), pixels, a sampling field to `static_image`: content moves against it.
        velocity: u, (T-1, 2, H, W), pixels per frame: content at p in frame t is at p + u_t(p) in frame t+1.
        coherent_velocity: the smooth part of u that accumulates over time, same shape and unit.
        reconstruction: the textures warped by D, in that light, (T, C, H, W) in [0, 1].
        textures: key textures, (K, C, H, W) in [0, 1], at most one per four frames: one where a single image
            lasts the clip. Each is what is seen at its time; frames between two show both, blended.
        texture_times: their frames, rising; (0,) for one.
        light_gain: g, (T, 1, H, W), and `light_offset`: b, (T, C, H, W), smooth in space. At each place g
            has mean 1 and b mean 0 over time, unless contrast is reversed for about half of it.
        covered: (T-1, 1, H, W), true where content at p in frame t is not seen in frame t+1: covered, or
            gone.
        entered: likewise, true where content at q in frame t+1 was not seen in frame t.
        psnr_db: reconstruction against the video, peak 1; `single_psnr_db`: with `static_image` alone.
        static_psnr_db: the texture against the first frame, peak 1.
        displacement_tv: mean absolute differences of D along x, y and t, summed; D in fractions of the frame.
        variance_explained: shares of the video's temporal variance: `coherent`, `light`, `jitter`,
            `residual`; sum 1. Each is what is explained beyond the ones before it.
        change_share: the temporal variance as a share of all variance about the mean colour.
        carried: share of the change from frame to frame that warping the previous frame explains beyond what
            light alone explains; None for a clip without change, or a formulation without light.
        texture_lifetime_frames: frames until the correlation along the motion falls to one half, the clip's
            length where it never does; None for a formulation that fetches freely.
        settings: the settings used, plain JSON values.
        seconds: wall-clock time.
        video, seed: what `kinetoscope.decompose` was given; None in a unit's result, which holds its own.
    """

    static_image: Image
    displacement: Flow
    velocity: Velocity
    coherent_velocity: Velocity
    reconstruction: Video
    textures: Float[Tensor, "key channel height width"]
    texture_times: tuple[int, ...]
    light_gain: Float[Tensor, "time 1 height width"]
    light_offset: Video
    covered: Bool[Tensor, "step 1 height width"]
    entered: Bool[Tensor, "step 1 height width"]
    psnr_db: float
    single_psnr_db: float
    static_psnr_db: float
    displacement_tv: float
    variance_explained: dict[str, float]
    change_share: float
    carried: float | None
    texture_lifetime_frames: float | None
    settings: dict[str, Any]
    seconds: float
    video: Video | None = None
    seed: int | None = None

    def __repr__(self) -> str:
        return f"Decomposition({presenter().words(self)})"

    def save(self, directory: str | Path) -> Path:
        """Write the video's arrays, numbers and pictures straight into `directory`; return that path.

        `load_result` reads them back.

        Raises:
            SettingInvalid: it is part of a unit's result, which is what to save.
            OutputUnwritable: a file cannot be written.
        """
        return self._whole().save(directory)

    def plot(self) -> "Figure":
        """One figure that explains the decomposition; errors as for `save`."""
        return self._whole().plot()

    def show(self) -> Path | None:
        """Show texture, motion and numbers, as `UnitResult.show` does; errors as for `save`."""
        return self._whole().show()

    def _repr_html_(self) -> str | None:
        return None if self.video is None else self._whole()._repr_html_()

    def _whole(self) -> "UnitResult":
        return presenter().whole(self)


def one_texture(static_image: Image, reconstruction: Video) -> dict[str, Any]:
    """Fields of a `Decomposition` whose one texture lasts in steady light, with nothing covered."""
    frames, _, height, width = reconstruction.shape
    nothing = reconstruction.new_zeros(frames - 1, 1, height, width, dtype=torch.bool)
    return {
        "textures": static_image[None],
        "texture_times": (0,),
        "light_gain": torch.ones_like(reconstruction[:, :1]),
        "light_offset": torch.zeros_like(reconstruction),
        "covered": nothing,
        "entered": nothing,
        "carried": None,
        "texture_lifetime_frames": None,
    }


@dataclass(frozen=True)
class MotionSummary:
    """A velocity field in a few numbers; keys and units as in `unit.json`.

    Attributes:
        direction_deg: of the mean velocity, in [0, 360): 0 right, 90 up, counter-clockwise.
        speed_px_per_frame: length of the mean velocity.
        mean_speed_px_per_frame: mean length of the velocity.
        coherence: the ratio of the two, in [0, 1].
        divergence_per_frame: mean of du_x/dx + du_y/dy; positive is expansion.
        rotation_per_frame: half the curl in radians, counter-clockwise on screen positive.
        label: what it is in a word or two; of a unit that shows nothing, `DEAD` or `FLAT`.
    """

    direction_deg: float
    speed_px_per_frame: float
    mean_speed_px_per_frame: float
    coherence: float
    divergence_per_frame: float
    rotation_per_frame: float
    label: str


@dataclass(frozen=True)
class Confidence:
    """How far runs from other seeds show the same motion; keys and units as in `unit.json`.

    Attributes:
        seeds: of the runs; the first one is the run that is shown.
        repeat_steps: optimization steps of the other runs.
        labels, directions_deg, speeds_px_per_frame: word, direction and length of each run's mean velocity.
        label_agreement: share of the runs with the first one's label, in (0, 1].
        speed_spread_px_per_frame: standard deviation of the speeds.
        circular_variance: of the directions, in [0, 1], 0 when they are the same; None when one is still.
        field_circular_variance: the same place by place, fast places counting more; None when one is still.
    """

    seeds: tuple[int, ...]
    repeat_steps: int
    labels: tuple[str, ...]
    label_agreement: float
    directions_deg: tuple[float, ...]
    speeds_px_per_frame: tuple[float, ...]
    speed_spread_px_per_frame: float
    circular_variance: float | None
    field_circular_variance: float | None


@dataclass(frozen=True, eq=False, repr=False)
class UnitResult:
    """Everything known about one unit: its optimal input, texture, motion, and how far to trust them.

    Attributes:
        optimal: the optimal input; None when a given video was decomposed.
        video: the video that was decomposed, (T, C, H, W) in [0, 1].
        activation: the unit's response, same objective, no augmentation, to `optimal`, `random_input`,
            `reconstruction`, `static_only`, `flat_colour`, `reversed`, `shuffled`, `slowed`, `sped_up`; empty
            for a given video.
        record: what else `unit.json` holds (model, layer, unit, settings, versions, ...), plain JSON values.
        indices: `reconstruction_kept`, `motion_dependence`, `direction_index`, derived from `activation`;
            None where it says nothing, empty for a given video.
        confidence: agreement across seeds; None when one seed was asked for.
    """

    video: Video
    decomposition: Decomposition
    motion: MotionSummary
    optimal: Optimal | None = None
    activation: dict[str, float] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    indices: dict[str, float | None] = field(default_factory=dict)
    confidence: Confidence | None = None

    def __repr__(self) -> str:
        return f"UnitResult({presenter().words(self)})"

    def save(self, directory: str | Path) -> Path:
        """Write arrays, numbers and pictures; `load_result` reads them back.

        Returns:
            Where they lie: `directory`/LAYER/UNIT, or `directory` itself for a given video.

        Raises:
            SettingInvalid: the record does not name layer and unit.
            OutputUnwritable: a file cannot be written.
        """
        return presenter().save(self, directory)

    def plot(self) -> "Figure":
        """One matplotlib figure that explains the unit: `summary.png` as an object."""
        return presenter().plot(self)

    def show(self) -> Path | None:
        """Show pictures and numbers: in the notebook's cell, elsewhere as a page in the browser.

        Returns:
            The page, in a folder for temporary files; None in a notebook.

        Raises:
            OutputUnwritable: there is no place for the page.
        """
        return presenter().show(self)

    def _repr_html_(self) -> str:
        return presenter().html(self)


class Results(list[UnitResult]):
    """A list of results that shows itself as a contact sheet: a picture of each unit beside the others.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> results = ks.visualize(model, "conv1", [0, 1], size=(6, 16, 24), steps=2, seeds=1)
        >>> results.plot().savefig("units.png")
        >>> results.save("out")
        PosixPath('out/index.html')
    """

    def __repr__(self) -> str:
        return "\n".join([f"{len(self)} results:", *(f"  {result!r}" for result in self)])

    @overload
    def __getitem__(self, index: SupportsIndex) -> UnitResult: ...
    @overload
    def __getitem__(self, index: slice) -> "Results": ...
    def __getitem__(self, index: SupportsIndex | slice) -> "UnitResult | Results":
        found = super().__getitem__(index)
        return Results(found) if isinstance(found, list) else found

    def __add__(self, other: Iterable[Any]) -> "Results":  # type: ignore[override]
        return Results([*self, *other])

    def save(self, directory: str | Path) -> Path:
        """Save every unit, and the page that shows them all; errors as for `UnitResult.save`.

        Returns:
            The page: `directory`/index.html.
        """
        return presenter().save(self, directory)

    def plot(self) -> "Figure":
        """A contact sheet as a matplotlib figure: each unit's optimal input, texture and motion.

        Raises:
            SettingInvalid: the list is empty.
        """
        return presenter().plot(self)

    def show(self) -> Path | None:
        """Show the contact sheet, as `UnitResult.show` does."""
        return presenter().show(self)

    def _repr_html_(self) -> str:
        return presenter().html(self)
