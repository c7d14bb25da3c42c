"""Few steps of search and of decomposition: for tests of what is done with results, not of what is found."""

from collections.abc import Mapping
from dataclasses import replace

from kinetoscope.motion.coherent import CoherentSettings
from kinetoscope.motion.decompose import DecomposeSettings
from kinetoscope.motion.edges import EdgeSettings
from kinetoscope.motion.jitter import JitterSettings
from kinetoscope.motion.layered import LayeredSettings
from kinetoscope.motion.light import LightSettings
from kinetoscope.motion.paper import PaperSettings
from kinetoscope.optimal.search import PRESETS, SearchSettings

LAYERED = LayeredSettings(
    coherent=CoherentSettings(levels=2, search=2, rounds=(1, 1, 1), iterations=(2, 2, 2)),
    edges=EdgeSettings(reach=(), frames=1, along=1),
    light=LightSettings(turns=1),
    jitter=JitterSettings(turns=1),
    renew=1.0,
)
QUICK = DecomposeSettings(layered=LAYERED, paper=PaperSettings(steps=2))
DECOMPOSITIONS = {"default": QUICK, "paper": replace(QUICK, formulation="paper")}
"""As `motion.decompose.PRESETS`: every stage is run, but textures do not take each other's place."""


def searches(steps: int) -> Mapping[str, SearchSettings]:
    """The presets of the search with so many steps."""
    return {name: replace(settings, steps=steps) for name, settings in PRESETS.items()}
