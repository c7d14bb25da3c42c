"""From a clip and a unit to per-frame maps of what counted, and how far to trust them."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..brief import Brief
from ..card import ModelCard, card_of
from ..errors import LayerNotFound, ModelUnusable, SettingInvalid, closest
from ..optimal.objective import Objective, make_objective, usual_kind
from ..types import Video
from ..units.tap import Tap, find_layer, output_shape, split_layer, tap
from ..units.unit import Unit, parse_units
from .faithful import Curve, curves
from .methods import CAM, METHODS, AttributionMap, AttributionSettings, Problem
from .perturbation import masked


@dataclass(frozen=True, eq=False, repr=False)
class Attribution(Brief):
    """What counted for a unit's response to one clip.

    Attributes:
        method: as in `METHODS`.
        unit: whose response; of a map, the mean of its positive part.
        clip: as the network saw it, (T, C, H, W) in [0, 1].
        map: (T, H, W), in the unit's own scale; signed for `integrated-gradients`, `occlusion` and `lrp`,
            >= 0 for the others; for `perturbation` a mask in [0, 1].
        response: to the clip.
        baseline_response: to a clip that shows the clip's mean colour everywhere.
        completeness_gap: |sum of the map - (response - baseline_response)| for `integrated-gradients`,
            |sum of the map - response| for `lrp`; None for methods that do not promise to add up.
        kept: response to the clip through the mask of `perturbation`, 0 being the baseline's and 1 (or -1,
            where it responds less) the clip's; None for other methods, and where both respond alike.
        insertion, deletion: the response as places are put in or taken out by rank.
        cam_layer: whose maps were weighed; "" for other methods.
    """

    method: str
    unit: Unit
    clip: Video
    map: AttributionMap
    response: float
    baseline_response: float
    completeness_gap: float | None
    kept: float | None
    insertion: Curve
    deletion: Curve
    cam_layer: str


def attribute(
    model: nn.Module,
    clip: Video,
    target: str | Unit,
    method: str = "integrated-gradients",
    settings: AttributionSettings | None = None,
    *,
    card: ModelCard | None = None,
    device: str = "cpu",
) -> Attribution:
    """Say which places and moments of a clip a unit's response comes from.

    Args:
        model: any video network; it comes back as it was, without hooks.
        clip: (T, C, H, W) in [0, 1], of a size the network takes.
        target: `LAYER:UNIT`, a class name, or a `Unit`.
        method: `gradient`, `guided-backprop`, `integrated-gradients`, `smoothgrad`, `grad-cam`,
            `grad-cam-t` (weights per time step), `occlusion`, `lrp` (needs the extra of that name) or
            `perturbation`.
        settings: numbers; None: the usual ones.
        card: what the network expects; None: its own.
        device: where to compute.

    Returns:
        `map`, (T, H, W): how much each place of each frame counted, in the unit's own scale; and how far to
        trust it, see `Attribution`.

    Raises:
        SettingInvalid: no such method.
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable: as their names say.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> found = ks.attribute(model, torch.rand(16, 3, 64, 64), "up-left", method="grad-cam")
        >>> found.map.shape  # frames, rows, columns
        torch.Size([16, 64, 64])
    """
    if method not in METHODS:
        raise SettingInvalid(f"no method is called {method!r}; closest: {closest(method, METHODS)}")
    settings, card = settings or AttributionSettings(), card or card_of(model)
    shape = (clip.shape[1], clip.shape[0], *clip.shape[2:])
    unit = find_target(model, card, target) if isinstance(target, str) else target
    objective = make_objective(usual_kind(output_shape(model, unit.layer, shape), "default"), unit.channel)
    cam_layer = ""
    if method in CAM:
        cam_layer = settings.cam_layer or find_cam_layer(model, card, unit.layer, shape[1:])
    batch = clip.detach().transpose(0, 1)[None]
    baseline = batch.mean(dim=(2, 3, 4), keepdim=True).expand_as(batch)
    with untouched(model), tap(model, unit.layer, device=device) as tapped:
        network = _Network(model, tapped, card, objective, partial(tap, layer=unit.layer, device=device))
        problem = Problem(
            network, batch, baseline, find_layer(model, cam_layer) if cam_layer else None, settings
        )
        found = METHODS[method](problem).detach().float().cpu()
        inserted, deleted = curves(
            network, batch, baseline, found, points=settings.points, batch=settings.batch
        )
        through = float("nan")
        if method == "perturbation":
            with torch.no_grad():
                through = float(network(masked(batch, baseline, found)))
    response, nothing = deleted.responses[0], inserted.responses[0]
    for value, of in ((response, "to this clip"), (nothing, "to the clip's mean colour everywhere")):
        if not math.isfinite(value):
            raise ModelUnusable(
                f"the response of {unit} {of} is {value}, so nothing can be measured against it; take "
                "another clip, or a layer before the division, root or logarithm that gives it"
            )
    wanted = {"integrated-gradients": response - nothing, "lrp": response}.get(method)
    total = float(found.double().sum())
    span = abs(response - nothing)
    kept = (through - nothing) / span if method == "perturbation" and inserted.levels else None
    return Attribution(
        method=method,
        unit=unit,
        clip=clip,
        map=found,
        response=response,
        baseline_response=nothing,
        completeness_gap=None if wanted is None else abs(total - wanted),
        kept=kept,
        insertion=inserted,
        deletion=deleted,
        cam_layer=cam_layer,
    )


class _Network(nn.Module):
    """A tapped model as captum wants it: a module from clips to one response each."""

    def __init__(
        self,
        model: nn.Module,
        tapped: Tap,
        card: ModelCard,
        objective: Objective,
        tapping: Callable[[nn.Module], Tap],
    ) -> None:
        super().__init__()
        self.model, self._tapped, self._card, self._objective = model, tapped, card, objective
        self._tapping = tapping

    def forward(self, clips: Tensor) -> Tensor:
        return self.respond(self.normalized(clips))

    def normalized(self, clips: Tensor) -> Tensor:
        """As the model takes them."""
        return self._card.normalize(clips)

    def respond(self, normalized: Tensor) -> Tensor:
        """The response to clips as the model takes them."""
        self.reached = self._tapped(normalized)
        return self.answer(self.reached).to(normalized.device)

    def answer(self, output: Tensor) -> Tensor:
        """The response to what the target gives."""
        return self._objective(output)

    @contextmanager
    def on(self, model: nn.Module) -> "Iterator[_Network]":
        """Inside, the same with a copy of the model."""
        with self._tapping(model) as tapped:
            yield _Network(model, tapped, self._card, self._objective, self._tapping)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Inside, no module works in place (captum's hooks cannot bear it); afterwards all is as before.

    Captum takes its hooks off, but leaves marks that a hook was there, such as `_is_full_backward_hook`.
    """
    before = [(module, dict(vars(module))) for module in model.modules()]
    try:
        for module, own in before:
            if own.get("inplace") is True:
                vars(module)["inplace"] = False
        yield
    finally:
        for module, own in before:
            vars(module).clear()
            vars(module).update(own)


def find_target(model: nn.Module, card: ModelCard, target: str) -> Unit:
    """Read `LAYER:UNIT` (a number, or a class name of the output layer) or a class name.

    Raises:
        LayerNotFound: no such layer, or a class name for a network without an output layer.
        UnitOutOfRange: no such unit.
        SettingInvalid: several units.
    """
    layer, colon, which = target.rpartition(":")
    if not colon:
        layer, which = card.output_layer, target
    if not layer:
        raise LayerNotFound(
            f"target {target!r} names no layer, and the model no output layer; write LAYER:UNIT"
        )
    names = card.names_of(layer)
    count = output_shape(model, layer, (card.channels, *card.clip))[0]
    units = parse_units(which, count, names)
    if len(units) != 1:
        raise SettingInvalid(f"target {target!r} means {len(units)} units; name one")
    return Unit(layer, units[0], name=names[units[0]] if names else "")


def find_cam_layer(
    model: nn.Module, card: ModelCard, target: str, size: tuple[int, int, int] | None = None
) -> str:
    """The last layer before `target` whose maps still have several steps and places.

    Of modules that hold one another and give the same maps, the outermost is taken. The pass ends at the
    target, so that the size needs to suit no layer behind it.

    Raises:
        LayerNotFound: there is none.
    """
    shapes: dict[str, tuple[int, ...]] = {}  # in the order in which layers end; of several calls the first

    def note(name: str) -> Callable[..., None]:
        def keep(module: nn.Module, args: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                shapes.setdefault(name, tuple(output.shape[1:]))

        return keep

    handles = [module.register_forward_hook(note(name)) for name, module in model.named_modules() if name]
    try:
        with tap(model, target) as tapped, torch.no_grad():
            tapped(torch.zeros(1, card.channels, *(size or card.clip)))
    finally:
        for handle in handles:
            handle.remove()
    own = split_layer(target)[0]
    # a layer that has pooled its time away has no per-frame maps; better one before it
    fit = [
        name
        for name, shape in shapes.items()
        if len(shape) == 4
        and shape[1] > 1
        and shape[2] * shape[3] > 1
        and not f"{name}.".startswith(f"{own}.")
    ]
    if not fit:
        raise LayerNotFound(
            f"no layer before {target!r} has maps over time and space for Grad-CAM; take another method"
        )
    return fit[-1]


def frame_importance(map_: AttributionMap) -> Float[Tensor, " time"]:
    """Each frame's share of the absolute attribution; sums to 1, or to 0 when nothing was attributed."""
    sums = map_.abs().double().sum(dim=(1, 2))
    return (sums / sums.sum().clamp(min=1e-300)).float()
