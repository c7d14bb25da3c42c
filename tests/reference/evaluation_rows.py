"""Rows of `planted.json` and `depth.json`, made as the evaluation makes them."""

from typing import Any

import torch

from kinetoscope.evaluation.depth import UnitMotion
from kinetoscope.evaluation.planted import Errors, Finding
from kinetoscope.results import MotionSummary

RIGHT = MotionSummary(0.0, 1.0, 1.0, 1.0, 0.0, 0.0, "right")


def planted_row(formulation: str, errors: Errors, **more: Any) -> dict[str, Any]:
    """One case under one formulation; `more` changes what a `Finding` holds."""
    field = torch.zeros(2, 3, 4)
    usual: dict[str, Any] = {
        "planted": "clip",
        "family": "grating, 8 px",
        "name": "case",
        "seed": 0,
        "truth": RIGHT,
        "result": RIGHT,
        "motion_share": 1.0,
        "variance_explained": {"coherent": 0.75, "light": 0.0, "jitter": 0.25, "residual": 0.0},
        "psnr_db": 30.0,
        "label": "right",
        "seconds": {"decompose": 1.5},
        "truth_path": torch.tensor([[0.0, 0.0], [0.0, -4.0]]),
        "result_path": torch.tensor([[0.0, 0.0], [3.0, -1.5]]),
        "truth_field": field,
        "result_field": field,
    }
    return Finding(formulation=formulation, errors=errors, **{**usual, **more}).to_json()


def depth_row(layer: str, measure: float = 1.0, patch_px: float | None = None) -> dict[str, Any]:
    """A unit of a layer whose measures are all the same, but for one that may be missing."""
    same = (
        "mean_speed_px_per_frame",
        "speed_px_per_frame",
        "direction_deg",
        "coherence",
        "directions",
        "affine_r2",
    )
    shares = ("coherent_share", "psnr_db")
    numbers = dict.fromkeys((*same, *shares), measure)
    return UnitMotion(layer=layer, unit=0, depth=0, patch_px=patch_px, seconds=2.0, **numbers).to_json()
