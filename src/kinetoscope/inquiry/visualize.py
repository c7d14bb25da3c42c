"""From a model and its units to finished results: optimal input, decomposition, responses, confidence."""

from collections.abc import Iterator, Sequence

from torch import nn

from ..card import ModelCard
from ..motion.decompose import DecomposeSettings
from ..optimal.held import Mask
from ..optimal.objective import Objective
from ..optimal.search import SearchSettings
from ..results import Results, UnitResult
from ..spectrum import NaturalSpectrum
from ..types import Video
from ..units.vectors import Vectors
from .request import SEEDS, Options
from .run import Inquiry, Progress, Watch
from .settle import request_for


def visualize_each(
    model: nn.Module,
    layer: str,
    units: int | str | Sequence[int | str],
    *,
    card: ModelCard | None = None,
    objective: str | Objective | None = None,
    position: tuple[int, ...] | None = None,
    size: tuple[int, int, int] | None = None,
    preset: str = "default",
    optimal: SearchSettings | None = None,
    motion: DecomposeSettings | None = None,
    steps: int | None = None,
    contrast: float | None = None,
    start: str | Video = "bank",
    seed: int = 0,
    seeds: int = SEEDS,
    device: str = "cpu",
    precision: str = "fp32",
    vectors: Vectors | None = None,
    networks: Sequence[nn.Module] = (),
    mask: Mask | None = None,
    stay: float | None = None,
    alpha: bool = False,
    spectrum: NaturalSpectrum | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Iterator[UnitResult]:
    """Visualize units of a layer, giving each as soon as it is finished.

    Args:
        model: any video network; it comes back as it was.
        layer: dotted name as in `model.named_modules()`.
        units: channels by index, or by class name in the output layer.
        card: what the network expects; None: what came with it from `load_model`, else inferred.
        objective: `channel`, `channel-relu` or `unit`; or, filed under the one unit that is given, a sum of
            terms that read any layer: an `Objective`, or text such as `conv3b:5 - conv3b:7`
            (docs/objectives.md). None: `unit` where a position is given, else `channel-relu` for maps,
            `channel` for single numbers and in the preset `paper` (eq. 4).
        position: (t, y, x) in the layer's map, for `unit`; None: the centre.
        size: clip as (frames, height, width); None: the card's.
        preset: `default`, natural statistics; `strong`, bare pixels; or `paper`, the published procedure.
        optimal: settings of the search, `OptimalSettings` or `AdamSettings`; None: the preset's.
        motion: settings of the decomposition; None: the preset's.
        steps: optimization steps; None: those of the search's settings.
        contrast: root mean square about mid grey that the clip may have, in (0, 0.5]; None: 0.2, and 0.3 for
            a unit that gains by more.
        start: `bank`, noise and, where that ends lower, the best of a bank of stimuli; `noise` alone; or a
            clip (T, C, H, W) in [0, 1] of the size asked for. For the search of natural statistics only.
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
        progress: called with the unit's place among `units`, the step, and the number of steps.
        watch: called with the unit's channel, the step, from 1, and the unit's response there, for every step
            of the run that is shown: curves while they grow. Afterwards they are `optimal.history`.

    Raises:
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable, SettingInvalid: as their names say, before
            anything is computed.
        ModelUnusable: later, where no gradient from the layer reaches the clip.
        DeviceFull: later, where even one clip is too much for the device's memory.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> for result in ks.visualize_each(model, "conv1", [0, 1], size=(6, 16, 24), steps=2, seeds=1):
        ...     print(result.record["unit"], len(result.optimal.history))
        0 2
        1 2
    """
    options = Options(
        card=card,
        objective=objective,
        position=position,
        size=size,
        preset=preset,
        optimal=optimal,
        motion=motion,
        steps=steps,
        contrast=contrast,
        start=start,
        seed=seed,
        seeds=seeds,
        device=device,
        precision=precision,
        vectors=vectors,
        networks=networks,
        mask=mask,
        stay=stay,
        alpha=alpha,
        spectrum=spectrum,
    )
    return Inquiry(request_for(model, layer, units, options), progress, watch).results()


def visualize(
    model: nn.Module,
    layer: str,
    units: int | str | Sequence[int | str],
    *,
    card: ModelCard | None = None,
    objective: str | Objective | None = None,
    position: tuple[int, ...] | None = None,
    size: tuple[int, int, int] | None = None,
    preset: str = "default",
    optimal: SearchSettings | None = None,
    motion: DecomposeSettings | None = None,
    steps: int | None = None,
    contrast: float | None = None,
    start: str | Video = "bank",
    seed: int = 0,
    seeds: int = SEEDS,
    device: str = "cpu",
    precision: str = "fp32",
    vectors: Vectors | None = None,
    networks: Sequence[nn.Module] = (),
    mask: Mask | None = None,
    stay: float | None = None,
    alpha: bool = False,
    spectrum: NaturalSpectrum | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Results:
    """Visualize units of a layer; arguments and errors as for `visualize_each`.

    Returns:
        A list of results, which shows itself as a contact sheet in a notebook.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> results = ks.visualize(model, layer="conv1", units=[0, 1], size=(6, 16, 24), steps=2, seeds=1)
        >>> results[0].video.shape
        torch.Size([6, 3, 16, 24])
        >>> results[0].save("out")
        PosixPath('out/conv1/0')
    """
    each = visualize_each(
        model,
        layer,
        units,
        card=card,
        objective=objective,
        position=position,
        size=size,
        preset=preset,
        optimal=optimal,
        motion=motion,
        steps=steps,
        contrast=contrast,
        start=start,
        seed=seed,
        seeds=seeds,
        device=device,
        precision=precision,
        vectors=vectors,
        networks=networks,
        mask=mask,
        stay=stay,
        alpha=alpha,
        spectrum=spectrum,
        progress=progress,
        watch=watch,
    )
    return Results(each)
