"""See what a unit of a 3D (video) network looks for: its texture, its motion, and how far to trust it.

Nothing happens at import: each public name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activations.maps import feature_maps as feature_maps
    from .activations.search import search as search
    from .attribution.attribute import Attribution as Attribution
    from .attribution.attribute import attribute as attribute
    from .attribution.methods import AttributionSettings as AttributionSettings
    from .errors import KinetoscopeError as KinetoscopeError
    from .filters.decode import decode_filter as decode_filter
    from .given import decompose as decompose
    from .given import decompose_all as decompose_all
    from .metric import NaturalMetric as NaturalMetric
    from .metric import natural_metric as natural_metric
    from .models.card import ModelCard as ModelCard
    from .models.registry import card_of as card_of
    from .models.registry import load_model as load_model
    from .motion.decompose import DecomposeSettings as DecomposeSettings
    from .optimal.ascend import AdamSettings as AdamSettings
    from .optimal.settings import OptimalSettings as OptimalSettings
    from .pipeline import visualize as visualize
    from .pipeline import visualize_each as visualize_each
    from .reading import load_result as load_result
    from .results import Decomposition as Decomposition
    from .results import MotionSummary as MotionSummary
    from .results import Optimal as Optimal
    from .results import Results as Results
    from .results import UnitResult as UnitResult
    from .studies.ablate import ablate as ablate
    from .studies.sanity import check_sanity as check_sanity
    from .tconv.layer import Conv3T as Conv3T
    from .tuning.measure import Tuning as Tuning
    from .tuning.measure import tune as tune
    from .types import Flow as Flow
    from .types import Video as Video
    from .units.layers import list_layers as list_layers
    from .units.tap import tap as tap
    from .video import read_video as read_video

__version__ = "0.1.0"

_PUBLIC = {
    "AdamSettings": "optimal.ascend",
    "Attribution": "attribution.attribute",
    "AttributionSettings": "attribution.methods",
    "Conv3T": "tconv.layer",
    "DecomposeSettings": "motion.decompose",
    "Decomposition": "results",
    "Flow": "types",
    "KinetoscopeError": "errors",
    "ModelCard": "models.card",
    "MotionSummary": "results",
    "Optimal": "results",
    "OptimalSettings": "optimal.settings",
    "NaturalMetric": "metric",
    "Results": "results",
    "Tuning": "tuning.measure",
    "UnitResult": "results",
    "Video": "types",
    "ablate": "studies.ablate",
    "attribute": "attribution.attribute",
    "card_of": "models.registry",
    "check_sanity": "studies.sanity",
    "decode_filter": "filters.decode",
    "decompose": "given",
    "decompose_all": "given",
    "feature_maps": "activations.maps",
    "list_layers": "units.layers",
    "load_model": "models.registry",
    "load_result": "reading",
    "natural_metric": "metric",
    "read_video": "video",
    "search": "activations.search",
    "tap": "units.tap",
    "tune": "tuning.measure",
    "visualize": "pipeline",
    "visualize_each": "pipeline",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
