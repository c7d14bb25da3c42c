"""See what a unit of a 3D (video) network looks for: its texture, its motion, and how far to trust it.

Nothing happens at import: each public name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .presenting import presented_by

if TYPE_CHECKING:
    from .activations.maps import feature_maps as feature_maps
    from .activations.search import search as search
    from .attribution.attribute import Attribution as Attribution
    from .attribution.attribute import attribute as attribute
    from .attribution.methods import AttributionSettings as AttributionSettings
    from .bearings.files import Compass as Compass
    from .bearings.make import compass as compass
    from .card import ModelCard as ModelCard
    from .card import card_of as card_of
    from .clips.video import read_video as read_video
    from .errors import KinetoscopeError as KinetoscopeError
    from .evaluation.ablate import ablate as ablate
    from .evaluation.sanity import check_sanity as check_sanity
    from .filters.decode import decode_filter as decode_filter
    from .inquiry.diversity import Diversity as Diversity
    from .inquiry.diversity import DiversitySettings as DiversitySettings
    from .inquiry.diversity import diversity as diversity
    from .inquiry.given import decompose as decompose
    from .inquiry.given import decompose_all as decompose_all
    from .inquiry.sweep import Sweep as Sweep
    from .inquiry.sweep import sweep as sweep
    from .inquiry.visualize import visualize as visualize
    from .inquiry.visualize import visualize_each as visualize_each
    from .metric import NaturalMetric as NaturalMetric
    from .metric import natural_metric as natural_metric
    from .motion.decompose import DecomposeSettings as DecomposeSettings
    from .natural.files import Naturalness as Naturalness
    from .natural.measure import naturalness as naturalness
    from .optimal.ascend import AdamSettings as AdamSettings
    from .optimal.held import read_mask as read_mask
    from .optimal.objective import Objective as Objective
    from .optimal.objective import channel as channel
    from .optimal.objective import channel_relu as channel_relu
    from .optimal.objective import unit as unit
    from .optimal.objective import whole_layer as whole_layer
    from .optimal.settings import OptimalSettings as OptimalSettings
    from .reading import load_result as load_result
    from .results import Decomposition as Decomposition
    from .results import MotionSummary as MotionSummary
    from .results import Optimal as Optimal
    from .results import Results as Results
    from .results import UnitResult as UnitResult
    from .spectrum import NaturalSpectrum as NaturalSpectrum
    from .spectrum import natural_spectrum as natural_spectrum
    from .tconv.layer import Conv3T as Conv3T
    from .tuning.files import Tuning as Tuning
    from .tuning.measure import tune as tune
    from .types import Flow as Flow
    from .types import Video as Video
    from .units.layers import list_layers as list_layers
    from .units.tap import tap as tap
    from .units.vectors import Vectors as Vectors
    from .units.vectors import read_vectors as read_vectors
    from .zoo.registry import load_model as load_model

_PUBLIC = {
    "AdamSettings": "optimal.ascend",
    "Attribution": "attribution.attribute",
    "AttributionSettings": "attribution.methods",
    "Compass": "bearings.files",
    "Conv3T": "tconv.layer",
    "DecomposeSettings": "motion.decompose",
    "Decomposition": "results",
    "Diversity": "inquiry.diversity",
    "DiversitySettings": "inquiry.diversity",
    "Flow": "types",
    "KinetoscopeError": "errors",
    "ModelCard": "card",
    "MotionSummary": "results",
    "Objective": "optimal.objective",
    "Optimal": "results",
    "OptimalSettings": "optimal.settings",
    "NaturalMetric": "metric",
    "Naturalness": "natural.files",
    "NaturalSpectrum": "spectrum",
    "Results": "results",
    "Sweep": "inquiry.sweep",
    "Tuning": "tuning.files",
    "UnitResult": "results",
    "Vectors": "units.vectors",
    "Video": "types",
    "ablate": "evaluation.ablate",
    "attribute": "attribution.attribute",
    "card_of": "card",
    "channel": "optimal.objective",
    "channel_relu": "optimal.objective",
    "check_sanity": "evaluation.sanity",
    "compass": "bearings.make",
    "decode_filter": "filters.decode",
    "decompose": "inquiry.given",
    "decompose_all": "inquiry.given",
    "diversity": "inquiry.diversity",
    "feature_maps": "activations.maps",
    "list_layers": "units.layers",
    "load_model": "zoo.registry",
    "load_result": "reading",
    "natural_metric": "metric",
    "naturalness": "natural.measure",
    "natural_spectrum": "spectrum",
    "read_mask": "optimal.held",
    "read_video": "clips.video",
    "read_vectors": "units.vectors",
    "search": "activations.search",
    "sweep": "inquiry.sweep",
    "tap": "units.tap",
    "tune": "tuning.measure",
    "unit": "optimal.objective",
    "visualize": "inquiry.visualize",
    "visualize_each": "inquiry.visualize",
    "whole_layer": "optimal.objective",
}
__all__ = sorted(_PUBLIC)


presented_by(lambda: import_module(".inquiry.present", __name__))


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module(".version", __name__).__version__
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
